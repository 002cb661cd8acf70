"""Train `attributes-synthetic`: sex, group and age of a synthetic person, read off the canonical picture.

    python -m tools.train_attributes --data data/faces --ship

It uses the true canonical pictures of the decoder's people (population seed "decoder"), and is tested on people of
the seed "test". A judge of decoded faces only: nothing is trained against it.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from s2f_lib import config, people
from s2f_lib.faces.attributes import GROUPS, SEXES, AttributeNet
from s2f_lib.faces.pictures import rendered
from s2f_lib.faces.recogniser import to_tensor
from tools import face_training

__all__ = ["AttributeConfig", "agreement", "attribute_loss", "main", "train"]


@dataclasses.dataclass(frozen=True)
class AttributeConfig:
    """Settings of one training run."""

    people: int = 3000
    picture_size: int = 112  # pixels; the same pictures as the decoder's
    steps: int = 600
    batch_size: int = 64
    learning_rate: float = 3e-3  # AdamW, at its peak
    weight_decay: float = 0.05
    seed: int = 0


def attribute_loss(outputs: tuple[Tensor, Tensor, Tensor], sex: Tensor, group: Tensor, age: Tensor) -> Tensor:
    """Cross-entropy of sex and group, and squared error of age in units of its standard deviation."""
    error = (outputs[2] - age) / AttributeNet.AGE_SD
    return (
        nn.functional.cross_entropy(outputs[0], sex)
        + nn.functional.cross_entropy(outputs[1], group)
        + error.square().mean()
    )


def train(settings: AttributeConfig, pictures: np.ndarray, population: people.Population) -> AttributeNet:
    """Train on canonical pictures (n, S, S, 3) uint8; gives the frozen network."""
    torch.manual_seed(settings.seed)
    network = AttributeNet()
    small = torch.cat([_small(to_tensor(part)) for part in np.array_split(pictures, -(-len(pictures) // 256))])
    sex = torch.tensor([SEXES.index(s) for s in population.sex])
    group = torch.tensor([GROUPS.index(g) for g in population.group])
    age = torch.from_numpy(population.age).float()
    network.train()

    def losses(chosen: np.ndarray, step: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
        outputs = network(_varied(small[chosen], generator))
        return {"loss": attribute_loss(outputs, sex[chosen], group[chosen], age[chosen])}

    face_training.optimise(network, losses, settings, len(pictures))
    return network.eval().requires_grad_(False)


def _small(images: Tensor) -> Tensor:
    size = (AttributeNet.SIZE, AttributeNet.SIZE)
    return nn.functional.interpolate(images, size, mode="bilinear", antialias=True)


def _varied(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror half of the pictures, blur half of them a little (a decoded face is soft), and shift the brightness."""
    draw = torch.rand(len(images), 3, generator=generator).view(-1, 3, 1, 1, 1)
    images = torch.where(draw[:, 0] < 0.5, images.flip(-1), images)
    soft = nn.functional.avg_pool2d(nn.functional.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    images = torch.where(draw[:, 1] < 0.5, soft, images)
    return (images + 0.06 * (draw[:, 2] - 0.5)).clamp(0, 1)


def agreement(network: AttributeNet, images: Tensor, population: people.Population) -> dict[str, float]:
    """How often the labels are the true ones, and the mean error of the age in years."""
    labels = network.label(images)
    return {
        "sex": float((labels.sex == population.sex).mean()),
        "group": float((labels.group == population.group).mean()),
        "age_mae": float(np.abs(labels.age - population.age).mean()),
    }


def main(arguments: list[str] | None = None) -> int:
    """Run the command; gives the exit status."""
    parser = face_training.command_line(__doc__, AttributeConfig, Path("runs/attributes"), "attributes-synthetic", 500)
    options = parser.parse_args(arguments)
    settings = face_training.chosen(options, AttributeConfig)
    how = {"kind": "canonical", "size": settings.picture_size, "workers": options.workers}
    trained_on = people.sample(settings.people, seed=config.SEEDS["decoder"])
    canonical = rendered(options.data / "decoder-canonical", trained_on, **how)
    start = time.perf_counter()
    network = train(settings, canonical.pictures[:, 0], trained_on)
    seconds = time.perf_counter() - start
    tested_on = people.sample(options.test_people, seed=config.SEEDS["test"])
    truth = rendered(options.data / f"test-canonical-{settings.picture_size}", tested_on, **how)
    metrics = agreement(network, to_tensor(truth.pictures[:, 0]), tested_on)
    for name, value in metrics.items():
        print(f"{name}: {value:.4f}  ({options.test_people} people)")
    entry = {
        "kind": "attribute classifier",
        "licence": "CC0-1.0",
        "source": "trained here from scratch on computer-made faces; for those only",
        "command": face_training.command_of("tools.train_attributes", settings),
        "builder": "s2f_lib.faces.attributes:load_attributes",
        "population_seed": config.SEEDS["decoder"],
        "data": f"{settings.people} people, one canonical picture each",
        "settings": config.to_dict(settings),
        "metrics": metrics | {"test_people": options.test_people},
    }
    if options.ship:
        entry |= face_training.provenance("train_attributes_synthetic", entry, seconds, settings.people)
    folder = None if options.ship else options.out
    path = face_training.ship("attributes-synthetic", network, shape={}, entry=entry, folder=folder)
    print(f"wrote {path}, {path.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
