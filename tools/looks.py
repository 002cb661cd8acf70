"""What a synthetic person looks like, as numbers: the second lesson of `synthetic-vgg`, beside the names.

Three kinds of numbers, all in standard deviations over the people: what the head was made from (`known_causes`), the
principal components of the 68 canonical landmarks, and those of the canonical picture made small. Each is to be read
off the direction of v_f along an axis of its own (`LookAxes`), and the length of an axis sets how much of that
direction the number may move.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from s2f_lib.people import Population
from s2f_lib.people.causes import FACE_SCORES
from tools.pictures import PictureSet

__all__ = ["LookAxes", "LookConfig", "Looks", "known_causes", "looks_of", "principal_components"]


@dataclasses.dataclass(frozen=True)
class LookConfig:
    """How much of the direction of v_f goes to what; lengths are per standard deviation of the number.

    The lengths of sex and age follow a real recogniser: in the features that dlib gives for 900 published photographs,
    labelled sex has 7.4 % of the variance of the direction and labelled age 2.6 % (measured once, by hand). With these
    lengths sex and age have 6.7 % and 2.9 % of it in the shipped `synthetic-vgg`, on 12,000 wild pictures.
    """

    sex_length: float = 0.28
    age_length: float = 0.17
    cause_length: float = 0.10  # each of the other causes
    shape_share: float = 0.20  # sum of the squared lengths of all components of the landmarks
    picture_share: float = 0.12  # of all components of the small picture
    shape_components: int = 24
    picture_components: int = 32
    sex_weight: float = 4.0  # in the loss, against 1 of each other cause


class Looks(NamedTuple):
    """K numbers of n people, and how they are to be read."""

    values: Tensor  # (n, K), standardised over the people
    lengths: Tensor  # (K,), of v_f / |v_f| along the axis, per standard deviation
    weights: Tensor  # (K,), in the loss; they sum to 3, one for each kind


def known_causes(population: Population) -> np.ndarray:
    """What a head was made from, standardised over the people: (n, 18).

    Sex, age, darkness of skin, two ancestry weights (the third is what is left), the scores of the shape of the face,
    and darkness of hair.
    """
    columns = [population.sex == "female", population.age, population.face["melanin"], *population.ancestry[:, :2].T]
    columns += [population.face[name] for name in (*FACE_SCORES, "hair_darkness")]
    table = np.stack(columns, axis=1).astype(np.float32)
    return (table - table.mean(axis=0)) / table.std(axis=0)


def principal_components(rows: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of the first components in standard deviations, (n, count), and those deviations, (count,).

    Fewer than `count` where the rows do not vary in so many directions.
    """
    centred = rows.reshape(len(rows), -1).astype(np.float64)
    centred -= centred.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    order = np.argsort(values)[::-1][: min(count, int((values > 1e-9).sum()))]
    deviations = np.sqrt(values[order])
    return (centred @ vectors[:, order] / deviations).astype(np.float32), deviations.astype(np.float32)


def looks_of(population: Population, canonical: PictureSet, settings: LookConfig = LookConfig()) -> Looks:
    """The numbers of a population, from its truth and its canonical pictures.

    Components count in proportion to their standard deviation, in the squared length of their axes as in the loss:
    large enough for the small ones to be read, and most for those that change a face most.
    """
    causes = known_causes(population)
    shape, shape_sd = principal_components(canonical.landmarks[:, 0], settings.shape_components)
    picture, picture_sd = principal_components(_small(canonical.pictures[:, 0]), settings.picture_components)
    lengths = np.full(causes.shape[1], settings.cause_length, np.float32)
    lengths[:2] = settings.sex_length, settings.age_length
    weights = np.ones(causes.shape[1], np.float32)
    weights[0] = settings.sex_weight
    shares = [(shape_sd, settings.shape_share), (picture_sd, settings.picture_share)]
    lengths = [lengths, *(np.sqrt(share * sd / sd.sum()) for sd, share in shares)]
    weights = [weights / weights.sum(), *(sd / sd.sum() for sd, _ in shares)]
    values = np.concatenate([causes, shape, picture], axis=1)
    columns = values, np.concatenate(lengths), np.concatenate(weights)
    return Looks(*(torch.from_numpy(column.astype(np.float32)) for column in columns))


def _small(pictures: np.ndarray, cell: int = 4) -> np.ndarray:
    """Means over cells of 4 x 4 pixels: (n, S, S, 3) uint8 -> (n, S / 4, S / 4, 3) in 0-1."""
    side = pictures.shape[1] // cell
    cut = pictures[:, : side * cell, : side * cell]
    return np.stack([p.reshape(side, cell, side, cell, 3).mean(axis=(1, 3), dtype=np.float32) for p in cut]) / 255


class LookAxes(nn.Module):
    """Reads looks off the direction of v_f, along axes of fixed length, so that each takes a fixed share of it."""

    def __init__(self, feature_dim: int, lengths: Tensor):
        super().__init__()
        self.axes = nn.Parameter(torch.randn(len(lengths), feature_dim))
        self.bias = nn.Parameter(torch.zeros(len(lengths)))
        self.register_buffer("lengths", lengths)

    def forward(self, v_f: Tensor) -> Tensor:
        """(B, feature_dim) -> (B, K), in standard deviations."""
        along = nn.functional.normalize(v_f) @ nn.functional.normalize(self.axes).T
        return along / self.lengths + self.bias
