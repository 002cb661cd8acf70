"""A quick look at a network while it trains: angle to the face feature, and retrieval among the looked-at clips.

The careful measures, with intervals and baselines, are in `s2f_lib.evaluate`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F


@torch.no_grad()
def predict(encoder, source, batch_size: int = 32, device: str | torch.device = "cpu", seconds: float | None = None):
    """v_s of every clip of an `ArraySource`, in order; (N, D) float32 array. The encoder's mode is put back."""
    training = encoder.training
    encoder.eval()
    parts = []
    for i in range(0, len(source), batch_size):
        batch = source.take(np.arange(i, min(i + batch_size, len(source))), seconds)
        parts.append(encoder(batch["waveform"].to(device)).float().cpu())
    encoder.train(training)
    return torch.cat(parts).numpy()


def targets(source) -> np.ndarray:
    """v_f of every clip of a source, in order; (N, D). Read once and kept with the source."""
    if not hasattr(source, "v_f"):
        rows = range(0, len(source), 64)
        parts = [source.take(np.arange(i, min(i + 64, len(source))))["v_f"] for i in rows]
        source.v_f = torch.cat(parts).numpy()
    return source.v_f


def quick_scores(v_s: np.ndarray, v_f: np.ndarray) -> dict[str, float]:
    """Mean angle in degrees, and the share of clips whose own face is in the nearest tenth, in percent (chance 10).

    Parameters
    ----------
    v_s, v_f : np.ndarray, shape (N, D)
        Ties count against the clip, so a constant prediction scores nothing.
    """
    own, rank = _ranks(v_s, v_f)
    angle = torch.rad2deg(torch.arccos(own.clamp(-1, 1))).mean().item()
    return {"angle_deg": angle, "top10_percent": 100 * (rank <= max(1, len(rank) // 10)).float().mean().item()}


def top_percent(v_s: np.ndarray, v_f: np.ndarray, percent: float) -> float:
    """Share of clips, in percent, whose own face is among the nearest `percent` of the faces (chance: `percent`)."""
    _, rank = _ranks(v_s, v_f)
    return 100 * (rank <= max(1, int(len(rank) * percent / 100))).float().mean().item()


def _ranks(v_s: np.ndarray, v_f: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosine to the own face, and its rank among all faces, 1 = best; ties count against the clip."""
    a, b = (F.normalize(torch.as_tensor(np.asarray(v), dtype=torch.float32), dim=1) for v in (v_s, v_f))
    cosines = a @ b.T
    own = cosines.diagonal()
    return own, (cosines >= own[:, None]).sum(dim=1)
