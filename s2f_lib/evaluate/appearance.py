"""What can be read off a canonical face: labels by a frozen classifier, lightness of skin and hair from fixed pixels.

The classifier (``hub.load("attributes-synthetic")``) plays the part of Face++ in the paper: it was trained on *true*
canonical faces, sees pixels only and is an instrument independent of recogniser and encoder. Its own error on true
faces is part of every table.
"""

import numpy as np
import pandas as pd

from s2f_lib.metrics import inference

SIDE = 16  # canonical faces are aligned: in a picture of 16 x 16 the same pixel is the same part of the head
# Rows and columns, chosen on 160 people of seed 2000: cheeks correlate with melanin at -0.97, the hair boxes with the
# darkness of hair at about -0.5 (grey hair is in the picture, not in that score).
CHEEKS = (((9, 11), (5, 7)), ((9, 11), (9, 11)))
HAIR = (((1, 2), (5, 11)), ((4, 7), (3, 4)), ((4, 7), (12, 13)))


def small(images: np.ndarray) -> np.ndarray:
    """Faces uint8 (N, S, S, 3) to float32 (N, SIDE, SIDE, 3) in [0, 1]; each pixel is the mean of those it covers."""
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] != 3 or images.shape[1] != images.shape[2] or images.dtype != np.uint8:
        raise ValueError(f"images should be uint8 (faces, S, S, 3), got {images.dtype} {images.shape}")
    n, size = images.shape[:2]
    if size % SIDE:
        raise ValueError(f"the picture's side {size} should be a multiple of {SIDE}")
    step = size // SIDE
    return images.reshape(n, SIDE, step, SIDE, step, 3).mean(axis=(2, 4), dtype=np.float32) / 255


def read(classifier, images: np.ndarray) -> pd.DataFrame:
    """What an `AttributeNet` says of canonical faces, uint8 (N, S, S, 3).

    Columns are ``sex``, ``male`` (probability of that label), ``group``, ``age`` (years, 18 to 85), and ``skin``,
    ``hair`` (lightness in [0, 1]).
    """
    from s2f_lib import faces

    labels = classifier.label(faces.to_tensor(images))
    columns = {"sex": labels.sex, "male": labels.sex_probability[:, 1], "group": labels.group}
    columns["age"] = np.clip(labels.age, 18, 85).astype(float)
    return pd.DataFrame(columns | skin_and_hair(images))


def skin_and_hair(images: np.ndarray) -> dict[str, np.ndarray]:
    """Lightness (relative luminance of the displayed colour) of both cheeks and of the hair, (N,)."""
    light = small(images).astype(float) @ np.array([0.2126, 0.7152, 0.0722])
    inference.as_features(light.reshape(len(light), -1), "images")
    found = {}
    for name, boxes in (("skin", CHEEKS), ("hair", HAIR)):
        parts = [light[:, slice(*rows), slice(*columns)].reshape(len(light), -1) for rows, columns in boxes]
        found[name] = np.concatenate(parts, axis=1).mean(axis=1)
    return found
