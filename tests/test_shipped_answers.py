"""What the shipped networks answer to one sound: a refactoring, a new reader or a new library must not change it."""

import numpy as np
import pytest
import torch

from s2f_lib import hub


def test_the_shipped_networks_answer_as_when_they_were_published():
    time = np.arange(96_000) / 16_000
    tones = ((120, 1), (240, 2), (360, 3), (730, 4), (1090, 5), (2440, 6))
    sound = sum(np.sin(2 * np.pi * f * time * (1 + 0.01 * np.sin(3 * time))) / k for f, k in tones)
    with torch.no_grad():
        v_s = hub.load("voice-encoder-synthetic")(torch.from_numpy((0.1 * sound).astype(np.float32))[None])
        face = hub.load("decoder-synthetic-vgg")(v_s)
        seen = hub.load("synthetic-vgg")(face.image)
        age = hub.load("attributes-synthetic")(face.image)[2]
    assert v_s[0, :6].tolist() == pytest.approx([0.025394, 0.086336, 0.141364, 0.050429, 0.074197, 0.130071], abs=1e-4)
    assert v_s.norm().item() == pytest.approx(7.37904, rel=1e-4)
    assert face.image.double().mean().item() == pytest.approx(0.479181, abs=1e-4)
    assert face.landmarks.double().std().item() == pytest.approx(0.157713, abs=1e-4)
    assert seen.v_f.norm().item() == pytest.approx(9.20101, rel=1e-3)
    assert age.item() == pytest.approx(44.007, abs=0.05)
