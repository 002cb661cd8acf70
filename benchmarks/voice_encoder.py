"""The shipped voice encoder on people it never heard, beside the best anybody could do with those voices.

    python -m benchmarks.voice_encoder                  # about 20 minutes on 2 cores the first time, 5 from the cache
    python -m benchmarks.voice_encoder --null 1500      # also trains the quick preset in the null world

Writes ``results/voice_encoder.json``.

Test: people of the test seed, one clip each, sentences that training never contains. Retrieval by cosine among their
own wild pictures. The *oracle* predicts v_f from the true parameters of the voice and the language
(`evaluate.ceilings`), learned from the same people that the encoder was trained on, those of its last run.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from s2f_lib import config, hub, io, training
from s2f_lib.evaluate import appearance, baselines, dataset
from s2f_lib.io import row
from s2f_lib.metrics import inference, retrieval, similarity
from s2f_lib.studies import probing
from s2f_lib.training import people_set, validate

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
    seen = people_set.PeopleSet(people, 1, shipped["data"]["seed"])
    unseen = people_set.PeopleSet(options.test_people, 1, seed=config.SEEDS["test"], sentences="test")
    known = people_set.face_targets(seen, recogniser, workers=options.workers)
    test = people_set.source(unseen, recogniser, workers=options.workers)
    v_f, known_v_f = test.v_f.astype(np.float32), known.v_f.astype(np.float32)
    guesses = {
        "voice": validate.predict(encoder, test),
        "mean feature": similarity.mean_feature(known_v_f, len(v_f)),
        **reference_guesses(seen, unseen, known_v_f),
    }
    rows = scores(guesses, v_f)
    tables = seen.population().table(), unseen.population().table()
    rows += read_off(guesses["voice"], v_f, known_v_f, *tables)
    rows += decoded(guesses["voice"], v_f, tables[1])
    rows.append(row("clips_seen", shipped["examples_seen"], predictor="voice"))
    curve = shipped.get("curve", [])  # the trainer counts in per cent
    rows += [row("top_percent", top10 / 100, split="validation", clips=clips, k=10) for clips, _, top10 in curve]
    if options.null:
        rows += null_world(options.null, options.test_people, recogniser, options.workers)
    path = io.write_record(
        "voice_encoder", command=io.command_of(parser(), options), n=len(v_f), rows=rows,
        seconds=time.perf_counter() - begun,
        notes=f"Baselines and the oracle learn from {people} people, one picture each. "
        "Share of the oracle's gain: (voice - chance) / (oracle - chance), in the first 10 %. The curve over clips is "
        "that of one run whose learning rate falls to zero at its end. "
        "Sex and age are read off v_s and v_f by a ridge regression learned from faces; male is what reads "
        "above the test people's median." + ("" if options.null else " The null world was not run."),
    )  # fmt: skip
    for one in rows:
        print(one)
    print(f"→ {path}")


def reference_guesses(
    seen: people_set.PeopleSet, unseen: people_set.PeopleSet, v_f: np.ndarray
) -> dict[str, np.ndarray]:
    """What demographics alone and an oracle predict for the test people."""
    people, others = seen.population().table(), unseen.population().table()
    demographics = baselines.DemographicsOnly().fit(people, v_f)
    oracle = baselines.Oracle().fit(people, v_f)
    print(f"oracle: {oracle.chosen_}, {oracle.scores_}", flush=True)
    return {"demographics": demographics.predict(others), "oracle": oracle.predict(others)}


def scores(guesses: dict[str, np.ndarray], v_f: np.ndarray) -> list[dict]:
    """Retrieval and angle of every predictor; intervals by bootstrap over people."""
    rows, top10 = [], {}
    for name, guess in guesses.items():
        ranks = retrieval.rank(guess, v_f)
        rows.append(row("angle", inference.mean_interval(similarity.angle_deg(guess, v_f)), predictor=name))
        for k in (1, 5, 10):
            rows.append(row("top_percent", inference.mean_interval(ranks.hit_percent(k)), predictor=name, k=k))
        rows.append(row("median_rank_share", ranks.median() / len(v_f), predictor=name))
        top10[name] = ranks.top_percent(10)
    share = (top10["voice"] - 0.1) / (top10["oracle"] - 0.1)
    return [*rows, row("share_of_oracle", share, predictor="voice", k=10)]


def read_off(v_s: np.ndarray, v_f: np.ndarray, known: np.ndarray, people, others) -> list[dict]:
    """Assigned sex and age on axes of the feature space learned from 3,000 faces: read off the voice, and the face.

    Half of the test people are men, so whoever reads above their median counts as one.
    """
    rows = []
    for name, truth in (("sex", people["sex"] == "male"), ("age", people["age"])):
        axis = probing.linear_probe(known[:3000], truth.to_numpy(float)[:3000])
        for space, feature in (("v_s", v_s), ("v_f", v_f)):
            guess = axis.read(feature)
            if name == "sex":
                right = ((guess > np.median(guess)) == (others["sex"] == "male")).mean()
                rows.append(row("sex_right", right, read_from=space))
            else:
                rows.append(row("age_r", np.corrcoef(guess, others["age"])[0, 1], read_from=space))
    return rows


def decoded(v_s: np.ndarray, v_f: np.ndarray, people) -> list[dict]:
    """Assigned sex and age as a frozen classifier reads them off the decoded face: from the voice, and from v_f."""
    decoder, reader = hub.load("decoder-synthetic-vgg"), hub.load("attributes-synthetic")
    rows = []
    for drawn, feature in (("S2F", v_s), ("F2F", v_f)):
        labels = appearance.read(reader, dataset.decode(decoder, feature)[0])
        right = (labels["sex"].to_numpy() == people["sex"].to_numpy()).mean()
        rows.append(row("sex_right", right, read_from=drawn))
        rows.append(row("age_r", np.corrcoef(labels["age"], people["age"])[0, 1], read_from=drawn))
    return rows


def null_world(people: int, test_people: int, recogniser, workers: int) -> list[dict]:
    """Train the quick preset where no voice knows any face: its retrieval has to be chance."""
    seen = people_set.PeopleSet(people, 1, world="null")
    unseen = people_set.PeopleSet(test_people, 1, seed=config.SEEDS["test"], world="null", sentences="test")
    source, test = (people_set.source(which, recogniser, workers=workers) for which in (seen, unseen))
    settings = training.make_config("quick", "normalized", max_steps=300, seconds=3.0)
    run = training.run(settings, source)
    hits = retrieval.rank(validate.predict(run.encoder, test), test.v_f.astype(np.float32)).hit_percent(10)
    of = {"predictor": "null encoder", "world": "null"}
    clips = settings.max_steps * settings.batch_size
    return [row("top_percent", inference.mean_interval(hits), **of, k=10), row("clips_seen", clips, **of)]


if __name__ == "__main__":
    main()
