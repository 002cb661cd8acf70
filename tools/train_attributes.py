"""Train `attributes-synthetic`: sex, group and age of a synthetic person, read off the canonical picture.

    python -m tools.train_attributes --data data/faces --publish

It uses the true canonical pictures of the decoder's people (population seed "decoder"), and is tested on people of
the seed "test". A judge of decoded faces only: nothing is trained against it.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from s2f_lib import cli, config, people
from s2f_lib.faces.attributes import GROUPS, SEXES, AttributeNet
from s2f_lib.faces.recogniser import to_tensor
from s2f_lib.training.settings import LoopConfig
from tools import face_training
from tools.pictures import rendered

__all__ = ["AttributeConfig", "agreement", "attribute_loss", "main", "train"]


@dataclasses.dataclass(frozen=True)
class AttributeConfig(LoopConfig):
    """Settings of one training run."""

    people: int = 3000
    picture_size: int = 112  # pixels; the same pictures as the decoder's
    max_steps: int = 600
    batch_size: int = 64
    learning_rate: float = 3e-3  # AdamW, at its peak
    weight_decay: float = 0.05
    beta2: float = 0.999


def attribute_loss(outputs: tuple[Tensor, Tensor, Tensor], sex: Tensor, group: Tensor, age: Tensor) -> Tensor:
    """Cross-entropy of sex and group, and squared error of age in units of its standard deviation."""
    error = (outputs[2] - age) / AttributeNet.AGE_SD
    return (
        nn.functional.cross_entropy(outputs[0], sex)
        + nn.functional.cross_entropy(outputs[1], group)
        + error.square().mean()
    )


def train(
    settings: AttributeConfig,
    pictures: np.ndarray,
    population: people.Population,
    out: Path | None = None,
    device="cpu",
) -> tuple[AttributeNet, float]:
    """Train on canonical pictures (n, S, S, 3) uint8; gives the frozen network and the seconds."""
    torch.manual_seed(settings.seed)
    network = AttributeNet()
    small = torch.cat([_small(to_tensor(part)) for part in np.array_split(pictures, -(-len(pictures) // 256))])
    sex = torch.tensor([SEXES.index(s) for s in population.sex], device=device)
    group = torch.tensor([GROUPS.index(g) for g in population.group], device=device)
    age = torch.from_numpy(population.age).float().to(device)

    def losses(chosen: np.ndarray, step: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
        outputs = network(_varied(small[chosen], generator).to(device))
        return {"loss": attribute_loss(outputs, sex[chosen], group[chosen], age[chosen])}

    trainer = face_training.FaceTrainer(network, settings, losses, len(pictures), out, device=device)
    trainer.fit(progress=out is not None)
    return network.cpu().eval().requires_grad_(False), trainer.seconds


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
    network, seconds = train(settings, canonical.pictures[:, 0], trained_on, options.out, options.device)
    tested_on = people.sample(options.test_people, seed=config.SEEDS["test"])
    truth = rendered(options.data / f"test-canonical-{settings.picture_size}", tested_on, **how)
    metrics = agreement(network, to_tensor(truth.pictures[:, 0]), tested_on)
    return face_training.install(
        options,
        "attributes-synthetic",
        network,
        settings,
        metrics,
        seconds,
        kind="attribute classifier",
        source="trained here from scratch on computer-made faces; for those only",
        command=face_training.command_of("tools.train_attributes", settings),
        builder="s2f_lib.faces.attributes:load_attributes",
        data={"kind": "synthetic people", "people": settings.people, "seed": config.SEEDS["decoder"], "canonical": 1},
    )


if __name__ == "__main__":
    sys.exit(cli.guarded(main, "python -m tools.train_attributes"))
