"""Classifiers that read sex, age and group off a canonical face, trained on true canonical renders.

They play the part that Face++ plays in the paper. They see pixels only, not the recogniser's feature, so they
are an independent instrument; their own error on true faces is part of every table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from s2f_lib.evaluate import checks

if TYPE_CHECKING:
    import pandas as pd

SIDE = 32  # pixels; canonical faces are aligned, so a small picture holds the attributes


def small(images: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Canonical faces to rows of small pictures: uint8 (N, S, S, 3) -> float32 (N, side * side * 3) in [0, 1].

    Each small pixel is the mean of the pixels it covers.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] != 3 or images.shape[1] != images.shape[2] or images.dtype != np.uint8:
        raise ValueError(f"images should be uint8 (faces, S, S, 3), got {images.dtype} {images.shape}")
    n, size = images.shape[:2]
    if size % side:
        raise ValueError(f"the picture's side {size} should be a multiple of {side}")
    step = size // side
    blocks = images.reshape(n, side, step, side, step, 3).mean(axis=(2, 4), dtype=np.float32)
    return blocks.reshape(n, -1) / 255


class AttributeReader:
    """Sex, age and group of canonical faces: principal components of small pictures, then linear models.

    Parameters
    ----------
    components : int
        Principal components kept (fewer when there are fewer faces).
    """

    def __init__(self, components: int = 120) -> None:
        self.components = components

    def fit(self, images: np.ndarray, people: pd.DataFrame) -> AttributeReader:
        """Learn from true canonical faces, uint8 (N, S, S, 3), and the table with ``sex``, ``age``, ``group``."""
        from sklearn.decomposition import PCA
        from sklearn.linear_model import LogisticRegression, RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        if len(images) != len(people):
            raise ValueError(f"{len(images)} pictures for {len(people)} people")
        x = small(images)
        self.pca_ = PCA(min(self.components, len(x) - 1), random_state=0, svd_solver="randomized").fit(x)
        z = self.pca_.transform(x)
        self.sex_ = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500)).fit(z, people["sex"])
        self.group_ = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500)).fit(z, people["group"])
        self.age_ = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 4, 11))).fit(z, people["age"])
        return self

    def read(self, images: np.ndarray) -> pd.DataFrame:
        """One row per face: ``sex``, ``group``, ``age`` in years (18-85), ``male`` = probability of the label male."""
        import pandas as pd

        if not hasattr(self, "pca_"):
            raise ValueError("this reader has not been fitted; call fit(images, people) first")
        z = self.pca_.transform(small(images))
        male = self.sex_.predict_proba(z)[:, list(self.sex_.classes_).index("male")]
        return pd.DataFrame(
            {
                "sex": self.sex_.predict(z),
                "male": male,
                "group": self.group_.predict(z),
                "age": np.clip(self.age_.predict(z), 18, 85),
            }
        )


def skin_and_hair(images: np.ndarray) -> dict[str, np.ndarray]:
    """Lightness of skin and of hair in canonical faces, straight from fixed pixels; each (N,) in [0, 1].

    Skin: both cheeks; hair: a band above the forehead. Canonical faces are aligned and evenly lit, so the same
    place is the same part of the head in every picture.
    """
    pixels = small(images).reshape(len(images), SIDE, SIDE, 3).astype(float)
    light = pixels @ np.array([0.2126, 0.7152, 0.0722])
    checks.features(light.reshape(len(light), -1), "images")
    cheeks = np.concatenate([light[:, 17:20, 9:12], light[:, 17:20, 20:23]], axis=2)
    return {"skin": cheeks.mean(axis=(1, 2)), "hair": light[:, 2:5, 12:20].mean(axis=(1, 2))}
