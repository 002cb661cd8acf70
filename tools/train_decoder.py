"""Train a face decoder: from features of wild pictures to the person's canonical face; then freeze and ship it.

    python -m tools.train_decoder --people 9000 --max-steps 11000 --publish
    python -m tools.train_decoder --people 9000 --max-steps 11000 --init-from decoder-synthetic-vgg --publish
    python -m tools.train_decoder --recogniser dlib --people 2000 --max-steps 4000 --first 800 --components 64 \\
        --init-from decoder-synthetic-vgg --publish
    python -m tools.train_decoder --people 48 --max-steps 20 --out runs/tiny    # a minute or two, to see it run

The second command trains a decoder anew, or on if it has the same shape, behind the f_dec it had: the voice encoder's
loss compares features behind f_dec, so a changed one would want another voice encoder.

The people come from the population seed "decoder": neither the recogniser nor the voice encoder nor the evaluation
has them. Training continues from the last checkpoint in --out; --publish puts the result where `hub` finds it.

Three losses, as in Cole et al. (2017): mean absolute error of the texture (in the mean person's shape), squared error
of the landmarks, and the negative cosine between a recogniser's feature of the rendered face and of the true one; and
a fourth, the error of the texture within each octave of detail. The recogniser in the third one is always
`synthetic-vgg`, because dlib's has no gradients.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from s2f_lib import cli, config, hub, io, people
from s2f_lib.faces.decoder import LANDMARK_UNIT, LOGIT_EPS, DecoderShape, FaceDecoder, to_mean_shape
from s2f_lib.faces.recogniser import FaceRecogniser, extract, to_tensor
from s2f_lib.people import fingerprint
from s2f_lib.training.settings import LoopConfig
from tools import face_training
from tools.pictures import PictureSet, quick_quality, rendered

__all__ = ["DecoderConfig", "Examples", "decoder_loss", "main", "prepare", "train"]


@dataclasses.dataclass(frozen=True)
class DecoderConfig(LoopConfig):
    """Settings of one training run; saved beside its checkpoint."""

    recogniser: str = "synthetic-vgg"  # whose features are decoded
    people: int = 3000  # of the population seed "decoder"
    items: int = 2  # wild pictures of each
    picture_size: int = 112  # pixels, of wild and canonical pictures
    init_from: str = ""  # a shipped decoder: of this recogniser, to improve what follows f_dec; of another, as a start
    first: int = 1000  # outputs of f_dec
    components: int = 72  # learned pictures; fewer make a smaller file
    max_steps: int = 2600
    batch_size: int = 32
    learning_rate: float = 3e-4  # AdamW, at its peak; a larger one unlearns the regression that training starts from
    weight_decay: float = 0.02
    beta2: float = 0.999
    weight_texture: float = 1.0  # mean absolute error, colours in 0-1
    weight_detail: float = 1.0  # the same error band by band, fine ones as much as coarse ones
    weight_landmarks: float = 300.0  # mean squared error, in squared picture widths
    weight_identity: float = 0.1  # of 1 - cosine
    identity_share: float = 0.25  # part of each batch that is rendered for the identity loss, the costly one


class Examples(NamedTuple):
    """What training draws from, row by row one person."""

    features: np.ndarray  # (n, items, D) float16, of wild pictures
    landmarks: Tensor  # (n, 68, 2), true, of the canonical picture
    textures: np.ndarray  # (n, S, S, 3) uint8, canonical pictures warped to the mean shape
    identity: np.ndarray  # (n, D') float16, the critic's feature of the true canonical picture
    mean_landmarks: Tensor  # (68, 2)
    first_layer: np.ndarray | None = None  # (n, 1000), f_dec of the decoder to start from, for the same people


def decoder_loss(decoder: FaceDecoder, v_f: Tensor, truth: dict, critic: FaceRecogniser, settings) -> dict[str, Tensor]:
    """The three terms by name, and their weighted sum as "loss".

    Parameters
    ----------
    decoder : FaceDecoder
    v_f : Tensor, shape (B, D)
    truth : dict
        ``landmarks`` (B, 68, 2), ``texture`` (B, 3, S, S) and ``identity`` (B, D').
    critic : FaceRecogniser
        Differentiable.
    settings : DecoderConfig
    """
    landmarks, texture = decoder.landmarks_and_texture(v_f)
    rendered_count = max(1, round(settings.identity_share * len(v_f)))
    image = decoder.render(landmarks[:rendered_count], texture[:rendered_count])
    same = nn.functional.cosine_similarity(critic(image).v_f, truth["identity"][:rendered_count])
    terms = {
        "texture": (texture - truth["texture"]).abs().mean(),
        "detail": detail_error(texture - truth["texture"]),
        "landmarks": (landmarks - truth["landmarks"]).square().mean(),
        "identity": 1 - same.mean(),
    }
    return terms | {"loss": sum(getattr(settings, f"weight_{name}") * term for name, term in terms.items())}


def detail_error(difference: Tensor, bands: int = 4) -> Tensor:
    """Mean absolute difference within each octave of detail, summed over the finest octaves: (B, C, H, W) -> scalar.

    Most of what differs between two faces' pictures is the tone of the skin; a plain error leaves eyebrows and lids
    to whatever is left of the gradient, and they come out soft.
    """
    total = difference.new_zeros(())
    for _ in range(bands):
        coarse = nn.functional.avg_pool2d(difference, 2)
        total = total + (difference - nn.functional.interpolate(coarse, scale_factor=2)).abs().mean()
        difference = coarse
    return total


def prepare(settings: DecoderConfig, data: Path, workers: int = 2, device: str = "cpu") -> Examples:
    """Render people, extract their features, and warp their canonical pictures to the mean shape.

    Pictures are kept in `data`; features and textures in the cache, by all that they were made from.
    """
    population = people.sample(settings.people, seed=config.SEEDS["decoder"])
    how = {"size": settings.picture_size, "workers": workers}
    canonical = rendered(data / "decoder-canonical", population, kind="canonical", **how)
    wild = rendered(data / "decoder-wild", population, kind="wild", items=range(settings.items), **how)
    landmarks = torch.from_numpy(np.array(canonical.landmarks[:, 0]))
    start = hub.load(settings.init_from) if settings.init_from else None
    mean = start.mean_landmarks if start else landmarks.mean(dim=0)
    faces = [fingerprint.face_key(population), settings.picture_size]

    def features_of(name: str, items: object, pictures: np.ndarray) -> np.ndarray:
        def make() -> np.ndarray:
            return extract(hub.load(name, device), pictures, progress=True)[0].astype(np.float16)

        return io.cache.array("tools/features", [_checksum(name), *faces, items], make, mmap=True)

    features = features_of(settings.recogniser, settings.items, wild.pictures)
    identity = features_of("synthetic-vgg", "canonical", canonical.pictures[:, 0])
    textures = io.cache.array(
        "tools/textures",
        [_checksum(settings.init_from), *faces],
        lambda: _textures(canonical, landmarks, mean, device),
        mmap=True,
    )
    if settings.init_from in ("", f"decoder-{settings.recogniser}"):
        return Examples(features, landmarks, textures, identity, mean)
    known = features_of(settings.init_from.removeprefix("decoder-"), settings.items, wild.pictures)
    with torch.no_grad():
        first_layer = start.f_dec(torch.from_numpy(np.array(known, dtype=np.float32)).mean(dim=1)).numpy()
    return Examples(features, landmarks, textures, identity, mean, first_layer)


def _checksum(name: str) -> str:
    """The checksum of weights in the hub, or the name of those that a package brings; "" for none."""
    return (hub.describe(name).get("sha256") or name) if name else ""


@torch.no_grad()
def _textures(canonical: PictureSet, landmarks: Tensor, mean: Tensor, device: str, batch: int = 64) -> np.ndarray:
    textures = np.empty_like(canonical.pictures[:, 0])
    for start in range(0, len(textures), batch):
        part = slice(start, start + batch)
        pictures = face_training.to_device(canonical.pictures[part, 0], device)
        warped = to_mean_shape(pictures, landmarks[part].to(device), mean.to(device))
        textures[part] = (warped * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return textures


@torch.no_grad()
def start_from_statistics(decoder: FaceDecoder, examples: Examples) -> None:
    """Let f_dec whiten the features, and start from the mean person and a regression behind it.

    The rows of f_dec begin as the principal directions of the features, scaled to unit variance; where there are
    fewer directions than rows (dlib), the rest are random mixtures of them.
    """
    features = torch.from_numpy(np.array(examples.features, dtype=np.float32)).flatten(0, 1)
    mean = features.mean(dim=0)
    rank = min(decoder.shape.first, features.shape[1], len(features) - 1)
    torch.manual_seed(0)
    _, values, directions = torch.svd_lowrank(features - mean, q=rank, niter=2)
    variance = values.square() / len(features)
    rows = (directions / (variance + 0.03 * variance.mean()).sqrt()).T
    if rank < decoder.shape.first:
        mixing = torch.randn(decoder.shape.first - rank, rank, generator=torch.Generator().manual_seed(0)) / rank**0.5
        rows = torch.cat([rows, mixing @ rows])
    decoder.f_dec.weight.copy_(rows)
    decoder.f_dec.bias.copy_(-rows @ mean)
    start_from_regression(decoder, examples)


@torch.no_grad()
def start_from_regression(decoder: FaceDecoder, examples: Examples, ridge: float = 0.02, some: int = 2500) -> None:
    """Set the mean person; let the straight lines begin as a ridge regression from f_dec, the branches near nothing.

    The learned pictures begin as the principal components of the textures of the first people, before the sigmoid.
    """
    decoder.mean_landmarks.copy_(examples.mean_landmarks)
    decoder.mean_texture.copy_(to_tensor(np.asarray(examples.textures).mean(0).round().astype(np.uint8)))
    for last in (decoder.landmark_branch[-1], decoder.texture_branch[-1]):
        last.weight.mul_(0.1)
        last.bias.zero_()
    level = torch.logit(decoder.mean_texture, eps=LOGIT_EPS)

    def changes(rows: np.ndarray) -> Tensor:  # what is to be added before the sigmoid, at half the size
        wanted = torch.logit(to_tensor(np.array(rows)), eps=LOGIT_EPS) - level
        return nn.functional.avg_pool2d(wanted, 2).flatten(1)

    torch.manual_seed(0)
    count = min(decoder.shape.components, len(examples.textures) - 1)  # a handful of people varies in fewer directions
    _, _, directions = torch.svd_lowrank(changes(examples.textures[:some]), q=count, niter=4)
    parts = range(0, len(examples.textures), some)
    weights = torch.cat([changes(examples.textures[i : i + some]) @ directions for i in parts])
    spread = weights.std(dim=0).clamp_min(1e-6)
    decoder.components[:count].copy_((spread * directions).T.reshape(-1, *decoder.components.shape[1:]))
    moved = (examples.landmarks - decoder.mean_landmarks).flatten(1) / LANDMARK_UNIT
    target = torch.cat([moved, weights / spread], dim=1)
    features = torch.from_numpy(np.array(examples.features, dtype=np.float32))
    rows, bias = _ridge(decoder.f_dec(features.flatten(0, 1)), target.repeat_interleave(features.shape[1], 0), ridge)
    for line, begin in ((decoder.landmark_line, 0), (decoder.texture_line, moved.shape[1])):
        part = rows[begin : begin + line.out_features]
        for tensor, values in ((line.weight, part), (line.bias, bias[begin : begin + len(part)])):
            tensor.zero_()[: len(part)] = values


def _ridge(inputs: Tensor, target: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """Weight and bias of a linear layer by ridge regression; ``ridge`` is relative to the mean variance of an input."""
    mean, level = inputs.mean(dim=0), target.mean(dim=0)
    centred = inputs - mean
    gram = centred.T @ centred
    gram += ridge * gram.diagonal().mean() * torch.eye(len(gram))
    rows = torch.linalg.solve(gram, centred.T @ (target - level)).T
    return rows, level - rows @ mean


def start_from_itself(decoder: FaceDecoder, other: FaceDecoder, examples: Examples) -> None:
    """Take a decoder of the same recogniser, or only its f_dec where its shape differs; f_dec stays as it is."""
    if decoder.shape == other.shape:
        decoder.load_state_dict(other.state_dict())
    else:
        decoder.f_dec.load_state_dict(other.f_dec.state_dict())
        start_from_regression(decoder, examples)
    decoder.f_dec.requires_grad_(False)


@torch.no_grad()
def start_from_decoder(decoder: FaceDecoder, other: FaceDecoder, examples: Examples, ridge: float = 0.01) -> None:
    """Take the branches of a trained decoder, and fit f_dec so that both first layers agree on the training people.

    Where f_dec has fewer outputs than the other's, those that its branches listen to most are kept.
    """
    kept = {key: value for key, value in other.state_dict().items() if not key.startswith("f_dec")}
    listeners = (other.landmark_branch[1], other.landmark_line), (other.texture_start, other.texture_line)
    heard = torch.stack([torch.cat([layer.weight for layer in pair]).norm(dim=0) for pair in listeners]).prod(dim=0)
    units = heard.argsort(descending=True)[: decoder.shape.first].sort().values
    for key in ("landmark_branch.1.weight", "texture_start.weight", "landmark_line.weight", "texture_line.weight"):
        kept[key] = kept[key][:, units]
    for key in ("components", "texture_line.weight", "texture_line.bias"):  # the first ones change a face most
        kept[key] = kept[key][: decoder.shape.components]
    decoder.load_state_dict(kept, strict=False)
    features = torch.from_numpy(np.array(examples.features, dtype=np.float32))
    target = torch.from_numpy(examples.first_layer)[:, units].repeat_interleave(features.shape[1], dim=0)
    rows, bias = _ridge(features.flatten(0, 1), target, ridge)
    decoder.f_dec.weight.copy_(rows)
    decoder.f_dec.bias.copy_(bias)


def train(settings: DecoderConfig, out: Path, examples: Examples, device: str = "cpu") -> tuple[FaceDecoder, float]:
    """Train, or continue; gives the decoder and the seconds it took."""
    torch.manual_seed(settings.seed)
    sizes = {"first": settings.first, "components": settings.components}
    decoder = FaceDecoder(DecoderShape(feature_dim=examples.features.shape[-1], **sizes))
    if settings.init_from == f"decoder-{settings.recogniser}":
        start_from_itself(decoder, hub.load(settings.init_from), examples)
    else:
        start_from_statistics(decoder, examples)
        if settings.init_from:
            start_from_decoder(decoder, hub.load(settings.init_from), examples)
    critic = hub.load("synthetic-vgg", device)

    def losses(chosen: np.ndarray, step: int) -> dict[str, Tensor]:
        rng = np.random.default_rng([settings.seed, step])
        v_f, truth = _batch(examples, rng.permutation(chosen), rng, device)
        return decoder_loss(decoder, v_f, truth, critic, settings)

    trainer = face_training.FaceTrainer(decoder, settings, losses, len(examples.landmarks), out, device=device)
    trainer.fit(progress=True)
    return decoder.cpu().freeze(), trainer.seconds


def _batch(examples: Examples, who: np.ndarray, rng: np.random.Generator, device: str) -> tuple[Tensor, dict]:
    """Average the features of one, two, ... randomly chosen pictures of each person, and take the truth along."""
    items = examples.features.shape[1]
    weights = np.zeros((len(who), items), np.float32)
    for row in weights:
        chosen = rng.permutation(items)[: 1 + rng.integers(items) * rng.integers(2)]  # one picture in most cases
        row[chosen] = 1 / len(chosen)
    v_f = (examples.features[who].astype(np.float32) * weights[:, :, None]).sum(axis=1)
    truth = {
        "landmarks": examples.landmarks[who],
        "identity": torch.from_numpy(examples.identity[who].astype(np.float32)),
    }
    truth = {key: value.to(device) for key, value in truth.items()}
    return torch.from_numpy(v_f).to(device), truth | {
        "texture": face_training.to_device(examples.textures[who], device)
    }


def main(arguments: list[str] | None = None) -> int:
    """Run the command; gives the exit status."""
    parser = face_training.command_line(__doc__, DecoderConfig, Path("runs/decoder"), "decoder-<recogniser>", 200)
    options = parser.parse_args(arguments)
    settings = face_training.chosen(options, DecoderConfig)
    torch.set_flush_denormal(True)
    examples = prepare(settings, options.data, options.workers, options.device)
    decoder, seconds = train(settings, options.out, examples, options.device)
    tested_on = people.sample(options.test_people, seed=config.SEEDS["test"])
    how = {"size": settings.picture_size, "workers": options.workers}
    wild = rendered(options.data / f"test-wild-{settings.picture_size}", tested_on, kind="wild", items=(0,), **how)
    canonical = rendered(options.data / f"test-canonical-{settings.picture_size}", tested_on, kind="canonical", **how)
    v_f, _ = extract(hub.load(settings.recogniser), wild.pictures[:, 0])
    metrics = quick_quality(decoder, v_f, canonical)
    return face_training.install(
        options,
        f"decoder-{settings.recogniser}",
        decoder,
        settings,
        metrics,
        seconds,
        shape=dataclasses.asdict(decoder.shape),
        kind="face decoder",
        source="trained here from scratch on computer-made faces; shows no real person",
        command=face_training.command_of("tools.train_decoder", settings),
        builder="s2f_lib.faces.decoder:load_decoder",
        recogniser={"name": settings.recogniser, "sha256": hub.describe(settings.recogniser).get("sha256")},
        init_from=face_training.origin(settings.init_from),
        data={
            "kind": "synthetic people",
            "people": settings.people,
            "seed": config.SEEDS["decoder"],
            "wild": settings.items,
            "canonical": 1,
        },
    )


if __name__ == "__main__":
    sys.exit(cli.guarded(main, "python -m tools.train_decoder"))
