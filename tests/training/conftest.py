"""Small sources and settings that the training tests share."""

import numpy as np
import pytest
from torch import nn

from s2f_lib import training
from s2f_lib.training.sources import ArraySource

TINY = {"channels": [4] * 9, "hidden": 8}


@pytest.fixture
def clips():
    """Sixteen six-second clips of noise whose loudest band says which feature belongs to them."""
    rng = np.random.default_rng(0)
    time = np.arange(96_000) / 16_000
    tones = np.stack([np.sin(2 * np.pi * (200 + 400 * k) * time) for k in range(16)])
    sound = (4_000 * tones + 400 * rng.standard_normal(tones.shape)).astype(np.int16)
    v_f = rng.random((16, 6)).astype(np.float16)
    return ArraySource(sound, v_f, rng.standard_normal((16, 5)).astype(np.float16), np.arange(16) // 2)


@pytest.fixture
def layers():
    """Stand-ins for the frozen layers: 6 -> 4 (f_dec) and 6 -> 5 (fc8)."""
    return {"f_dec": nn.Linear(6, 4), "f_vgg": nn.Linear(6, 5)}


@pytest.fixture
def settings():
    """A function that makes settings of a tiny run; the first argument is the loss."""

    def make(loss="normalized", **changes):
        small = {"encoder_changes": TINY, "batch_size": 4, "max_steps": 6, "log_every": 2, "checkpoint_every": 3}
        return training.make_config("quick", loss, **(small | {"evaluate_every": 6, "seconds": 3.0} | changes))

    return make
