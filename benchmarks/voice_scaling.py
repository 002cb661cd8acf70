"""How the share of what can be heard grows with the clips an encoder has met, and where that may lead.

    python -m benchmarks.voice_scaling      # about 50 minutes on one core beside making 30,000 speakers; resumes

Every point is a run of its own with the settings of the shipped encoder and its own number of steps, so that in each
the learning rate falls to zero at the end; the last point is the shipped encoder, which may have heard more speakers
than they. All are tested on the same 1,000 people. Share = (voice - chance) / (oracle - chance), in the first
10 %, as in ``results/voice_encoder.json``. Writes ``results/voice_scaling.json``.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from benchmarks.voice_encoder import read_off
from s2f_lib import config, hub, io, training
from s2f_lib.evaluate import baselines
from s2f_lib.io import row
from s2f_lib.metrics import inference, retrieval
from s2f_lib.studies import scaling_law
from s2f_lib.studies.scaling_law import Growth
from s2f_lib.training import people_set, validate

NAME = "voice-encoder-synthetic"
STEPS = (200, 400, 800, 1600, 3200, 6400, 12000)
PAPER_CLIPS = 3 * 1_700_000
LIMITS = np.linspace(0.05, 1.0, 96)  # shares tried as the limit of the bending curve; a share cannot pass 1
WANTED = 0.8  # share at which we would call the hearing nearly as good as the voices allow


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.voice_scaling",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("--people", type=int, default=30_000, help="speakers of every run (default 30000)")
    p.add_argument("--test-people", type=int, default=1000)
    p.add_argument("--runs", type=Path, default=Path("runs/voice_scaling"), help="folder of the runs")
    p.add_argument("--train-only", action="store_true", help="train what is missing and stop")
    p.add_argument("--workers", type=int, default=2)
    return p


def main() -> None:
    """Train the points that are missing, score all, fit, and write the record."""
    options = parser().parse_args()
    begun = time.perf_counter()
    recogniser = hub.load("synthetic-vgg")
    seen = people_set.PeopleSet(options.people, 1)
    source = people_set.source(seen, recogniser, workers=options.workers)
    encoders = {steps * 32: trained(steps, source, options.runs) for steps in STEPS}
    if options.train_only:
        return
    shipped = hub.describe(NAME)
    if shipped.get("init_from"):
        raise SystemExit(f"{NAME} went on from another run, but every point here is a run of its own from the start")
    encoders[shipped["examples_seen"]] = hub.load(NAME)
    unseen = people_set.PeopleSet(options.test_people, 1, seed=config.SEEDS["test"], sentences="test")
    test = people_set.source(unseen, recogniser, workers=options.workers)
    oracle = baselines.Oracle().fit(seen.population().table(), source.v_f.astype(np.float32))
    guesses = {clips: validate.predict(encoder, test) for clips, encoder in sorted(encoders.items())}
    tables = seen.population().table(), unseen.population().table()
    labels = labels_read(guesses, test.v_f.astype(np.float32), source.v_f.astype(np.float32), *tables)
    guesses["oracle"] = oracle.predict(tables[1])
    hits = {key: first_tenth(guess, test.v_f) for key, guess in guesses.items()}
    rows = growth(hits) + labels
    path = io.write_record(
        "voice_scaling", command=io.command_of(parser(), options), n=options.test_people, rows=rows,
        seeds=[0], seconds=time.perf_counter() - begun,
        notes=f"{options.people} speakers, one clip and one picture each ({shipped['data']['people']} in the last "
        f"point); the oracle learns from {options.people}; one run (seed 0) a point. Intervals by "
        "bootstrap over test people, all points from the same draws; they hold no spread over seeds. Log-linear: "
        "straight over the logarithm of the clips; saturating power law: limit - b * clips ** -c. Beyond the last "
        "point both are guesses.",
    )  # fmt: skip
    for one in rows:
        print(one)
    print(f"→ {path}")


def trained(steps: int, source, runs: Path):
    """The encoder of one run, trained now or read from its folder."""
    settings = training.make_config(
        "synthetic-standard", "paper", max_steps=steps, rederive_at=min(300, steps // 4), evaluate_every=steps
    )
    result = training.run(settings, source, **training.frozen_layers(), out_dir=runs / str(steps), progress=True)
    return result.encoder.eval()


def first_tenth(guess: np.ndarray, v_f: np.ndarray) -> np.ndarray:
    """Whether the own face is in the first 10 % of the gallery, per person."""
    return retrieval.rank(guess, v_f.astype(np.float32)).hit_percent(10)


def labels_read(guesses: dict, v_f: np.ndarray, known: np.ndarray, people, others) -> list[dict]:
    """Assigned sex (share right) and age (correlation) read off every encoder's answers, as for the shipped one."""
    found = {clips: read_off(guess, v_f, known, people, others) for clips, guess in guesses.items()}
    return [one | {"clips": clips} for clips, rows in found.items() for one in rows if one["read_from"] == "v_s"]


def growth(hits: dict) -> list[dict]:
    """Shares at every number of clips, both fitted curves, and what they say; intervals over people."""
    clips = sorted(key for key in hits if key != "oracle")
    table = np.column_stack([hits[key] for key in (*clips, "oracle")])
    drawn = [numbers(clips, table[people]) for people in inference.draws(len(table))]
    rows = []
    for i, one in enumerate(numbers(clips, table)):
        values = np.array([draw[i]["value"] for draw in drawn])
        ends = np.percentile(values, (2.5, 97.5)) if np.isfinite(values).all() else (None, None)
        if np.isfinite(one["value"]):
            rows.append(one | {"low": ends[0], "high": ends[1]})
    return rows


def numbers(clips: list[int], table: np.ndarray) -> list[dict]:
    """The rows of one (resampled) table of hits: columns are the encoders, then the oracle; infinite where never."""
    top = table.mean(axis=0)
    share = (top[:-1] - 0.1) / (top[-1] - 0.1)
    found = fit(clips, share)
    straight, bent = {"curve": scaling_law.STRAIGHT}, {"curve": scaling_law.BENT}
    guesses = (straight, found.log_linear(PAPER_CLIPS)), (bent, found.saturating(PAPER_CLIPS))
    return [
        *(row("share_of_oracle", s, clips=n, k=10) for n, s in zip(clips, share)),
        *(row("top_percent", t, clips=n, k=10) for n, t in zip(clips, top)),
        row("top_percent", top[-1], predictor="oracle", k=10),
        row("coefficient", found.intercept, **straight, name="intercept"),
        row("coefficient", found.slope, **straight, name="slope"),
        *(row("coefficient", getattr(found, name), **bent, name=name) for name in ("limit", "b", "c")),
        *(row("share_of_oracle", float(value), **curve, clips=PAPER_CLIPS, k=10) for curve, value in guesses),
        *(
            row("clips_for_share", needed, **curve, share=WANTED)
            for curve, needed in zip((straight, bent), clips_for(found, WANTED))
        ),
    ]


def fit(clips, share) -> Growth:
    """Fit both readings by least squares.

    Parameters
    ----------
    clips, share : array, shape (n,)
        At least four points, of distinct positive numbers of clips.

    Raises
    ------
    ValueError
        With fewer points, or numbers of clips that are not positive.
    """
    clips, share = np.asarray(clips, float), np.asarray(share, float)
    if clips.shape != share.shape or len(np.unique(clips)) < 4 or clips.min() <= 0:
        raise ValueError(f"a growth curve needs at least four points at distinct positive clips, got {clips.tolist()}")
    slope, intercept = np.polyfit(np.log10(clips), share, 1)
    best = (np.inf, float(share.mean()), 0.0, 0.0)
    for limit in LIMITS[share.max() + 1e-3 < LIMITS]:  # for a given limit the rest is a line in logarithms
        power, height = np.polyfit(np.log(clips), np.log(limit - share), 1)
        error = float(np.square(limit - np.exp(height + power * np.log(clips)) - share).sum())
        best = min(best, (error, float(limit), float(np.exp(height)), float(-power)))
    return Growth(float(intercept), float(slope), *best[1:])


def clips_for(growth: Growth, share: float) -> tuple[float, float]:
    """Clips at which the line and the bending curve reach a share; infinite where they never do."""
    hopeful = 10 ** ((share - growth.intercept) / growth.slope) if growth.slope > 0 else np.inf
    careful = (growth.b / (growth.limit - share)) ** (1 / growth.c) if share < growth.limit and growth.c > 0 else np.inf
    return float(hopeful), float(careful)


if __name__ == "__main__":
    main()
