"""What a trained voice encoder listens to: parts of the sound taken away, and labels read off along a line."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from s2f_lib import audio
from s2f_lib.metrics.similarity import angle_deg


@torch.no_grad()
def occlusion(encoder, waveform: np.ndarray, bands: int = 8, slices: int = 6) -> np.ndarray:
    """Degrees (bands, slices) by which v_s turns when a rectangle of the spectrogram falls silent.

    The waveform (samples,) is one clip, float in [-1, 1] or int16; ``bands`` go along frequency, ``slices`` along time.
    """
    spectrogram = audio.compressed_spectrogram(torch.as_tensor(waveform)[None], seconds=None)
    frames, bins = spectrogram.shape[2:]
    times, frequencies = (np.linspace(0, n, k + 1).astype(int) for n, k in ((frames, slices), (bins, bands)))
    whole = encoder(spectrogram)
    degrees = np.empty((bands, slices))
    for i in range(bands):
        holes = spectrogram.repeat(slices, 1, 1, 1)
        for j in range(slices):
            holes[j, :, times[j] : times[j + 1], frequencies[i] : frequencies[i + 1]] = 0
        degrees[i] = angle_deg(encoder(holes).numpy(), whole.numpy())
    return degrees


class LinearProbe(NamedTuple):
    """A direction in the space of face features along which a label changes, scaled so that it reads as the label."""

    direction: np.ndarray  # (D,)
    offset: float

    def read(self, features: np.ndarray) -> np.ndarray:
        """Value on the axis, (N, D) -> (N,)."""
        return np.asarray(features, dtype=np.float64) @ self.direction + self.offset


def linear_probe(v_f: np.ndarray, label: Sequence[float], strength: float = 1.0) -> LinearProbe:
    """Ridge regression of a label on face features, stretched so that the faces it learned from read as their labels.

    Features are taken as they are, not at unit length: a v_s that knows little is short, lies near the mean face and
    reads as unsure, as it should; stretched to unit length it would read far beyond the faces.

    ``v_f`` is (N, D), ``label`` (N,) an age in years, or 0 and 1; the strength of the ridge is relative to the mean
    variance of a feature's dimension times N.
    """
    v_f = np.asarray(v_f, dtype=np.float64)
    label = np.asarray(label, dtype=np.float64)
    mean = v_f.mean(axis=0)
    x, y = v_f - mean, label - label.mean()
    kernel = x @ x.T
    weights = np.linalg.solve(kernel + strength * np.trace(kernel) / len(x) * np.eye(len(x)), y)
    direction = x.T @ weights
    slope = np.polyfit(x @ direction, y, 1)[0] if np.ptp(x @ direction) else 1.0
    return LinearProbe(direction * slope, float(label.mean() - mean @ direction * slope))
