"""Small things the tests of the faces room share."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch

from s2f_lib import people
from s2f_lib.faces.decoder import DecoderShape, FaceDecoder
from s2f_lib.faces.vgg import VGGFace, VGGShape, synthetic_vgg


@pytest.fixture(scope="session")
def faces():
    """Canonical pictures of six synthetic people at 160 pixels, with true landmarks in pixels."""
    pairs = [people.render_canonical(person, size=160, return_landmarks=True) for person in people.sample(6, seed=77)]
    return np.stack([picture for picture, _ in pairs]), np.stack([points for _, points in pairs])


@pytest.fixture(scope="session")
def tiny_recogniser():
    """A random reduced VGG-Face: right in form, knows nobody."""
    torch.manual_seed(0)
    return synthetic_vgg(VGGFace(VGGShape((4, 4, 8, 8, 8), 2, 64, 8, 32, 6)))


@pytest.fixture
def tiny_decoder():
    """A random decoder for 32-D features and 32-pixel pictures, around a plausible mean face."""
    torch.manual_seed(0)
    decoder = FaceDecoder(DecoderShape(feature_dim=32, first=24, hidden=16, map_size=8, channels=(8, 8)))
    angle = torch.arange(68) / 68 * 2 * torch.pi
    radius = 0.15 + 0.2 * (torch.arange(68) % 3) / 3
    decoder.mean_landmarks.copy_(0.5 + torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1))
    return decoder
