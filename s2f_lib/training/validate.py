"""A quick look at a network while it trains: angle to the face feature, and retrieval among the looked-at clips.

Intervals and baselines are in `s2f_lib.evaluate`.
"""

import numpy as np
import torch

from s2f_lib.metrics import retrieval, similarity


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


def with_direction(v_s: np.ndarray, v_f: np.ndarray) -> np.ndarray:
    """v_s for the measures, (N, D): a row of zeros has no direction and says no more than the mean of v_f."""
    return np.where(v_s.any(axis=1, keepdims=True), v_s, v_f.mean(axis=0))


def quick_scores(v_s: np.ndarray, v_f: np.ndarray) -> dict[str, float]:
    """Mean angle in degrees, and the share of clips whose own face is in the nearest tenth, in percent (chance 10).

    Both are (N, D); a v_s of zeros is scored as the mean face.
    """
    v_s, v_f = np.asarray(v_s, np.float32), np.asarray(v_f, np.float32)
    v_s = with_direction(v_s, v_f)
    angle = similarity.angle_deg(v_s, v_f).mean()
    return {"angle_deg": float(angle), "top10_percent": 100 * retrieval.rank(v_s, v_f).top_percent(10)}
