"""What every face recogniser promises: pictures in, v_f and logits out, and weights that never change."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn


class FaceFeatures(NamedTuple):
    """What a recogniser gives: the face feature and, if it was trained to name identities, their logits."""

    v_f: Tensor  # (B, feature_dim)
    logits: Tensor | None  # (B, logits_dim), or None


class FaceRecogniser(nn.Module):
    """Base of the recognisers: ``recogniser(images) -> FaceFeatures``.

    Attributes
    ----------
    name : str
        Name in `s2f_lib.hub`.
    feature_dim, logits_dim : int
        Sizes of v_f and of the logits; ``logits_dim`` is 0 where there are none.
    image_size : int
        Height and width the network sees; images of other sizes are resized.
    checksum : str
        SHA-256 of the weights, so that a feature file can say what made it.
    """

    feature_dim: int
    logits_dim: int = 0

    def __init__(self, *, name: str, image_size: int, checksum: str = ""):
        super().__init__()
        self.name, self.image_size, self.checksum = name, image_size, checksum

    def freeze(self) -> None:
        """Make every parameter constant and leave training mode for good."""
        self.requires_grad_(False)
        super().train(False)

    def train(self, mode: bool = True) -> FaceRecogniser:
        """Stay in evaluation mode: a frozen network has no other."""
        return self

    def resize(self, images: Tensor) -> Tensor:
        """Check a batch of images and bring it to `image_size`."""
        check_images(images)
        if images.shape[-2:] == (self.image_size, self.image_size):
            return images
        size = (self.image_size, self.image_size)
        return nn.functional.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)


def check_images(images: Tensor) -> None:
    """Refuse (ValueError) what is not a float batch of RGB images."""
    if not isinstance(images, Tensor) or images.dim() != 4 or images.shape[1] != 3 or not images.is_floating_point():
        what = f"{images.dtype} {tuple(images.shape)}" if isinstance(images, (Tensor, np.ndarray)) else type(images)
        raise ValueError(
            f"expected images as a float tensor (B, 3, H, W), RGB in [0, 1], got {what}; "
            "faces.to_tensor() turns uint8 pictures (..., H, W, 3) into that"
        )


def to_tensor(pictures: np.ndarray) -> Tensor:
    """Turn uint8 pictures (..., H, W, 3) into a float tensor (..., 3, H, W) in [0, 1].

    ValueError for any other type or shape.

    Examples
    --------
    >>> to_tensor(np.full((2, 8, 8, 3), 255, np.uint8)).shape
    torch.Size([2, 3, 8, 8])
    """
    pictures = np.asarray(pictures)
    if pictures.dtype != np.uint8 or pictures.ndim < 3 or pictures.shape[-1] != 3:
        raise ValueError(f"expected uint8 pictures (..., H, W, 3), got {pictures.dtype} {pictures.shape}")
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(pictures, -1, -3))).float() / 255.0


def to_pictures(images: Tensor) -> np.ndarray:
    """The way back from `to_tensor`: float images (..., 3, H, W) in [0, 1] -> uint8 pictures (..., H, W, 3)."""
    return (images.detach().clamp(0, 1) * 255).round().byte().movedim(-3, -1).contiguous().cpu().numpy()


@torch.no_grad()
def extract(recogniser: FaceRecogniser, pictures: np.ndarray, batch_size: int = 64, progress: bool = False):
    """Face features of many pictures (..., H, W, 3), uint8 RGB, batch by batch; they may be a memory-mapped file.

    Returns
    -------
    tuple of np.ndarray
        v_f (..., feature_dim) float32, and logits (..., logits_dim) float32 or None.
    """
    from tqdm import tqdm

    leading = pictures.shape[:-3]
    flat = pictures.reshape(-1, *pictures.shape[-3:])
    v_f = np.empty((len(flat), recogniser.feature_dim), np.float32)
    logits = np.empty((len(flat), recogniser.logits_dim), np.float32) if recogniser.logits_dim else None
    device = next((b.device for b in recogniser.buffers()), torch.device("cpu"))
    starts = range(0, len(flat), batch_size)
    for start in tqdm(starts, desc=recogniser.name, unit="batch", disable=not progress):
        part = slice(start, start + batch_size)
        features = recogniser(to_tensor(flat[part]).to(device))
        v_f[part] = features.v_f.cpu().numpy()
        if logits is not None:
            logits[part] = features.logits.cpu().numpy()
    return v_f.reshape(*leading, -1), logits if logits is None else logits.reshape(*leading, -1)
