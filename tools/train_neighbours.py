"""Train the neighbours of Speech2Face on the same clips, score all of them by one protocol, and write their record.

    python -m tools.train_neighbours

Every method gets the same frozen feature of the voice (what the shipped encoder has in front of its last layer) and
the same people, and is tested on people of the seed "test" by `s2f_lib.neighbours.benchmark`. Face features are taken
in the first `DIRECTIONS` principal directions of the training people's, and compared relative to their mean.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from sklearn.decomposition import PCA, TruncatedSVD

from s2f_lib import cli, faces, hub, io, people
from s2f_lib.config import SEEDS
from s2f_lib.evaluate import appearance, dataset
from s2f_lib.io import row
from s2f_lib.metrics import inference, retrieval
from s2f_lib.neighbours import benchmark, heads
from s2f_lib.people.fingerprint import voice_key
from s2f_lib.training import people_set
from tools import gan

DIRECTIONS = 128  # of face features
SHOWN = 6  # people whose pictures are kept for the page
DRAWS = 3  # pictures that the GAN makes of one clip, for the page
AGAIN = 8  # pictures that the GAN makes of one clip, for the spread


@dataclass(frozen=True)
class Crowd:
    """People as the study sees them; rows are people."""

    which: people_set.PeopleSet
    inside: np.ndarray  # (N, hidden), the frozen feature of the voice
    v_s: np.ndarray  # (N, 4096) of the shipped encoder
    v_f: np.ndarray  # (N, 4096) of a wild picture
    pictures: np.ndarray  # (N, 64, 64, 3) uint8, canonical

    @property
    def table(self):
        """The table of people."""
        return self.which.population().table()


def crowd(which: people_set.PeopleSet, encoder, recogniser, workers: int, progress: bool) -> Crowd:
    """Clips heard and pictures drawn, from the cache where they were before."""
    population = which.population()
    sound = people_set.voices(which, workers=workers, progress=progress)
    made_from = [dataset.fingerprint(encoder), which.sentences, *voice_key(population)]
    heard = io.cache.arrays("neighbours", made_from, lambda: dict(zip(("inside", "v_s"), heads.hear(encoder, sound))))
    v_f = people_set.face_targets(which, recogniser, workers=workers, progress=progress).v_f.astype(np.float32)
    return Crowd(which, heard["inside"], heard["v_s"], v_f, dataset.canonical_faces(population, gan.SIZE, workers)[0])


def as_faces(pictures: np.ndarray) -> torch.Tensor:
    """uint8 pictures to what the GAN draws, (N, 3, 64, 64) in [-1, 1]."""
    return 2 * faces.to_tensor(pictures) - 1


@torch.no_grad()
def drawn(generator: gan.Generator, embedding: torch.Tensor, noise: float = 0.0) -> np.ndarray:
    """Pictures uint8 (N, 64, 64, 3) of voice embeddings."""
    made = [generator(gan.shaken(part, noise)) for part in embedding.split(64)]
    return faces.to_pictures((torch.cat(made) + 1) / 2)


def decoded(decoder, v: np.ndarray) -> np.ndarray:
    """Pictures of features by the frozen decoder, brought to the GAN's size."""
    images = faces.to_tensor(dataset.decode(decoder, v)[0])
    small = torch.nn.functional.interpolate(images, (gan.SIZE, gan.SIZE), mode="bilinear", antialias=True)
    return faces.to_pictures(small)


def picture_rows(name: str, pictures: np.ndarray, truth: np.ndarray, test, reader) -> list[dict]:
    """What is in drawn faces: labels kept, fine detail, and how skin and hair vary beside the truth's."""
    of, said, table = {"predictor": name, "experiment": "pictures"}, appearance.read(reader, pictures), test.table
    right = (said["sex"].to_numpy() == table["sex"].to_numpy()).astype(float)
    out = [row("sex_right", inference.mean_interval(right), **of)]
    pair = (said["age"].to_numpy(), table["age"].to_numpy(float))
    out.append(row("age_r", inference.bootstrap(correlation, *pair, times=300), **of))
    true = appearance.skin_and_hair(truth)
    for attribute in ("skin", "hair"):
        pair = said[attribute].to_numpy(), true[attribute]
        out.append(row("r", inference.bootstrap(correlation, *pair, times=300), **of, attribute=attribute))
        out.append(row("spread_share", float(pair[0].std() / pair[1].std()), **of, attribute=attribute))
    return [*out, row("detail", detail(pictures) / detail(truth), **of)]


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's r; 0 where one side does not vary."""
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 1e-9 and b.std() > 1e-9 else 0.0


def detail(pictures: np.ndarray) -> float:
    """Mean size of the second difference of grey levels: what blurring takes away first."""
    grey = pictures.astype(np.float32).mean(axis=3)
    return float(np.abs(np.diff(grey, n=2, axis=1)).mean() + np.abs(np.diff(grey, n=2, axis=2)).mean())


def identity_rows(name: str, pictures: np.ndarray, truth: np.ndarray, sex: np.ndarray, dlib) -> list[dict]:
    """Is the drawn face recognised as the person's true one by dlib, among everybody and within one sex?"""
    features = [dlib(faces.to_tensor(some)).v_f.numpy() for some in (pictures, truth)]
    out = []
    for within, groups in ((None, None), ("sex", sex)):
        ranks = retrieval.rank(*features, groups=groups, metric="l2")
        ranks = ranks.where(ranks.size > 1)
        of = {"predictor": name, "experiment": "dlib", "within": within}
        out.append(row("match", inference.mean_interval(ranks.match(2)), **of, k=2) | {"n": len(ranks)})
    return out


def run(options: argparse.Namespace) -> tuple[list[dict], dict, dict]:
    """Rows of the record, curves of the trainings, and the pictures for the page."""
    encoder, recogniser, decoder = map(hub.load, ("voice-encoder-synthetic", "synthetic-vgg", "decoder-synthetic-vgg"))
    how = (encoder, recogniser, options.workers, not options.quiet)
    train = crowd(people_set.PeopleSet(options.people, 1), *how)
    test = crowd(people_set.PeopleSet(options.test_people, 1, seed=SEEDS["test"], sentences="test"), *how)
    basis = TruncatedSVD(DIRECTIONS, random_state=0).fit(train.v_f)
    known, target = basis.transform(train.v_f), basis.transform(test.v_f)
    null = [people.sample(c.which.people, "null", c.which.seed).table() for c in (train, test)]
    entries = benchmark.baseline_features(train.table, known, test.table, null)
    entries["Speech2Face"] = basis.transform(test.v_s)
    mean, predicted = known.mean(axis=0), {}
    entries = {name: (v - mean, target - mean) for name, v in entries.items()}
    curves: dict[str, list] = {}
    for name, config in heads.METHODS.items():
        fitted, curves[name] = heads.fit(replace(config, steps=options.head_steps), train.inside, known)
        x, v_f = torch.from_numpy(test.inside), torch.from_numpy(target.astype(np.float32))
        entries[name], predicted[name] = [part.numpy() for part in fitted.compared(x, v_f)], fitted(x).numpy()
    config = gan.GanConfig(steps=options.gan_steps)
    scaled = PCA(config.embedding, random_state=0).fit(train.inside)
    embedding = [torch.from_numpy(scaled.transform(c.inside).astype(np.float32)) for c in (train, test)]
    generator, curves["GAN"] = gan.train(config, embedding[0], as_faces(train.pictures))
    pictures = {"Speech2Face": decoded(decoder, test.v_s), "GAN": drawn(generator, embedding[1])}
    for name in ("regression", "regression + contrastive"):
        pictures[name] = decoded(decoder, basis.inverse_transform(predicted[name]).astype(np.float32))
    for name in ("Speech2Face", "GAN"):
        seen = basis.transform(faces.extract(recogniser, pictures[name])[0])
        entries[f"{name}, its picture"] = seen - mean, target - mean
    key = benchmark.key_of(test.which.population(), test.which.seed)
    listed, rows = benchmark.trials(key, test.which.seed), []
    for name, (clips, others) in entries.items():
        rows += benchmark.score(clips, others, key, listed, predictor=name)
    rows = benchmark.unique(rows)
    reader, sex = hub.load("attributes-synthetic"), test.table["sex"].to_numpy(str)
    few, dlib = slice(0, options.dlib), hub.load("dlib")
    for name, some in {"truth": test.pictures, **pictures}.items():
        rows += picture_rows(name, some, test.pictures, test, reader)
        if name != "truth" and options.dlib:
            rows += identity_rows(name, some[few], test.pictures[few], sex[few], dlib)
    rows += invented_rows(generator, embedding[1], config.noise)
    gap = [retrieval.rank(basis.transform(c.v_s), basis.transform(c.v_f)).top_percent(10) for c in (train, test)]
    rows += [row("top_percent", g, experiment="heard before", split=s, k=10) for g, s in zip(gap, ("train", "test"))]
    kept = {name: some[:SHOWN] for name, some in {"truth": test.pictures, **pictures}.items()}
    kept |= {f"GAN, draw {i + 1}": drawn(generator, embedding[1][:SHOWN], config.noise) for i in range(DRAWS)}
    return rows, curves, kept


def invented_rows(generator: gan.Generator, embedding: torch.Tensor, noise: float) -> list[dict]:
    """How far skin and hair vary between pictures of *one* clip, as a share of how they vary between clips."""
    draws = [appearance.skin_and_hair(drawn(generator, embedding, noise)) for _ in range(AGAIN)]
    out = []
    for attribute in ("skin", "hair"):
        values = np.stack([draw[attribute] for draw in draws])
        share = float(values.std(axis=0).mean() / values.mean(axis=0).std())
        out.append(row("spread_share", share, predictor="GAN", experiment="one clip", attribute=attribute))
    return out


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    p = argparse.ArgumentParser(prog="python -m tools.train_neighbours", description=__doc__.splitlines()[0])
    p.add_argument("--people", type=int, default=2000, help="to learn from (default %(default)s)")
    p.add_argument("--test-people", type=int, default=1000, help="default %(default)s")
    p.add_argument("--head-steps", type=int, default=600, help="of 128 pairs, for each head (default %(default)s)")
    p.add_argument("--gan-steps", type=int, default=2000, help="of 32 faces (default %(default)s)")
    p.add_argument("--dlib", type=int, default=300, help="test people whose faces dlib looks at (default %(default)s)")
    p.add_argument("--workers", type=int, default=2, help="processes that render and speak (default %(default)s)")
    p.add_argument("--quiet", action="store_true", help="no progress bars")
    return p


def main(arguments: list[str] | None = None) -> int:
    """Run the study and write ``results/neighbours.json``; gives the exit status."""
    options, started = parser().parse_args(arguments), time.time()
    io.refuse_uncommitted("neighbours")
    rows, curves, kept = run(options)
    seconds = time.time() - started
    with io.atomic_write(io.results_dir() / "tables" / "neighbours_faces.npz") as file:
        np.savez_compressed(file, **kept)
    notes = (
        f"One clip and one picture of each of {options.people} people. The frozen feature is the shipped "
        "encoder's, which heard these people among its 60,000."
    )
    path = io.write_record(
        "neighbours",
        command=io.command_of(parser(), options),
        n=options.test_people,
        rows=rows,
        tables={name: [step for step in curve if step["step"] % 50 == 0] for name, curve in curves.items()},
        seeds=[SEEDS["test"], SEEDS["voice"]],
        seconds=seconds,
        notes=notes,
    )
    print(f"{len(rows)} numbers in {seconds:.0f} s -> {path}")
    return 0


if __name__ == "__main__":
    sys.exit(cli.guarded(main, "python -m tools.train_neighbours"))
