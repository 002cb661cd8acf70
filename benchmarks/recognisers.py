"""Does a recogniser that knows nothing of the generator's causes leave as much of a face to a voice?

    python -m benchmarks.recognisers        # ten minutes on one core; writes results/recognisers.json

The recogniser of this book was trained on the names of synthetic people and also on the causes that made them, and some
of these drive the voice. So its feature may hold what a voice tells more plainly than one trained on names alone would.
Beside it stands dlib's, trained on names of real people, which never saw a synthetic head. Ridge baseline and oracle
learn to predict either feature of the same people; both are compared relative to the mean of the training people's.
"""

from __future__ import annotations

import argparse
import time

from s2f_lib import hub, io, people
from s2f_lib.config import SEEDS
from s2f_lib.evaluate import baselines, dataset
from s2f_lib.metrics import labels, retrieval

RECOGNISERS = ("synthetic-vgg", "dlib")


def main() -> int:
    """Measure and record."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recognisers", description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=1000, help="test people, default 1000")
    parser.add_argument("--train-people", type=int, default=2000, help="people to learn from, default 2000")
    parser.add_argument("--workers", type=int, default=2, help="processes that render and speak, default 2")
    options = parser.parse_args()
    io.refuse_uncommitted("recognisers")
    started, show = time.time(), {"workers": options.workers, "progress": True}
    train = people.sample(options.train_people, "physiology", SEEDS["voice"])
    test = people.sample(options.people, "physiology", SEEDS["test"])
    heard, heard_test = (baselines.clip_features(crowd, **show)[:, 0] for crowd in (train, test))
    table = test.table()
    decade = labels.decade(table["age"].to_numpy(float)).astype(str)
    alike = {None: None, "sex and decade": (table["sex"] + decade).to_numpy(str)}
    rows = []
    for name in RECOGNISERS:
        known, wanted = (dataset.face_features(hub.load(name), crowd, **show)[:, 0] for crowd in (train, test))
        mean = known.mean(axis=0)
        predicted = {
            "ridge baseline": baselines.RidgeBaseline().fit(heard, known).predict(heard_test),
            "sex and decade": baselines.DemographicsOnly(("sex", "decade")).fit(train.table(), known).predict(table),
            "oracle": baselines.Oracle().fit(train.table(), known).predict(table),
        }
        for predictor, guess in predicted.items():
            for within, groups in alike.items():
                ranks = retrieval.rank(guess - mean, wanted - mean, groups=groups)
                of = {"recogniser": name, "predictor": predictor, "within": within}
                rows += retrieval.rows(ranks.where(ranks.size >= 5), **of)
    path = io.write_record(
        io.results_dir() / "recognisers.json",
        command=io.command_of(parser, options, left_out=("workers",)),
        n=options.people,
        rows=rows,
        seeds=[SEEDS["voice"], SEEDS["test"]],
        seconds=time.time() - started,
        notes=f"Learned from {options.train_people} people; features relative to their mean, compared by cosine.",
    )
    print(f"{len(rows)} numbers -> {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
