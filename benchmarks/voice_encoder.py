"""The shipped voice encoder on people it never heard, beside the best anybody could do with those voices.

    python -m benchmarks.voice_encoder                  # about 20 minutes on 2 cores the first time, 5 from the cache
    python -m benchmarks.voice_encoder --null 1500      # also trains the quick preset in the null world

Writes ``results/voice_encoder.json``.

Test: people of the test seed, one clip each, sentences that training never contains. Retrieval by cosine among their
own wild pictures. The *perfect listener* predicts v_f from the true parameters of the voice and the language
(`evaluate.ceilings`), learned from the same people that the encoder was trained on, those of its last run.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from s2f_lib import config, hub, io, training
from s2f_lib.evaluate import appearance, baselines, data
from s2f_lib.metrics import inference, retrieval, similarity
from s2f_lib.studies import probing
from s2f_lib.training import synthetic, validate

NAME = "voice-encoder-synthetic"


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.voice_encoder",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("--test-people", type=int, default=1000)
    p.add_argument("--people", type=int, help="people the baselines learn from (default: those of the encoder)")
    p.add_argument("--null", type=int, default=0, metavar="PEOPLE", help="also train in the null world")
    p.add_argument("--workers", type=int, default=2)
    return p


def main() -> None:
    """Measure and write the record."""
    options = parser().parse_args()
    begun = time.perf_counter()
    recogniser, encoder = hub.load("synthetic-vgg"), hub.load(NAME)
    shipped = hub.describe(NAME)
    people = options.people or shipped["data"]["people"]
    seen = synthetic.PeopleSet(people, 1, shipped["data"]["seed"])
    unseen = synthetic.PeopleSet(options.test_people, 1, seed=config.SEEDS["test"], sentences="test")
    known = synthetic.face_targets(seen, recogniser, workers=options.workers)
    test = synthetic.source(unseen, recogniser, workers=options.workers)
    v_f, known_v_f = test.v_f.astype(np.float32), known.v_f.astype(np.float32)
    guesses = {
        "voice": validate.predict(encoder, test),
        "mean_feature": similarity.mean_feature(known_v_f, len(v_f)),
        **reference_guesses(seen, unseen, known_v_f),
    }
    metrics, intervals = scores(guesses, v_f)
    tables = seen.population().table(), unseen.population().table()
    metrics |= read_off(guesses["voice"], v_f, known_v_f, *tables)
    metrics |= decoded(guesses["voice"], v_f, tables[1])
    metrics["clips_seen"] = shipped["examples_seen"]
    metrics |= {f"validation_top10_at_{clips}_clips": top10 for clips, _, top10 in shipped.get("curve", [])}
    if options.null:
        metrics |= null_world(options.null, options.test_people, recogniser, options.workers)
    path = io.write_record(
        "voice_encoder", command=io.command_of(parser(), options), n=len(v_f), metrics=metrics, intervals=intervals,
        seconds=time.perf_counter() - begun, notes="Chance: top-10 % 10, top-1 % 1. "
        f"Baselines and the perfect listener learn from {people} people, one picture each. "
        "share_of_recoverable = (voice - chance) / (perfect listener - chance), in top-10 %. The curve over clips is "
        "that of one run whose learning rate falls to zero at its end. "
        "sex_read and age_read_r are read off v_s by a ridge regression learned from faces; male is what reads "
        "above the test people's median." + ("" if options.null else " The null world was not run."),
    )  # fmt: skip
    for key in sorted(metrics):
        print(f"{key:44s} {metrics[key]:10.3f}")
    print(f"→ {path}")


def reference_guesses(seen: synthetic.PeopleSet, unseen: synthetic.PeopleSet, v_f: np.ndarray) -> dict[str, np.ndarray]:
    """What demographics alone and a perfect listener predict for the test people."""
    people, others = seen.population().table(), unseen.population().table()
    demographics = baselines.DemographicsOnly().fit(people, v_f)
    listener = baselines.PerfectListener().fit(people, v_f)
    print(f"perfect listener: {listener.chosen_}, {listener.scores_}", flush=True)
    return {"demographics": demographics.predict(others), "perfect_listener": listener.predict(others)}


def scores(guesses: dict[str, np.ndarray], v_f: np.ndarray) -> tuple[dict, dict]:
    """Retrieval and angle of every predictor; intervals by bootstrap over people."""
    metrics, intervals = {}, {}
    for name, guess in guesses.items():
        ranks = retrieval.rank(guess, v_f)
        tail = "" if name == "voice" else f"_{name}"
        head = "" if name == "voice" else f"{name}_"
        angle = inference.mean_interval(similarity.angle_deg(guess, v_f))
        metrics[f"angle_deg{tail}"], intervals[f"angle_deg{tail}"] = angle.estimate, (angle.low, angle.high)
        for percent in (1, 5, 10):
            hits = inference.mean_interval(100 * ranks.hit_percent(percent))
            key = f"{head}top{percent}_percent"
            metrics[key], intervals[key] = hits.estimate, (hits.low, hits.high)
        metrics[f"{head}median_rank_percent"] = 100 * ranks.median() / len(v_f)
    gain = metrics["perfect_listener_top10_percent"] - 10
    metrics["share_of_recoverable"] = (metrics["top10_percent"] - 10) / gain
    return metrics, intervals


def read_off(v_s: np.ndarray, v_f: np.ndarray, known: np.ndarray, people, others) -> dict[str, float]:
    """Assigned sex and age on axes of the feature space learned from 3,000 faces: read off the voice, and the face.

    Half of the test people are men, so whoever reads above their median counts as one.
    """
    out = {}
    for name, truth in (("sex", people["sex"] == "male"), ("age", people["age"])):
        axis = probing.axis_of(known[:3000], truth.to_numpy(float)[:3000])
        for tail, feature in (("", v_s), ("_face", v_f)):
            guess = axis.read(feature)
            if name == "sex":
                out[f"sex_read{tail}"] = float(((guess > np.median(guess)) == (others["sex"] == "male")).mean())
            else:
                out[f"age_read_r{tail}"] = float(np.corrcoef(guess, others["age"])[0, 1])
    return out


def decoded(v_s: np.ndarray, v_f: np.ndarray, people) -> dict[str, float]:
    """Assigned sex and age as a frozen classifier reads them off the decoded face: from the voice, and from v_f."""
    decoder, reader = hub.load("decoder-synthetic-vgg"), hub.load("attributes-synthetic")
    out = {}
    for tail, feature in (("", v_s), ("_f2f", v_f)):
        labels = appearance.read(reader, data.decode(decoder, feature)[0])
        out[f"sex_right{tail}"] = float((labels["sex"].to_numpy() == people["sex"].to_numpy()).mean())
        out[f"age_r{tail}"] = float(np.corrcoef(labels["age"], people["age"])[0, 1])
    return out


def null_world(people: int, test_people: int, recogniser, workers: int) -> dict[str, float]:
    """Train the quick preset where no voice knows any face: its retrieval has to be chance."""
    seen = synthetic.PeopleSet(people, 1, world="null")
    unseen = synthetic.PeopleSet(test_people, 1, seed=config.SEEDS["test"], world="null", sentences="test")
    source, test = (synthetic.source(which, recogniser, workers=workers) for which in (seen, unseen))
    settings = training.make_config("quick", "normalized", max_steps=300, seconds=3.0)
    run = training.run(settings, source)
    hits = 100 * retrieval.rank(validate.predict(run.encoder, test), test.v_f.astype(np.float32)).hit_percent(10)
    return {"null_top10_percent": float(hits.mean()), "null_clips_seen": settings.max_steps * settings.batch_size}


if __name__ == "__main__":
    main()
