"""Find a face, choose which one, cut it out, and place landmarks on it."""

from typing import NamedTuple

import numpy as np

from s2f_lib.faces.models import dlib, dlib_model

MIN_SCORE = -0.2  # of HOG, for half-turned heads; on 968 published crops of real faces 93.0 % pass, at 0 it is 90.4 %
SMALL_PICTURE = 300  # pixels on the long side, up to which the picture is doubled before HOG looks at it
MIN_SIDE = 16  # pixels of a picture; dlib does not take pictures that are one pixel high, and finds nothing in these
MIN_FACE = 40  # pixels; a smaller face has too little left to recognise


class Box(NamedTuple):
    """A face in a picture, in pixels, with the detector's score (higher is surer; HOG and CNN differ in scale)."""

    left: float
    top: float
    right: float
    bottom: float
    score: float = 0.0

    @property
    def size(self) -> float:
        """Longer side, in pixels."""
        return max(self.right - self.left, self.bottom - self.top)

    @property
    def center(self) -> tuple[float, float]:
        """Middle (x, y), in pixels."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2


class Choice(NamedTuple):
    """Which face of a picture is used, or why none is: a row of the manifest."""

    box: Box | None  # None unless the status is "ok"
    status: str  # "ok", "no_face", "too_small", "several_faces" or "rotated"
    reason: str  # for people; empty if all is well


def detect(image: np.ndarray, *, method: str = "hog", upsample: int | None = None) -> list[Box]:
    """Find the faces of a picture, surest first; their score is `MIN_SCORE` or higher.

    Parameters
    ----------
    image : np.ndarray, shape (H, W, 3), uint8
        RGB.
    method : {"hog", "cnn"}
        dlib's HOG detector (default: 10-80 times quicker on a CPU), or its CNN, which the paper used and which also
        finds faces that are turned further away.
    upsample : int, optional
        How often the picture is doubled in size first, which finds faces from 40 pixels instead of 80. By default once
        for pictures up to 300 pixels (the 224-pixel crops of the corpora), and not at all for larger ones.

    Raises
    ------
    ValueError
        If the picture is not uint8 (H, W, 3), or the method unknown.
    """
    image = _checked(image)
    if min(image.shape[:2]) < MIN_SIDE:
        return []
    if upsample is None:
        upsample = int(max(image.shape[:2]) <= SMALL_PICTURE)
    if method == "hog":
        found = [(r, score) for r, score, _ in zip(*dlib_model("hog").run(image, upsample, MIN_SCORE), strict=True)]
    elif method == "cnn":
        found = [(r.rect, r.confidence) for r in dlib_model("cnn")(image, upsample) if r.confidence >= MIN_SCORE]
    else:
        raise ValueError(f"method must be 'hog' or 'cnn', got {method!r}")
    boxes = [Box(r.left(), r.top(), r.right() + 1, r.bottom() + 1, float(score)) for r, score in found]
    return sorted(boxes, key=lambda box: -box.score)


def choose_face(
    image: np.ndarray, *, at: tuple[float, float] | None = None, min_size: float = MIN_FACE, **how
) -> Choice:
    """Decide which face of a picture is the speaker's, and say why if none can be.

    The rules, in order: no face upright but one after a quarter or half turn -> "rotated"; none at all -> "no_face";
    with `at`, the face that contains that point, or else the nearest whose middle lies within its own size; without
    it, the largest one if it is at least twice as large in area as the next, else "several_faces"; the chosen face is
    smaller than `min_size` -> "too_small".

    Parameters
    ----------
    image : np.ndarray, shape (H, W, 3), uint8
        RGB.
    at : tuple of float, optional
        Where the speaker's face is, (x, y) in 0-1 of width and height, as AVSpeech gives it.
    min_size : float
        Smallest usable face, in pixels.
    **how
        Passed to `detect`.
    """
    image = _checked(image)
    boxes = detect(image, **how)
    if not boxes:
        for quarter in (1, 3, 2):
            if detect(np.rot90(image, quarter), **how):
                return Choice(None, "rotated", f"no upright face; there is one after turning by {90 * quarter} degrees")
        return Choice(None, "no_face", "no face found")
    boxes = sorted(boxes, key=lambda box: -box.size)
    if at is not None:
        point = np.array(at) * (image.shape[1], image.shape[0])
        boxes = sorted(boxes, key=lambda box: np.hypot(*(np.array(box.center) - point)) / box.size)
        if np.hypot(*(np.array(boxes[0].center) - point)) > boxes[0].size:
            return Choice(None, "no_face", f"{len(boxes)} found, but none at the given place")
    elif len(boxes) > 1 and boxes[0].size ** 2 < 2 * boxes[1].size ** 2:
        return Choice(None, "several_faces", f"{len(boxes)} faces of similar size, and no place given")
    if boxes[0].size < min_size:
        return Choice(None, "too_small", f"the face is {boxes[0].size:.0f} pixels, at least {min_size:.0f} are wanted")
    return Choice(boxes[0], "ok", "")


def crop(image: np.ndarray, box: Box, *, margin: float = 0.4, size: int = 224) -> np.ndarray:
    """Cut a square around a face and resize it: uint8 (H, W, 3) -> (size, size, 3).

    The margin is added on each side, as a share of the box: dlib's reaches from the brows to the chin, and 0.4 adds the
    hair and the ears. The paper states none. What lies outside of the picture is filled with its edge.
    """
    from PIL import Image

    image = _checked(image)
    side = max(2, round(box.size * (1 + 2 * margin)))
    left, top = (round(middle - side / 2) for middle in box.center)
    height, width = image.shape[:2]
    over = max(0, -left, -top, left + side - width, top + side - height)
    if over:
        image = np.pad(image, ((over, over), (over, over), (0, 0)), mode="edge")
    square = image[top + over : top + over + side, left + over : left + over + side]
    return np.asarray(Image.fromarray(square).resize((size, size), Image.Resampling.BILINEAR, reducing_gap=None))


def landmarks68(image: np.ndarray, box: Box) -> np.ndarray:
    """The 68 points of the iBUG scheme on a face, (68, 2), x and y in pixels (model not for commercial use)."""
    shape = dlib_model("landmarks68")(_checked(image), _rectangle(box))
    return np.array([(point.x, point.y) for point in shape.parts()], dtype=np.float64)


def aligned(image: np.ndarray, box: Box, size: int, padding: float) -> np.ndarray:
    """A face turned upright by five landmarks, uint8 (size, size, 3), with `padding` around it as dlib counts it."""
    shape = dlib_model("landmarks5")(_checked(image), _rectangle(box))
    return dlib().get_face_chip(_checked(image), shape, size, padding)


def _rectangle(box: Box):
    """A `Box` as dlib's own rectangle."""
    return dlib().rectangle(round(box.left), round(box.top), round(box.right) - 1, round(box.bottom) - 1)


def _checked(image: np.ndarray) -> np.ndarray:
    """Refuse what is not one uint8 RGB picture; make its memory contiguous for dlib."""
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"expected one RGB picture, uint8 (H, W, 3), got {image.dtype} {image.shape}")
    return np.ascontiguousarray(image)
