"""What a study found: a table, verdicts with a stated rule, and the record."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from s2f_lib import io
from s2f_lib.io import row
from s2f_lib.metrics.similarity import angle_deg
from s2f_lib.studies.ablation import jobs, outcome, scores
from s2f_lib.studies.ablation.jobs import MAIN, Study
from s2f_lib.training import synthetic

NUMBERS = {"steps_to_target": "steps_to_target", "final_angle_deg": "angle", "gradient_norm_cv": "gradient_norm_cv"}
SEARCH = "rate search"
JUDGED_BY = {"slower": "steps_to_target", "less stable": "gradient_norm_cv", "ends farther": "final_angle_deg"}


def target_angle(results: list[dict], start_deg: float) -> float:
    """The distance that counts for speed: half of the way from the mean feature to the best main variant.

    Where no main variant ends nearer than the mean feature, or all have failed, that is the distance: to be better than
    deaf at all.

    Parameters
    ----------
    results : list of dict
        Of `jobs.run_job`; only those of the variants `MAIN` count.
    start_deg : float
        Angle of the mean face feature, where every run starts.
    """
    ended = [r["final_angle_deg"] for r in results if r["variant"] in MAIN and not r["failed"]]
    best = min(ended, default=start_deg)
    return start_deg - 0.5 * max(0.0, start_deg - best)


def add_speed(results: list[dict], target_deg: float, steps: dict[str, int]) -> list[dict]:
    """Every result with ``steps_to_target`` in steps of 32 clips, so that small batches are not called slow.

    A run that never gets there counts with its whole length: a lower bound, and ``reached`` is False.
    """
    out = []
    for r in results:
        reached = outcome.clips_to(r.get("curve", []), target_deg, 1)
        scale = steps["full"] / steps[r["variant"]]
        never = not np.isfinite(reached)
        out.append(r | {"steps_to_target": (steps[r["variant"]] if never else reached) * scale, "reached": not never})
    return out


def rows(results: list[dict]) -> list[dict]:
    """Mean and standard deviation over seeds of every variant, as rows of the record (``experiment`` "final").

    What a run says of itself goes by `NUMBERS`; its scores, by ``scores``, are rows already, see `scores.score`.
    """
    out = []
    for variant in dict.fromkeys(r["variant"] for r in results):
        mine = [r for r in results if r["variant"] == variant]
        good = [r for r in mine if not r["failed"]]
        of = {"experiment": "final", "variant": variant}
        out += [
            row("runs", len(mine), **of),
            row("learning_rate", mine[0]["rate"], **of),
            row("failed_runs", len(mine) - len(good), **of),
            row("reached", sum(r["reached"] for r in mine), **of),
        ]
        found = [[row(name, r[key]) for key, name in NUMBERS.items() if key in r] for r in good]
        found = [one for r, numbers in zip(good, found, strict=True) for one in (*numbers, *r.get("scores", []))]
        for where in unique({k: v for k, v in one.items() if k != "value"} for one in found):
            values = np.array([one["value"] for one in found if one.items() >= where.items()], float)
            spread = values.std(ddof=1) if len(values) > 1 else None
            ends = {"sd": spread if spread is None else round(spread, 6), "n": len(values)}
            out.append({**where, **of, "value": round(values.mean(), 6), **ends})
        if good:
            out.append(row("spikes", float(np.mean([r["spikes"] for r in good])), **of))
    return out


def unique(conditions: Iterable[dict]) -> list[dict]:
    """Conditions in the order in which they first come, each once."""
    return [dict(items) for items in dict.fromkeys(tuple(one.items()) for one in conditions)]


def table(found: io.Record):
    """The rows of `rows` side by side, one line per variant (pandas.DataFrame)."""
    final = found.select(experiment="final")
    number = final["measure"]
    for name, words in (("k", " {:g} %"), ("seconds", " {:g} s")):
        if name in final:
            number = number.str.cat(final[name].map(words.format, na_action="ignore").fillna(""))
    return final.assign(number=number).pivot_table(index="variant", columns="number", values="value", sort=False)


def verdicts(results: list[dict]) -> list[dict]:
    """Is plain L1 slower and less steady than the full loss, and, beside the paper's claim, does it end farther off?"""
    of = {name: [r for r in results if r["variant"] == name] for name in MAIN}
    out = []
    for question, key in JUDGED_BY.items():
        values = {name: [r[key] for r in runs if key in r] for name, runs in of.items()}
        if min(len(v) for v in values.values()) > 1:
            found = outcome.more(values["l1"], values["full"])
            out.append(row("confirmed", found, experiment="verdicts", question=f"L1 {question}"))
    return out


def write(
    results: list[dict],
    search: list[dict],
    study: Study,
    start_deg: float,
    target_deg: float,
    seconds: float,
    command: str,
) -> Path:
    """Write ``results/loss_ablation.json``: every variant, the search over rates, the curves, the verdicts.

    ``search`` are the shorter runs that chose the learning rates; the curves are over the share of all steps.
    """
    found = [
        row("angle", start_deg, experiment="start", predictor="mean feature"),
        row("target_angle", target_deg, experiment="start"),
        *verdicts(results),
        *rows(results),
        *(
            row("angle", round(run["final_angle_deg"], 6), variant=run["variant"], rate=run["rate"], experiment=SEARCH)
            for run in search
            if "final_angle_deg" in run
        ),
        *scores.curve_rows(results),
    ]
    missing = [name for name in jobs.variants(study.name) if name not in {r["variant"] for r in results}]
    notes = (
        f"{study.people} training speakers with one clip each, {study.validation} held-out with other sentences; "
        f"each variant's learning rate is the best of {', '.join(f'{r:g}' for r in study.rates)} in a shorter run. "
        "Steps to the target angle are steps of 32 clips; a run that never gets there counts in full. "
        "Retrieval and the decoded face's labels are measured on the whole held-out set after training, for 3 and "
        "6 s of sound (labels: 6 s). "
    )
    notes += f"Not run: {', '.join(missing)}." if missing else "Every variant was run."
    clips = sum(r.get("clips", 0) for r in results)
    return io.write_record(
        study.name, command=command, n=study.validation, rows=found, seeds=sorted({r["seed"] for r in results}),
        seconds=seconds, notes=notes + f" {len(results)} runs, {clips} steps.",
    )  # fmt: skip


def main(name: str, only: list[str] | None, workers: int, study: Study | None = None) -> int:
    """Run a study from the command line and print its table; write its record, if every variant was run.

    Raises
    ------
    ValueError
        If there is no such variant, or none of `MAIN` is among those asked for; nothing has been trained then.
    """
    _check(name, only)
    if not only:
        io.refuse_uncommitted(io.results_dir() / f"{name}.json")
    begun = time.perf_counter()
    study = study or Study(name=name)
    folder = Path("runs") / name
    results, search = jobs.run_study(study, folder, only, workers)
    source, validation, _ = jobs.material(study)
    truth = synthetic.PeopleSet(study.validation, 1, seed=synthetic.VALIDATION_SEED, sentences="test").population()
    results = scores.score_runs(results, folder, validation, truth.table())
    start = float(angle_deg(source.mean_feature[None], np.asarray(validation.v_f, np.float32)).mean())
    target = target_angle(results, start)
    results = add_speed(results, target, {k: c.max_steps for k, c in jobs.variants(name).items()})
    print(table(io.Record(rows(results))).round(3).to_string())
    if only:
        print(f"{len(results)} runs; the record is left as it is, since it holds every variant")
        return 0
    scores.write_faces(name, results, folder, validation)
    command = "s2f study ablation"
    seconds = sum(r.get("seconds", 0.0) for r in results) or time.perf_counter() - begun
    path = write(results, search, study, start, target, seconds, command)
    print(f"{len(results)} runs of {len({r['variant'] for r in results})} variants → {path}")
    return 0


def command(arguments: Sequence[str] | None = None) -> int:
    """``s2f study ablation``: every variant of the loss, over seeds and learning rates."""
    parser = argparse.ArgumentParser(prog="s2f study ablation", description=command.__doc__.split(": ")[1])
    parser.add_argument("--only", nargs="*", help="these variants only; the record is left as it is")
    parser.add_argument("--workers", type=int, default=2, help="processes that make synthetic clips (default 2)")
    options = parser.parse_args(arguments)
    return main("loss_ablation", options.only, options.workers)


def _check(name: str, only: list[str] | None) -> None:
    """Refuse variants that there are not, and a choice without the ones that say what speed is."""
    known = jobs.variants(name)
    unknown = [variant for variant in only or () if variant not in known]
    if unknown:
        raise ValueError(f"no variant named {', '.join(unknown)}; there are {', '.join(known)}")
    if only and not set(only) & set(MAIN):
        raise ValueError(f"--only needs {' or '.join(MAIN)} as well: how fast a variant is, is measured against them")
