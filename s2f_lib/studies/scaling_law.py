"""How far more clips would carry: two curves through measured points, and what each says beyond them.

Nobody knows the true law. A straight line over the logarithm of the clips is the hopeful reading: every doubling
brings the same gain. A curve that bends towards a limit, ``limit - b * clips ** -c``, is the careful one. What both say
inside the measured range is the data; what they say outside is a guess, and the gap between them is its size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from s2f_lib.io import Record

STRAIGHT, BENT = "log-linear", "saturating power law"  # names of the two curves in the record
LIMITS = np.linspace(0.05, 1.0, 96)  # shares tried as the limit of the bending curve; a share cannot pass 1


@dataclass(frozen=True)
class Growth:
    """A share that grows with the number of clips: ``line`` and ``bend`` are the two readings of the same points."""

    intercept: float  # of the line, share at one clip
    slope: float  # of the line, share for every factor of ten in clips
    limit: float  # of the bending curve, share after endlessly many clips
    b: float
    c: float

    def log_linear(self, clips) -> np.ndarray:
        """The hopeful reading, never above 1."""
        return np.minimum(self.intercept + self.slope * np.log10(np.asarray(clips, float)), 1.0)

    def saturating(self, clips) -> np.ndarray:
        """The careful reading."""
        return self.limit - self.b * np.asarray(clips, float) ** -self.c

    def clips_for(self, share: float) -> tuple[float, float]:
        """Clips at which the line and the bending curve reach a share; infinite where they never do."""
        hopeful = 10 ** ((share - self.intercept) / self.slope) if self.slope > 0 else np.inf
        careful = (self.b / (self.limit - share)) ** (1 / self.c) if share < self.limit and self.c > 0 else np.inf
        return float(hopeful), float(careful)


def fit(clips, share) -> Growth:
    """Fit both readings by least squares.

    Parameters
    ----------
    clips, share : array, shape (n,)
        At least four points, of distinct positive numbers of clips.

    Raises
    ------
    ValueError
        With fewer points, or numbers of clips that are not positive.
    """
    clips, share = np.asarray(clips, float), np.asarray(share, float)
    if clips.shape != share.shape or len(np.unique(clips)) < 4 or clips.min() <= 0:
        raise ValueError(f"a growth curve needs at least four points at distinct positive clips, got {clips.tolist()}")
    slope, intercept = np.polyfit(np.log10(clips), share, 1)
    best = (np.inf, float(share.mean()), 0.0, 0.0)
    for limit in LIMITS[share.max() + 1e-3 < LIMITS]:  # for a given limit the rest is a line in logarithms
        power, height = np.polyfit(np.log(clips), np.log(limit - share), 1)
        error = float(np.square(limit - np.exp(height + power * np.log(clips)) - share).sum())
        best = min(best, (error, float(limit), float(np.exp(height)), float(-power)))
    return Growth(float(intercept), float(slope), *best[1:])


def of_record(record: Record) -> tuple[np.ndarray, Growth]:
    """Points and curves of the record ``voice_scaling``: rows of (clips, share, low, high), and what was fitted."""
    measured = record.select(measure="share_of_oracle", curve=None).sort_values("clips")
    line = [record.value("coefficient", curve=STRAIGHT, name=name) for name in ("intercept", "slope")]
    bent = [record.value("coefficient", curve=BENT, name=name) for name in ("limit", "b", "c")]
    return measured[["clips", "value", "low", "high"]].to_numpy(float), Growth(*line, *bent)
