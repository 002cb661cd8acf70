"""The paper's network on one GPU: numerics, speed, and a real run. Works on a bare machine (torch, numpy, numba).

    python -m benchmarks.gpu_training --minutes 60            # all of it in one go
    python -m benchmarks.gpu_training --dry-run               # the same path on a CPU, tiny; a minute; records nothing

Where a command may last ten minutes only, three of them, on one machine, in this order; the corpus grows in the
background of the first. Numbers, corpus and checkpoints lie in ``runs/gpu``, each part's numbers are written as soon as
they are there, and a call that is killed or out of time is taken up by the next::

    mkdir -p runs/gpu; OMP_NUM_THREADS=1 setsid nice python -m benchmarks.gpu_training --only corpus --workers 12 \\
        --minutes 8 > runs/gpu/corpus.log 2>&1 &
    python -m benchmarks.gpu_training --only floor speed profile numerics --minutes 8.5
    python -m benchmarks.gpu_training --only run --minutes 9
    python -m benchmarks.gpu_training --only run standard ablation --minutes 9

Writes ``results/gpu_training.json`` (speed, numerics) and ``results/gpu_run.json`` (curves and scores of the runs),
or both into the folder that the variable S2F_RESULTS names.

What to expect. About 89 GMAC forward a clip, 0.53 TFLOP for a training step of one clip; at a peak of 800 TFLOP/s
that is 0.67 ms. ReLU and BN behind the first three convolutions, which run at full resolution, are bound by memory: at
3 TB/s their passes take 0.28 ms a clip if every input is read once, and 0.84 ms with one kernel per operation
(`s2f_lib.training.costs`, printed with the measured ceilings before the sweep). So some 1,000 clips/s are the end for
every schedule, 650 for an eager one, and fusing (torch.compile) decides; the formats and the batch come after it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import torch

from benchmarks import gpu_corpus, gpu_numerics, gpu_run, gpu_speed
from benchmarks.gpu_common import CUDA, Session
from s2f_lib import io

PARTS = ("floor", "speed", "profile", "corpus", "numerics", "run", "standard", "ablation")
RESERVE = {"profile": 45, "numerics": 100}  # s that the sweep leaves to the parts behind it
SWEEP = 360.0  # s, the longest sweep
CORPUS_SHARE = 0.3  # of the time left, where a run comes after it


def main(arguments: list[str] | None = None) -> None:
    """Run the parts asked for and write the records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS), help="parts to run (default: all)")
    parser.add_argument("--minutes", type=float, default=9.0, help="length of this call (default 9)")
    parser.add_argument("--run-minutes", type=float, default=13.0, help="length of the real run over all calls")
    parser.add_argument("--ablation-minutes", type=float, default=3.0, help="length of the three runs of the ablation")
    parser.add_argument("--learning-rate", type=float, default=5e-4, help="of the runs (default 5e-4)")
    parser.add_argument("--people", type=int, default=100_000, help="most speakers the corpus can hold: 200 kB each")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes that speak and render")
    parser.add_argument("--folder", type=Path, default=Path("runs/gpu"), help="what the next call goes on from")
    parser.add_argument("--dry-run", action="store_true", help="tiny network, few steps, no record")
    options = parser.parse_args(arguments)
    if options.dry_run:
        dry_run(options)
        return
    if not CUDA and options.only != ["corpus"]:
        raise SystemExit("no GPU here: use --dry-run to check that every part works, or run this on a GPU machine")
    torch.set_float32_matmul_precision("high")
    session = Session(options.folder, 60 * options.minutes)
    for i, name in enumerate(options.only):
        do(name, session, options, rest=options.only[i + 1 :])


def do(name: str, session: Session, options: argparse.Namespace, rest: list[str]) -> bool:
    """One part; False where it is not finished. `rest` are the parts that come after it in this call."""
    print(f"--- {name}, {session.left():.0f} s left", flush=True)
    if name == "speed":
        reserve = sum(RESERVE.get(other, 0) for other in rest)
        gpu_speed.speed(session, max(reserve, session.left() - SWEEP))
    elif name == "corpus":
        share = CORPUS_SHARE if set(rest) & set(gpu_run.RUNS) else 1.0
        gpu_run.corpus(session, options.people, options.workers, share)
    elif name in gpu_run.RUNS:
        if not gpu_corpus.done(session.folder / "corpus", "train"):
            raise SystemExit("there is no corpus to train on: run the part 'corpus' first")
        plan = gpu_run.make_plan(session, options.run_minutes, options.ablation_minutes, options.learning_rate)
        return gpu_run.run(session, name, plan)
    else:
        {"floor": gpu_speed.floor, "profile": gpu_speed.profile, "numerics": gpu_numerics.numerics}[name](session)
    return True


def dry_run(options: argparse.Namespace) -> None:
    """Every part on tiny sizes in a folder that is thrown away, the run in two calls; results/ stays untouched."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["S2F_RESULTS"] = folder
        options.people, options.workers = 8, 1
        session = Session(Path(folder) / "runs", 3600, dry=True)
        for i, name in enumerate(options.only):
            if name == "run":
                gone = Session(session.folder, 0, dry=True)
                if do(name, gone, options, []):
                    raise SystemExit("a run whose time was over went on to its end")
                session = Session(session.folder, 3600, dry=True)
            if not do(name, session, options, options.only[i + 1 :]):
                raise SystemExit(f"the part {name!r} did not finish")
        for name in ("gpu_training", "gpu_run"):
            record = io.read_record(name)
            print(f"{name}: {len(record['metrics']) if record else 0} numbers, by {record and record['command']}")
    print("dry run: every part worked; nothing was recorded")


if __name__ == "__main__":
    main()
