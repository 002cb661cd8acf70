"""The command ``s2f study ablation``: an ablation by its design, in two stages, over days if need be."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from s2f_lib import io
from s2f_lib.metrics.similarity import angle_deg
from s2f_lib.studies.ablation import outcome, runs
from s2f_lib.studies.ablation.design import Design, load
from s2f_lib.training import validate


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    p = argparse.ArgumentParser(prog="s2f study ablation", description="Losses against each other, fairly.")
    p.add_argument("--design", default="loss_ablation", help="name of a design, or a .json file")
    p.add_argument("--only", nargs="*", help="these variants only; the record is left as it is")
    p.add_argument("--rows", type=Path, help="folder of finished runs, default results/ablation_runs/<design>")
    p.add_argument("--runs", type=Path, default=Path("runs/ablation"), help="folder of checkpoints")
    p.add_argument("--workers", type=int, default=1, help="runs at a time, each on one core")
    p.add_argument("--stage", choices=("search", "main"), default="main", help="where to stop")
    p.add_argument("--list", action="store_true", help="say what is left of the present step, and run nothing")
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing of a study and write its record when every variant is there."""
    options = parser().parse_args(arguments)
    design = load(options.design)
    folder = options.rows or io.results_dir() / "ablation_runs" / design.name
    chosen = list(options.only or design.variants)
    if unknown := sorted(set(chosen) - set(design.variants)):
        raise ValueError(f"no variant named {', '.join(unknown)}; there are {', '.join(design.variants)}")
    complete = not options.only and options.stage == "main"
    if complete and not options.list:
        io.refuse_uncommitted(io.results_dir() / f"{design.name}.json")
    found = read(folder, design)
    while jobs := next_jobs(design, chosen, found, options.stage):
        if options.list:
            print("\n".join(job.name for job in jobs))
            return 0
        for row in runs.run_all(jobs, design, folder, options.runs / design.name, options.workers):
            print(f"{row['job']:80s} {row['failed'] or format(row['angle'], '.2f')}", flush=True)
        found = read(folder, design)
    print(f"{len(found)} runs in {folder}")
    if complete:
        command = io.command_of(parser(), options, left_out=("rows",))
        print(f"→ {write(design, found, command)}")
    return 0


def read(folder: Path, design: Design) -> list[dict]:
    """The rows of all finished runs; ValueError if one was made from something else than the design."""
    return [runs.finished(path, design) for path in sorted(folder.glob("*.json"))]


def next_jobs(design: Design, variants: Sequence[str], found: Sequence[dict], stage: str = "main") -> list:
    """What to run next: the search of every variant, step by step, and then the main runs, seed by seed."""
    if jobs := [job for variant in variants for job in design.search_jobs(variant, found)]:
        return jobs
    if stage == "search":
        return []
    done = {row["job"] for row in found}
    jobs = [job for variant in variants for job in design.main_jobs(variant, found) if job.name not in done]
    return sorted(jobs, key=lambda job: job.seed)  # a study that is broken off has every variant once


def starts(design: Design) -> dict[tuple[str, str], float]:
    """Angle of an answer that hears nothing, by people and what a variant aims at: the mean of the training clips."""
    out = {}
    for aim in sorted({variant.target for variant in design.variants.values()}):
        mean = np.maximum(runs.clips(design.train, aim).mean_feature, 0)  # as `runs.predict` rectifies
        for people in ("validation", "test"):
            v_f = runs.clips(getattr(design, people)).v_f[:].astype(np.float32)
            start = validate.with_direction(np.broadcast_to(mean, v_f.shape), v_f)  # zeros point nowhere
            out[people, aim] = float(angle_deg(start, v_f).mean())
    return out


def write(design: Design, found: Sequence[dict], command: str) -> Path:
    """Write ``results/<design>.json`` from the rows of all runs."""
    validation, test, seeds = design.validation, design.test, ", ".join(map(str, design.search.seeds))
    return io.write_record(
        design.name,
        rows=outcome.rows(design, found, starts(design)),
        command=command,
        n=test.people,
        seeds=design.seeds,
        seconds=sum(row["duration"] for row in found),
        notes=(
            f"{design.question} {design.cells} Settings were chosen with seeds {seeds} on {validation.people} "
            f"validation people of seed {validation.seed}; the main runs are scored on {test.people} people of seed "
            f"{test.seed}. {len(found)} runs."
        ),
    )
