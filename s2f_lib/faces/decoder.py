"""The face decoder after Cole et al. (2017): a face feature becomes landmarks and texture, and these a canonical face.

::

    v_f -> f_dec (1000) -> MLP -----------------------------> landmarks (68 points) --+
                       \\-> FC -> transposed convolutions ---> texture, in mean shape --+--> spline warp -> image

Beside each branch runs a straight line, which Cole et al. do not have: landmarks, and the weights of a number of
learned pictures, are also read linearly off f_dec. That is what a regression would do; the branches add the rest.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from s2f_lib import io
from s2f_lib.faces.recogniser import to_tensor
from s2f_lib.faces.warp import warp

LANDMARKS = 68
# Points that steer the warp. The lower edge of the mouth opening (65-67) lies on its upper edge when a mouth is shut,
# as in every canonical picture; two control points at one place would have no spline through them.
WARP_POINTS = tuple(range(65))
LANDMARK_UNIT = 0.05  # picture widths; what the landmark branch counts in
LOGIT_EPS = 0.01  # colours are kept this far from black and white where a logit is taken
SMOOTHING = 1e-4  # of the spline, in squared picture widths; keeps neighbouring lip points from folding the skin


class Decoded(NamedTuple):
    """What a decoder gives for a batch of features."""

    image: Tensor  # (B, 3, S, S) in [0, 1], the canonical face
    landmarks: Tensor  # (B, 68, 2), x and y in 0-1 of the picture
    texture: Tensor  # (B, 3, S, S) in [0, 1], the face in the mean person's shape


@dataclasses.dataclass(frozen=True)
class DecoderShape:
    """Sizes of a decoder."""

    feature_dim: int = 4096  # of v_f
    first: int = 1000  # outputs of the first layer, f_dec in the paper's loss
    hidden: int = 256  # of the landmark branch
    map_size: int = 7  # of the first feature map of the texture branch
    channels: tuple[int, ...] = (32, 64, 48, 32)  # maps before each doubling; the picture is 7 * 2^4 = 112 pixels
    components: int = 72  # learned pictures, of half the size, that are added to the texture

    @property
    def image_size(self) -> int:
        """Height and width of the pictures, in pixels."""
        return self.map_size * 2 ** len(self.channels)


class FaceDecoder(nn.Module):
    """Face feature -> canonical face: frontal, neutral, evenly lit.

    Attributes
    ----------
    f_dec : nn.Linear
        The first layer; voice features are compared behind it.
    mean_landmarks : Tensor, shape (68, 2)
    mean_texture : Tensor, shape (3, S, S)
        The mean person, from which both branches predict the difference.
    """

    def __init__(self, shape: DecoderShape = DecoderShape()):
        super().__init__()
        self.shape = shape
        size = shape.image_size
        self.f_dec = nn.Linear(shape.feature_dim, shape.first)
        self.landmark_branch = nn.Sequential(
            nn.ReLU(), nn.Linear(shape.first, shape.hidden), nn.ReLU(), nn.Linear(shape.hidden, 2 * LANDMARKS)
        )
        self.texture_start = nn.Linear(shape.first, shape.channels[0] * shape.map_size**2)
        layers: list[nn.Module] = []
        for before, after in zip(shape.channels, shape.channels[1:]):
            layers += [nn.ReLU(), nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)]
        layers += [nn.ReLU(), nn.ConvTranspose2d(shape.channels[-1], 3, 6, stride=2, padding=2)]
        self.texture_branch = nn.Sequential(*layers)
        self.landmark_line = nn.Linear(shape.first, 2 * LANDMARKS)
        self.texture_line = nn.Linear(shape.first, shape.components)
        self.components = nn.Parameter(torch.randn(shape.components, 3, size // 2, size // 2) / size)
        self.register_buffer("mean_landmarks", torch.zeros(LANDMARKS, 2))
        self.register_buffer("mean_texture", torch.full((3, size, size), 0.5))

    def landmarks_and_texture(self, v_f: Tensor) -> tuple[Tensor, Tensor]:
        """The two branches before the warp: (B, 68, 2) and (B, 3, S, S). ValueError for features of another width."""
        if v_f.dim() != 2 or v_f.shape[1] != self.shape.feature_dim:
            raise ValueError(f"expected features (B, {self.shape.feature_dim}), got {(*v_f.shape,)}")
        first = self.f_dec(v_f)
        moved = self.landmark_branch(first) + self.landmark_line(first)
        landmarks = self.mean_landmarks + LANDMARK_UNIT * moved.view(-1, LANDMARKS, 2)
        start = self.texture_start(torch.relu(first))
        maps = start.view(-1, self.shape.channels[0], self.shape.map_size, self.shape.map_size)
        half = torch.einsum("bk,kchw->bchw", self.texture_line(first), self.components)
        change = self.texture_branch(maps) + nn.functional.interpolate(half, scale_factor=2, mode="bilinear")
        return landmarks, torch.sigmoid(torch.logit(self.mean_texture, eps=LOGIT_EPS) + change)

    def render(self, landmarks: Tensor, texture: Tensor) -> Tensor:
        """Warp textures (B, 3, S, S) from the mean shape to landmarks (B, 68, 2)."""
        points = list(WARP_POINTS)
        return warp(texture, landmarks[:, points], self.mean_landmarks[None, points], SMOOTHING)

    def forward(self, v_f: Tensor) -> Decoded:
        """Features (B, D) -> canonical faces; see `Decoded`."""
        landmarks, texture = self.landmarks_and_texture(v_f)
        return Decoded(self.render(landmarks, texture), landmarks, texture)

    def freeze(self) -> FaceDecoder:
        """Make every parameter constant; gradients still flow to v_f."""
        return self.requires_grad_(False).eval()


@torch.no_grad()
def decode(decoder: FaceDecoder, v_f: np.ndarray, batch_size: int = 64) -> Decoded:
    """Decode many features (N, D), float, batch by batch; gives tensors on the CPU, see `faces.to_pictures`."""
    parts = [decoder(part) for part in torch.from_numpy(np.asarray(v_f, np.float32)).split(batch_size)]
    return Decoded(*(torch.cat(field).cpu() for field in zip(*parts, strict=True)))


def texture_error(decoder: FaceDecoder, textures: Tensor, pictures: np.ndarray, landmarks: np.ndarray) -> float:
    """Mean absolute error of decoded textures (N, 3, S, S), divided by that of the mean face for everybody.

    The true canonical faces are pictures (N, S, S, 3), uint8, with landmarks (N, 68, 2) in 0-1.
    """
    points = torch.from_numpy(np.array(landmarks, dtype=np.float32))
    truth = to_mean_shape(to_tensor(pictures), points, decoder.mean_landmarks)
    return float((textures - truth).abs().mean() / (decoder.mean_texture - truth).abs().mean())


def to_mean_shape(pictures: Tensor, landmarks: Tensor, mean_landmarks: Tensor) -> Tensor:
    """Warp canonical pictures (B, 3, S, S) with landmarks (B, 68, 2) to the mean shape (68, 2): target textures."""
    points = list(WARP_POINTS)
    onto = mean_landmarks[None, points].expand(len(pictures), -1, -1)
    return warp(pictures, onto, landmarks[:, points], SMOOTHING)


def load_decoder(path, device: str = "cpu") -> FaceDecoder:
    """A shipped decoder, frozen; `s2f_lib.hub` calls this."""
    state, shape = io.read_tensors(path)
    decoder = FaceDecoder(DecoderShape(**{**shape, "channels": tuple(shape["channels"])}))
    decoder.load_state_dict(state)
    return decoder.to(device).freeze()
