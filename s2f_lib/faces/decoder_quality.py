"""How much of a person does a decoded face keep? Measured on people nobody was trained on."""

from __future__ import annotations

import numpy as np
import torch

from s2f_lib.faces.decoder import Decoded, FaceDecoder, to_mean_shape
from s2f_lib.faces.measures import PAPER_MEASURES, craniofacial
from s2f_lib.faces.pictures import PictureSet
from s2f_lib.faces.recogniser import to_tensor

__all__ = ["craniofacial_correlations", "decode", "quick_quality", "texture_error", "to_pictures"]


@torch.no_grad()
def decode(decoder: FaceDecoder, v_f: np.ndarray, batch_size: int = 64) -> Decoded:
    """Decode many features (N, D), float; gives tensors on the CPU."""
    parts = [decoder(part) for part in torch.from_numpy(np.asarray(v_f, np.float32)).split(batch_size)]
    return Decoded(*(torch.cat(field).cpu() for field in zip(*parts, strict=True)))


def to_pictures(images: torch.Tensor) -> np.ndarray:
    """Float images (..., 3, H, W) in [0, 1] -> uint8 pictures (..., H, W, 3)."""
    return (images.clamp(0, 1) * 255).round().byte().movedim(-3, -1).contiguous().cpu().numpy()


def texture_error(decoder: FaceDecoder, textures: torch.Tensor, canonical: PictureSet) -> float:
    """Mean absolute error of textures, divided by that of the mean face for everybody."""
    truth = to_mean_shape(
        to_tensor(canonical.pictures[:, 0]),
        torch.from_numpy(np.array(canonical.landmarks[:, 0])),
        decoder.mean_landmarks,
    )
    return float((textures - truth).abs().mean() / (decoder.mean_texture - truth).abs().mean())


def craniofacial_correlations(predicted: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Pearson correlation of each of the paper's twelve measures between two sets of landmarks (N, 68, 2)."""
    a, b = craniofacial(predicted), craniofacial(true)
    return {name: float(np.corrcoef(a[name], b[name])[0, 1]) for name in PAPER_MEASURES}


def quick_quality(decoder: FaceDecoder, v_f: np.ndarray, canonical: PictureSet) -> dict[str, float]:
    """The two measures that need no other network.

    Parameters
    ----------
    decoder : FaceDecoder
    v_f : np.ndarray, shape (n, D)
        Features of one wild picture of each person.
    canonical : PictureSet
        Their true canonical pictures, in the decoder's size.
    """
    decoded = decode(decoder, v_f)
    correlations = craniofacial_correlations(decoded.landmarks.numpy(), canonical.landmarks[:, 0])
    return {
        "texture_error_vs_mean_face": texture_error(decoder, decoded.texture, canonical),
        "craniofacial_median_r": float(np.median([*correlations.values()])),
    }
