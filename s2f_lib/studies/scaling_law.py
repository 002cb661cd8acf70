"""How far more clips would carry: two curves through measured points, and what each says beyond them.

Nobody knows the true law. A straight line over the logarithm of the clips is the hopeful reading: every doubling
brings the same gain. A curve that bends towards a limit, ``limit - b * clips ** -c``, is the careful one. What both say
inside the measured range is the data; what they say outside is a guess, and the gap between them is its size.
"""

from typing import NamedTuple

import numpy as np

from s2f_lib.io import Record

STRAIGHT, BENT = "log-linear", "saturating power law"  # names of the two curves in the record


class Growth(NamedTuple):
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


def of_record(record: Record) -> tuple[np.ndarray, Growth]:
    """Points and curves of the record ``voice_scaling``: rows of (clips, share, low, high), and what was fitted."""
    measured = record.select(measure="share_of_oracle", curve=None).sort_values("clips")
    line = [record.value("coefficient", curve=STRAIGHT, name=name) for name in ("intercept", "slope")]
    bent = [record.value("coefficient", curve=BENT, name=name) for name in ("limit", "b", "c")]
    return measured[["clips", "value", "low", "high"]].to_numpy(float), Growth(*line, *bent)
