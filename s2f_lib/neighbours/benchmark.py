"""One protocol for whoever matches voices with faces: ``s2f benchmark make`` and ``s2f benchmark score``.

A benchmark is a folder with ``clips/`` and ``faces/``, ``key.csv`` (which face is whose, and the labels of people),
``trials.csv`` (faces of others that a clip is verified against) and ``baselines.json``. An entry is one CSV with a row
for each clip and each face, its name and then its numbers; the cosine of two rows is their similarity. 1:2 and 1:N
matching are taken over every line-up that a restriction allows, verification over the trials that are listed.
"""

import argparse
import re
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from s2f_lib import io
from s2f_lib.config import SEEDS
from s2f_lib.corpus import shards, voxceleb
from s2f_lib.evaluate import baselines, dataset
from s2f_lib.io import row
from s2f_lib.metrics import inference, labels, retrieval, similarity, verification
from s2f_lib.people.population import sample

OTHERS = 5  # faces of other people that a clip is verified against, for each restriction
INITIALS = "ABCDE"  # of the people whom Wen et al. (2019) keep for validation and test
UTTERANCE = re.compile(r"(id\d{5})/([\w-]{11})/(\d{5})\.wav")


def key_of(population, seed: int) -> pd.DataFrame:
    """One row per person: names of clip and face (numbered in another order), and sex, decade and language."""
    n = len(population)
    face = np.random.default_rng(seed).permutation(n)
    told = {"clip": [f"clip{i:05d}" for i in range(n)], "face": [f"face{i:05d}" for i in face]}
    told |= {"sex": population.sex, "decade": labels.decade(population.age), "language": population.language}
    return pd.DataFrame(told).astype(str)


def restrictions(key: pd.DataFrame) -> dict[str | None, np.ndarray | None]:
    """Groups (N,) inside which voices and faces are compared: everybody, by each label of the key, by all of them."""
    names = [*key.columns[2:]]
    groups = {None: None} | {name: key[name].to_numpy(str) for name in names}
    together = f"{', '.join(names[:-1])} and {names[-1]}"
    return groups | {together: key[names].astype(str).agg("|".join, axis=1).to_numpy(str)}


def trials(key: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Columns clip, face, within: `OTHERS` faces of other people for each clip and restriction, drawn at random.

    They are drawn with replacement; a clip whose restriction leaves nobody else has none there.
    """
    rng, parts = np.random.default_rng([seed, 1]), []
    for within, groups in restrictions(key).items():
        codes = np.zeros(len(key), int) if groups is None else np.unique(groups, return_inverse=True)[1]
        for code in range(codes.max() + 1):
            members = np.flatnonzero(codes == code)
            if len(members) < 2:
                continue
            own = np.arange(len(members))[:, None]
            other = (own + rng.integers(1, len(members), (len(members), OTHERS))) % len(members)
            clip = np.repeat(members, OTHERS)
            parts.append(pd.DataFrame({"clip": clip, "face": members[other].ravel(), "within": within or ""}))
    found = pd.concat(parts)
    return found.assign(clip=key["clip"].to_numpy()[found["clip"]], face=key["face"].to_numpy()[found["face"]])


def score(clips: np.ndarray, faces: np.ndarray, key: pd.DataFrame, listed: pd.DataFrame, **conditions: Any) -> list:
    """Every number of the protocol with its interval over people, as rows of a record.

    Parameters
    ----------
    clips, faces : np.ndarray, shape (N, D)
        In the order of the rows of ``key``.
    key, listed : pandas.DataFrame
        Of `key_of` and `trials`.
    **conditions
        Columns of the rows, ``predictor="..."``.
    """
    clip, face = (pd.Series(np.arange(len(key)), index=key[name]) for name in ("clip", "face"))
    clips, faces = similarity.unit(clips, "clips"), similarity.unit(faces, "faces")
    own, out = (clips * faces).sum(axis=1), []
    for within, groups in restrictions(key).items():
        of = conditions | {"within": within}
        ranks = retrieval.rank(clips, faces, groups=groups)
        ranks = ranks.where(ranks.size > 1)
        out += retrieval.rows(ranks, percents=(10,), ks=(1,), **of)
        out += [one | {"predictor": "chance"} for one in retrieval.chance_rows(ranks, (10,), (1,), **of)]
        pairs = listed[listed["within"].fillna("") == (within or "")]
        i, j = clip[pairs["clip"]].to_numpy().reshape(-1, OTHERS), face[pairs["face"]].to_numpy().reshape(-1, OTHERS)
        wrong = np.einsum("nd,nkd->nk", clips[i[:, 0]], faces[j])
        for measure, statistic in (("auc", verification.auc), ("equal_error_rate", verification.equal_error_rate)):
            drawn = inference.bootstrap(lambda s, d, f=statistic: f(s, d.ravel()), own[i[:, 0]], wrong, times=200)
            out += [row(measure, drawn, **of), row(measure, 0.5, **of | {"predictor": "chance"})]
    return out


def read_entry(path: str | Path, key: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Features of clips and faces, (N, D) each in the order of the key, from an entry's CSV.

    Raises
    ------
    ValueError
        With the line: a name that is unknown or comes twice, too few or too many numbers, text, NaN, only zeros, or a
        file that ends too early.
    """
    missing = dict.fromkeys([*key["clip"], *key["face"]])
    found: dict[str, np.ndarray] = {}
    with Path(path).open(encoding="utf-8-sig") as file:
        head = file.readline().rstrip("\n").split(",")
        if head[0].strip() != "id" or len(head) < 2:
            raise ValueError(f"{path}, line 1: wanted 'id,1,2,...', got {','.join(head)[:60]!r}")
        for number, line in enumerate(file, 2):
            name, *texts = line.rstrip("\n").split(",")
            where = f"{path}, line {number}"
            if name not in missing:
                raise ValueError(f"{where}: {name[:40]!r} " + ("comes twice" if name in found else "is not in the key"))
            if len(texts) != len(head) - 1:
                raise ValueError(f"{where}: {len(texts)} numbers, the first line announces {len(head) - 1}")
            try:
                values = np.array([float(text) for text in texts], np.float32)
            except ValueError as error:
                raise ValueError(f"{where}: {error}") from error
            if not np.isfinite(values).all() or not values.any():
                raise ValueError(f"{where}: numbers must be finite and not all zero")
            found[name] = values
            del missing[name]
    if missing:
        raise ValueError(
            f"{path} ends at line {len(found) + 1}: {len(missing)} are missing, first {next(iter(missing))}"
        )
    return np.stack([found[name] for name in key["clip"]]), np.stack([found[name] for name in key["face"]])


def baseline_features(train: pd.DataFrame, v_f: np.ndarray, test: pd.DataFrame, null: tuple) -> dict[str, np.ndarray]:
    """What is predicted without hearing anything, by name, (N, D) each.

    ``null`` holds the tables of the same training and test people in the world without arrows from face to voice: its
    oracle knows every parameter of a voice, and nothing of the face.
    """
    told = {"sex alone": ("sex",), "sex and decade": ("sex", "decade"), "demographics": baselines.KEYS}
    out = {name: baselines.DemographicsOnly(keys).fit(train, v_f).predict(test) for name, keys in told.items()}
    out["oracle"] = baselines.Oracle().fit(train, v_f).predict(test)
    return out | {"null": baselines.Oracle().fit(null[0], v_f).predict(null[1])}


def make(folder: Path, n: int, seed: int, world: str, train_n: int, size: int, workers: int) -> None:
    """Write clips, faces, key, trials, rules and the scores of the baselines for ``n`` synthetic people."""
    from PIL import Image

    from s2f_lib import hub, people
    from s2f_lib.people import speech

    started = time.time()
    test, train = sample(n, world, seed), sample(train_n, world, SEEDS["voice"])
    key = _write_lists(folder, key_of(test, seed), seed)
    for name in ("clips", "faces"):
        (folder / name).mkdir(exist_ok=True)
    sound = (clip[0] for part in speech.stream(test, [0], workers, sentences="test") for clip in part)
    pictures = (face[0] for part in people.iterate_pictures(test, (0,), size, workers=workers) for face in part)
    for clip, face, waveform, picture in zip(key["clip"], key["face"], sound, pictures, strict=True):
        (folder / "clips" / f"{clip}.wav").write_bytes(shards.encode("wav", waveform))
        Image.fromarray(picture).save(folder / "faces" / f"{face}.png")
    recogniser = hub.load("synthetic-vgg")
    v_f, known = (dataset.face_features(recogniser, some, workers=workers)[:, 0] for some in (test, train))
    null = sample(train_n, "null", SEEDS["voice"]).table(), sample(n, "null", seed).table()
    predicted, listed = baseline_features(train.table(), known, test.table(), null), pd.read_csv(folder / "trials.csv")
    mean, rows = known.mean(axis=0), []
    for name, v in predicted.items():
        rows += score(v - mean, v_f - mean, key, listed, predictor=name)
    command = f"s2f benchmark make {folder.name} --people {n} --seed {seed} --world {world} --train-people {train_n}"
    seconds = time.time() - started
    io.write_record(folder / "baselines.json", command=command, n=n, rows=unique(rows), seconds=seconds, seeds=[seed])


def make_voxceleb(folder: Path, listing: Path, meta: Path, seed: int) -> None:
    """Write key and trials for VoxCeleb by its public names of clips, without any media.

    ``listing`` is a text that names utterances (``iden_split.txt``), ``meta`` is ``vox1_meta.csv``. Of each person the
    first utterance of one video is the clip, and the middle face crop of another video the face: nothing of a
    recording is shared by both. ValueError if nobody is left.
    """
    known, videos = voxceleb.read_meta(meta), {}
    for speaker, video, number in sorted(UTTERANCE.findall(listing.read_text(encoding="utf-8"))):
        if known.get(speaker, {}).get("name", "")[:1] in tuple(INITIALS):
            videos.setdefault(speaker, {}).setdefault(video, f"{speaker}/{video}/{number}.wav")
    rng, rows = np.random.default_rng(seed), []
    for speaker, clips in videos.items():
        if len(clips) > 1:
            heard, seen = rng.choice(sorted(clips), 2, replace=False)
            told = {"clip": clips[heard], "face": f"{speaker}/{seen}"}
            rows.append(told | {name: known[speaker][name] for name in ("sex", "country")})
    if not rows:
        raise ValueError(f"{listing} names no two videos of a person of {meta} whose name begins with A to E")
    _write_lists(folder, pd.DataFrame(rows), seed)


def _write_lists(folder: Path, key: pd.DataFrame, seed: int) -> pd.DataFrame:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("key.csv", key.to_csv(index=False)), ("trials.csv", trials(key, seed).to_csv(index=False))):
        with io.atomic_write(folder / name, "w") as file:
            file.write(text)
    shutil.copyfile(Path(__file__).with_name("data") / "rules.md", folder / "README.md")
    return key


def unique(rows: list[dict]) -> list[dict]:
    """Rows without those that say the same again: every call of `score` tells the chance levels."""
    return [*{(one["measure"], one["predictor"], one.get("within"), one.get("k")): one for one in rows}.values()]


def table(rows: list[dict]) -> pd.DataFrame:
    """Rows of `score` as a table to print: a line per restriction and predictor, intervals in brackets."""
    names = {("match", 2): "1:2", ("match", 10): "1:10", ("top_percent", 10): "first 10 %", ("auc", None): "AUC"}
    names |= {("equal_error_rate", None): "EER"}
    shown: dict[str, dict[tuple, dict]] = {}
    for one in rows:
        if name := names.get((one["measure"], one.get("k"))):
            within = one.get("within") or "everybody"
            line = shown.setdefault(within, {}).setdefault((within, one["predictor"]), {})
            line[name] = f"{one['value']:.3f}" + (f" [{one['low']:.3f}, {one['high']:.3f}]" if "low" in one else "")
    lines = {place: line for lines in shown.values() for place, line in lines.items()}
    return pd.DataFrame.from_dict(lines, orient="index").fillna("")


def make_main(arguments: list[str] | None = None) -> int:
    """``s2f benchmark make``."""
    p = argparse.ArgumentParser(
        prog="s2f benchmark make", description="Write test clips, faces and trials from a seed."
    )
    p.add_argument("folder", type=Path)
    p.add_argument("--people", type=int, default=1000, help="test people (default %(default)s)")
    p.add_argument("--seed", type=int, default=SEEDS["test"], help="of people and trials (default %(default)s)")
    p.add_argument("--world", default="physiology", help="of the synthetic people (default %(default)s)")
    p.add_argument("--train-people", type=int, default=2000, help="people for the baselines (default %(default)s)")
    p.add_argument("--size", type=int, default=128, help="side of a picture in pixels (default %(default)s)")
    p.add_argument("--voxceleb", nargs=2, type=Path, metavar=("iden_split.txt", "vox1_meta.csv"), help="lists only")
    p.add_argument("--workers", type=int, default=2)
    o = p.parse_args(arguments)
    if o.voxceleb:
        make_voxceleb(o.folder, *o.voxceleb, o.seed)
    else:
        make(o.folder, o.people, o.seed, o.world, o.train_people, o.size, o.workers)
    print(f"{o.folder}: {len(pd.read_csv(o.folder / 'key.csv')):,} people; README.md says what an entry looks like")
    return 0


def score_main(arguments: list[str] | None = None) -> int:
    """``s2f benchmark score``."""
    p = argparse.ArgumentParser(prog="s2f benchmark score", description="The table of an entry, beside the baselines.")
    p.add_argument("scores", type=Path, help="CSV: id, then the numbers of that clip or face")
    p.add_argument("--folder", type=Path, default=Path("benchmark"), help="of s2f benchmark make (default %(default)s)")
    o = p.parse_args(arguments)
    key = pd.read_csv(o.folder / "key.csv", dtype=str)
    rows = score(*read_entry(o.scores, key), key, pd.read_csv(o.folder / "trials.csv"), predictor=o.scores.stem)
    kept = io.read_record(o.folder / "baselines.json")
    print(table(rows + (kept.rows if kept else [])).to_string())
    return 0
