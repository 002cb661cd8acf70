"""Train `synthetic-vgg`: a reduced VGG-Face that tells synthetic people apart, from scratch, then frozen.

VGG-Face saw 2.6 million photographs, and its features order faces by sex, age, ancestry and shape without having been
told to. From some ten thousand pictures that does not happen: trained on names alone, this network gives every person
a direction of its own, and tells people apart by hair and skin. So a second term asks that the direction of v_f also
says what the person looks like (`tools.looks`), and it counts more towards the end, because the names shorten
the axes of what many people share. Names come from fc8 as in VGG-Face; the axes are not shipped.

    python -m tools.train_recogniser --out runs/recogniser
    python -m tools.train_recogniser --out runs/tiny --people 40 --items 3 --max-steps 20   # to see it run

The people come from the population seed "recogniser" and appear nowhere else. Training continues from the last
checkpoint in --out. --publish puts the result where ``hub.load("synthetic-vgg")`` finds it.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from s2f_lib import cli, config, people
from s2f_lib.faces.recogniser import extract
from s2f_lib.faces.vgg import SYNTHETIC_MEAN, SYNTHETIC_SCALE, VGGFace, VGGShape, synthetic_vgg
from s2f_lib.metrics.retrieval import rank
from s2f_lib.metrics.verification import auc_of_pictures, matched_pairs
from s2f_lib.training.settings import LoopConfig
from tools import face_training
from tools.looks import LookAxes, LookConfig, looks_of
from tools.pictures import PictureSet, rendered

__all__ = ["RecogniserConfig", "augmented", "cosface_loss", "main", "quality", "train"]


@dataclasses.dataclass(frozen=True)
class RecogniserConfig(LoopConfig):
    """Settings of one training run; saved beside its checkpoint."""

    people: int = 8000  # identities of the population seed "recogniser"
    items: int = 3  # wild pictures of each; the canonical picture is added as one more
    picture_size: int = 80  # pixels, as rendered
    widths: tuple[int, ...] = (8, 24, 64, 128, 256)  # narrow where the maps are large: full resolution costs there
    first_stride: int = 1
    image_size: int = 80  # pixels, as the network sees them
    fc6: int = 256
    classes: int = 1000  # identities whose row of fc8 is shipped, the first ones
    max_steps: int = 3200
    batch_size: int = 128
    learning_rate: float = 3e-3  # AdamW, at its peak
    weight_decay: float = 0.05
    beta2: float = 0.999
    scale: float = 20.0  # of the cosines, before the softmax
    margin: float = 0.15  # taken off the cosine with the right identity (CosFace)
    weight_looks: float = 3.0  # of the squared error of the looks, in standard deviations
    weight_looks_end: float = 15.0  # the same in the last fifth of the training
    looks: LookConfig = dataclasses.field(default_factory=LookConfig)
    mixed_precision: str = "bf16"  # a third faster, on CPUs that know it too

    @property
    def shape(self) -> VGGShape:
        return VGGShape(self.widths, self.first_stride, self.image_size, self.fc6, 4096, self.people)


def cosface_loss(v_f: Tensor, weight: Tensor, identity: Tensor, scale: float, margin: float) -> Tensor:
    """Softmax over cosines with a margin (Wang et al., 2018): the right identity must win by `margin`.

    (B, D), (C, D), (B,) -> scalar.
    """
    cosines = v_f @ weight.T / (v_f.norm(dim=1, keepdim=True) * weight.norm(dim=1)).clamp_min(1e-6)
    handicap = margin * nn.functional.one_hot(identity, len(weight)).to(cosines)
    return nn.functional.cross_entropy(scale * (cosines - handicap), identity)


def margin_at(step: int, settings: RecogniserConfig) -> float:
    """No margin for a third of the training, while the network learns to see anything; then it grows to full size."""
    return settings.margin * min(1.0, max(0.0, 3 * step / settings.max_steps - 1))


def weight_at(step: int, settings: RecogniserConfig) -> float:
    """The weight of the looks: one value for most of the training, another for its last fifth."""
    return settings.weight_looks if 5 * step < 4 * settings.max_steps else settings.weight_looks_end


def augmented(pictures: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Mirror, shift, scale and turn a little, change brightness and contrast: (B, 3, H, W) -> (B, 3, size, size)."""
    count = len(pictures)
    draw = torch.rand(count, 7, generator=generator).to(pictures.device)  # the same numbers on every device
    spread = 2 * draw - 1
    zoom = 0.95 + 0.09 * spread[:, 0]
    turn = 0.08 * spread[:, 1]
    mirror = torch.where(draw[:, 2] < 0.5, -1.0, 1.0)
    theta = torch.zeros(count, 2, 3, device=pictures.device)
    theta[:, 0, 0], theta[:, 0, 1], theta[:, 0, 2] = mirror * zoom * turn.cos(), -zoom * turn.sin(), 0.08 * spread[:, 3]
    theta[:, 1, 0], theta[:, 1, 1], theta[:, 1, 2] = mirror * zoom * turn.sin(), zoom * turn.cos(), 0.08 * spread[:, 4]
    grid = nn.functional.affine_grid(theta, (count, 3, size, size), align_corners=False)
    moved = nn.functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    gain, shift = 1 + 0.15 * spread[:, 5], 0.06 * spread[:, 6]
    return ((moved - 0.5) * gain.view(-1, 1, 1, 1) + 0.5 + shift.view(-1, 1, 1, 1)).clamp(0, 1)


def train(
    settings: RecogniserConfig, out: Path, wild: PictureSet, canonical: PictureSet, device: str = "cpu"
) -> tuple[VGGFace, float]:
    """Train, or continue; gives the plain network (normalisation folded in, fc8 scaled to logits) and the seconds."""
    torch.manual_seed(settings.seed)
    network = VGGFace(settings.shape, batch_norm=True)
    population = people.sample(settings.people, seed=config.SEEDS["recogniser"])
    looks = looks_of(population, canonical, settings.looks)
    values, weights = looks.values.to(device), looks.weights.to(device)
    axes = LookAxes(settings.shape.fc7, looks.lengths)
    both = nn.ModuleDict({"network": network, "axes": axes})
    per_person = wild.pictures.shape[1] + 1

    def losses(chosen: np.ndarray, step: int) -> dict[str, Tensor]:
        who, which = np.divmod(chosen, per_person)
        generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
        pictures = face_training.to_device(_pick(wild, canonical, who, which), device)
        pictures = augmented(pictures, settings.image_size, generator)
        pixels = (pictures * 255 - SYNTHETIC_MEAN) / SYNTHETIC_SCALE
        with trainer.autocast():
            before = network.fc7_before_relu(pixels.contiguous(memory_format=torch.channels_last))
        v_f = torch.relu(before.float())
        identity, margin = torch.from_numpy(who).to(device), margin_at(step, settings)
        terms = {
            "identity": cosface_loss(v_f, network.fc8.weight, identity, settings.scale, margin),
            "looks": ((axes(v_f) - values[identity]).square() @ weights).mean(),
        }
        return terms | {"loss": terms["identity"] + weight_at(step, settings) * terms["looks"]}

    trainer = face_training.FaceTrainer(both, settings, losses, settings.people * per_person, out, device=device)
    trainer.fit(progress=True)
    return _finished(network.eval().cpu(), settings, wild), trainer.seconds


def _pick(wild: PictureSet, canonical: PictureSet, who: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Pictures by person and number; the number after the last wild one is the canonical picture."""
    last = wild.pictures.shape[1]
    return np.stack([wild.pictures[i, k] if k < last else canonical.pictures[i, 0] for i, k in zip(who, which)])


def fold_batch_norm(trained: VGGFace) -> VGGFace:
    """Give the plain network that computes what a trained one with batch normalisation computes in `eval` mode."""
    plain = VGGFace(trained.shape)
    sources = [m for m in trained.features if not isinstance(m, (nn.ReLU, nn.MaxPool2d))]
    targets = [m for m in plain.features if isinstance(m, nn.Conv2d)]
    pairs = [*zip(sources[::2], sources[1::2], targets, strict=True)]
    pairs += [(trained.fc6, trained.bn6, plain.fc6), (trained.fc7, trained.bn7, plain.fc7)]
    with torch.no_grad():
        for layer, norm, target in pairs:
            gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            target.weight.copy_(layer.weight * gain.view(-1, *[1] * (layer.weight.dim() - 1)))
            target.bias.copy_((layer.bias - norm.running_mean) * gain + norm.bias)
    plain.fc8.load_state_dict(trained.fc8.state_dict())
    return plain.eval()


@torch.no_grad()
def _finished(network: VGGFace, settings: RecogniserConfig, wild: PictureSet) -> VGGFace:
    """Fold the normalisation, keep `classes` rows of fc8, and scale them so that logits = scale * cosine on average."""
    plain = fold_batch_norm(network)
    kept = min(settings.classes, settings.people)
    rows = nn.functional.normalize(plain.fc8.weight[:kept])
    shape = dataclasses.replace(settings.shape, classes=kept)
    result = VGGFace(shape)
    state = plain.state_dict() | {"fc8.weight": rows, "fc8.bias": torch.zeros(kept)}
    result.load_state_dict(state)
    some = np.arange(0, settings.people, max(1, settings.people // 256))
    v_f, _ = extract(synthetic_vgg(result), np.ascontiguousarray(wild.pictures[some, 0]))
    result.fc8.weight *= settings.scale / float(np.linalg.norm(v_f, axis=1).mean())
    return result.eval()


def quality(
    network: VGGFace, wild: PictureSet, canonical: PictureSet, population: people.Population
) -> dict[str, float]:
    """Verification and identification on people the network never saw, as ``results/face_pipeline.json`` has them."""
    recogniser = synthetic_vgg(network)
    v_f, _ = extract(recogniser, wild.pictures)
    gallery, _ = extract(recogniser, canonical.pictures[:, 0])
    matched = matched_pairs(population.sex, population.group, population.age)
    return {
        "verification_auc": auc_of_pictures(v_f),
        "verification_auc_matched": auc_of_pictures(v_f, matched),
        "rank1": rank(v_f[:, 0], gallery).recall(1),
    }


def main(arguments: list[str] | None = None) -> int:
    """Run the command; gives the exit status."""
    parser = face_training.command_line(__doc__, RecogniserConfig, Path("runs/recogniser"), "synthetic-vgg", 500)
    options = parser.parse_args(arguments)
    settings = face_training.chosen(options, RecogniserConfig)
    torch.set_flush_denormal(True)
    size, workers = settings.picture_size, options.workers
    trained_on = people.sample(settings.people, seed=config.SEEDS["recogniser"])
    wild = rendered(
        options.data / "recogniser-wild",
        trained_on,
        kind="wild",
        size=size,
        items=range(settings.items),
        workers=workers,
    )
    canonical = rendered(
        options.data / "recogniser-canonical", trained_on, kind="canonical", size=size, workers=workers
    )
    network, seconds = train(settings, options.out, wild, canonical, options.device)
    tested_on = people.sample(options.test_people, seed=config.SEEDS["test"])
    wild = rendered(
        options.data / f"test-wild-{size}", tested_on, kind="wild", size=size, items=range(4), workers=workers
    )
    canonical = rendered(
        options.data / f"test-canonical-{size}", tested_on, kind="canonical", size=size, workers=workers
    )
    metrics = quality(network, wild, canonical, tested_on)
    return face_training.install(
        options,
        "synthetic-vgg",
        network,
        settings,
        metrics,
        seconds,
        shape=dataclasses.asdict(network.shape),
        kind="face recogniser",
        source="trained here from scratch on computer-made faces; identifies no real person",
        command=face_training.command_of("tools.train_recogniser", settings),
        builder="s2f_lib.faces.vgg:load_synthetic_vgg",
        data={
            "kind": "synthetic people",
            "people": settings.people,
            "seed": config.SEEDS["recogniser"],
            "wild": settings.items,
            "canonical": 1,
        },
    )


if __name__ == "__main__":
    sys.exit(cli.guarded(main, "python -m tools.train_recogniser"))
