"""The paper's network on one GPU: numerics, speed, and a real run. Works on a bare machine (torch, numpy, numba).

    python -m benchmarks.gpu_training                      # all of it, about 25 minutes on one H100
    python -m benchmarks.gpu_training --minutes 60         # a longer run
    python -m benchmarks.gpu_training --only numerics speed
    python -m benchmarks.gpu_training --dry-run            # the same path on a CPU with a tiny network; writes nothing

Writes ``results/gpu_training.json`` (speed, numerics) and ``results/gpu_run.json`` (the run's curves and scores).

What to expect: about 89 GMAC forward a clip (`voice_encoder.macs_per_clip`), so 0.53 TFLOP for a training step of
one clip. At 35 % of a 750 TFLOP/s matrix peak that is about 490 clips/s; no schedule can be faster than 1,400. A step
keeps 0.7 GB a clip in float32 (`memory.step_bytes`), most of it from the first three convolutions, which run at full
resolution: their ReLU and BN are bound by memory, which is why fusing (torch.compile), bf16 and channels_last decide.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from s2f_lib import config, io, train, voice_encoder
from s2f_lib.training import memory, synthetic
from s2f_lib.training.data import ArraySource, Plan
from s2f_lib.training.loop import Trainer

PAPER_CLIPS = 3 * 1_700_000  # the published schedule: 3 epochs over 1.7 M pairs
CUDA = torch.cuda.is_available()
TINY = {"channels": [4] * 9, "hidden": 16}  # of the dry run


def main() -> None:
    """Run the parts asked for and write the records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS), help="parts to run (default: all)")
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the real run (default 10)")
    parser.add_argument("--people", type=int, default=40_000, help="synthetic speakers of the real run")
    parser.add_argument("--workers", type=int, default=16, help="processes that speak and render")
    parser.add_argument("--dry-run", action="store_true", help="tiny network, few steps, no record")
    options = parser.parse_args()
    if not CUDA and not options.dry_run:
        raise SystemExit("no GPU here: use --dry-run to check that every part works, or run this on a GPU machine")
    torch.set_float32_matmul_precision("high")
    begun, metrics, notes = time.perf_counter(), {}, []
    for name in options.only:
        print(f"--- {name}", flush=True)
        found = PARTS[name](options)
        notes += found.pop("notes", [])
        print(json.dumps(found, indent=2), flush=True)
        metrics |= found
    if options.dry_run:
        print("dry run: every part worked; nothing was recorded")
        return
    command = "python -m benchmarks.gpu_training" + (
        "" if set(options.only) == set(PARTS) else f" --only {' '.join(options.only)}"
    )
    metrics = {key: value for key, value in metrics.items() if np.isfinite(value)}
    path = io.write_record(
        "gpu_training", command=command, n=int(metrics.get("batch_size", 0)), metrics=metrics,
        seconds=time.perf_counter() - begun, device=torch.cuda.get_device_name(), notes=" ".join(notes),
    )  # fmt: skip
    print(f"→ {path}")


# ---- numerics: is bf16 the same network?


def numerics(options) -> dict:
    """bf16 against float32 on one batch: loss and gradients, then the final angle after equal short runs."""
    source = random_clips(64)
    base = settings(options, batch_size=8, max_steps=4 if options.dry_run else 200, learning_rate=2e-4)
    batch = next(source.batches(Plan(8)))
    gradients, losses = [], []
    for precision in ("no", "bf16"):
        trainer = Trainer(replace(base, mixed_precision=precision), source, **layers())
        total, gradient = one_gradient(trainer, batch)
        losses.append(total)
        gradients.append(gradient)
    angles = []
    for precision in ("no", "bf16"):
        run = train.run(replace(base, mixed_precision=precision), source, validation=source, **layers())
        angles.append(run.final("angle_deg"))
    cosine = nn.functional.cosine_similarity(gradients[0], gradients[1], dim=0).item()
    return {
        "bf16_loss_relative_difference": abs(losses[1] - losses[0]) / abs(losses[0]),
        "bf16_gradient_cosine": cosine,
        "bf16_angle_gap_deg": abs(angles[1] - angles[0]),
    }


def one_gradient(trainer: Trainer, batch: dict) -> tuple[float, torch.Tensor]:
    """Loss and the gradient of all weights of one batch, as one vector."""
    batch = {k: v.to(trainer.device) for k, v in batch.items()}
    batch = {k: v.float() if v.dtype == torch.float16 else v for k, v in batch.items()}
    trainer.network.train()
    with torch.autocast(trainer.device.type, torch.bfloat16, enabled=trainer.config.mixed_precision == "bf16"):
        v_s = trainer.network(batch["waveform"])
    total, _ = trainer.loss(v_s, batch)
    total.backward()
    gradient = torch.cat([p.grad.float().flatten().cpu() for p in trainer.network.parameters()])
    return total.item(), gradient


# ---- speed: how near to the machine's peak?


def floor(options) -> dict:
    """What the device can do at best: bf16 matrix products, copies; and what a clip costs."""
    n = 512 if options.dry_run else 8192
    a = torch.randn(n, n, device=device(), dtype=torch.bfloat16)
    peak = 2 * n**3 / timed(lambda: a @ a, 20)
    big = torch.empty(1 << (22 if options.dry_run else 30), dtype=torch.uint8, device=device())
    copy = 2 * big.numel() / timed(lambda: big.clone(), 20)
    encoder = voice_encoder.preset("paper")
    kept = memory.step_bytes(encoder, 2) - memory.step_bytes(encoder, 1)
    flops = 6 * voice_encoder.macs_per_clip(encoder)
    return {
        "matmul_peak_tflops": peak / 1e12,
        "copy_gb_per_s": copy / 1e9,
        "tflop_per_clip": flops / 1e12,
        "kept_gb_per_clip_float32": kept / 1e9,
        "clips_per_s_at_peak": peak / flops,
    }


def speed(options) -> dict:
    """Clips per second, raw sound in memory to optimiser step, over batch sizes and options; keeps the fastest."""
    trials = [(8, True, True), (32, False, False), (32, True, False), (32, True, True)]
    trials += [(b, True, True) for b in (64, 128, 256, 512)]
    if options.dry_run:
        trials = [(2, False, False), (2, True, False)]
    best, rows = None, []
    for batch_size, last, compiled in trials:
        rate, peak = throughput(options, batch_size, last, compiled)
        rows.append(f"batch {batch_size}, channels_last {last}, compile {compiled}: {rate:.1f} clips/s, {peak:.1f} GB.")
        print(rows[-1], flush=True)
        if best is None or rate > best[0]:
            best = (rate, peak, batch_size, last, compiled)
    rate, peak, batch_size, *_ = best
    achieved = rate * 6 * voice_encoder.macs_per_clip(voice_encoder.preset("paper"))
    share = achieved / (floor(options)["matmul_peak_tflops"] * 1e12)
    feed = feeding_rate(batch_size)
    return {
        "clips_per_s": rate,
        "batch_size": batch_size,
        "peak_memory_gb": peak,
        "matmul_peak_share": share,
        "hours_for_paper_schedule": PAPER_CLIPS / rate / 3600,
        "input_pipeline_clips_per_s": feed,
        "input_pipeline_headroom": feed / rate,
        "notes": rows,
    }


def throughput(options, batch_size: int, channels_last: bool, compiled: bool) -> tuple[float, float]:
    """Clips per second over whole steps with fresh batches, and peak memory in GB; 0 where it does not fit."""
    steps = 2 if options.dry_run else max(6, 1024 // batch_size)
    base = settings(options, batch_size=batch_size, max_steps=steps)
    base = replace(base, channels_last=channels_last, compile=compiled, mixed_precision="bf16", log_every=1000)
    try:
        trainer = Trainer(base, random_clips(max(64, 2 * batch_size)), **layers())
        trainer.fit()  # compiles, and chooses kernels
        trainer.step, trainer.seconds = 0, 0.0
        wait()
        begun = time.perf_counter()
        trainer.fit()
        wait()
        rate = steps * batch_size / (time.perf_counter() - begun)
    except train.TrainingError as error:
        print(error, flush=True)
        rate = 0.0
    peak = torch.cuda.max_memory_allocated() / 1e9 if CUDA else 0.0
    trainer = None
    gc.collect()
    if CUDA:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    return rate, peak


def feeding_rate(batch_size: int) -> float:
    """Clips per second that the data pipeline alone gives."""
    source = random_clips(max(64, 2 * batch_size))
    batches = source.batches(Plan(batch_size, random_start=True))
    next(batches)
    return batch_size / timed(lambda: next(batches), 10)


def profile(options) -> dict:
    """The kernels that take most of a step, printed; nothing is recorded."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    size = 2 if options.dry_run else 64
    base = replace(settings(options, batch_size=size), mixed_precision="bf16", compile=CUDA)
    source = random_clips(2 * size)
    trainer = Trainer(base, source, **layers())
    trainer.network.train()
    batches = list(itertools.islice(source.batches(Plan(size)), 4))
    trainer.train_step(batches[0])
    with profiler(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if CUDA else [])]) as found:
        for batch in batches[1:]:
            trainer.train_step(batch)
        wait()
    key = "self_cuda_time_total" if CUDA else "self_cpu_time_total"
    print(found.key_averages().table(sort_by=key, row_limit=12, max_name_column_width=60))
    return {}


# ---- the real run


def run(options) -> dict:
    """Train the paper's network on synthetic people for the given time; writes ``results/gpu_run.json``."""
    from s2f_lib import hub

    begun = time.perf_counter()
    people = 16 if options.dry_run else options.people
    folder = Path("runs") / "gpu_run"
    recogniser = Stand() if options.dry_run else hub.load("synthetic-vgg", device=str(device()))
    frozen = layers() if options.dry_run else train.frozen_layers("synthetic-vgg")
    seen = synthetic.PeopleSet(people, 1)
    unseen = synthetic.PeopleSet(min(1000, people), 1, seed=config.SEEDS["test"], sentences="test")
    source, validation = (synthetic.source(w, recogniser, workers=options.workers) for w in (seen, unseen))
    made = time.perf_counter() - begun
    rate = throughput(options, 2 if options.dry_run else 256, True, CUDA)[0]
    steps = 3 if options.dry_run else max(100, int(rate * options.minutes * 60 / 256))
    settings_ = replace(
        settings(options, batch_size=2 if options.dry_run else 256, max_steps=steps),
        mixed_precision="bf16", compile=CUDA, random_start=True, evaluate_every=max(1, steps // 20),
    )  # fmt: skip
    result = train.run(settings_, source, validation=validation, out_dir=folder, progress=True, **frozen)
    final = {key: result.final(key) for key in ("angle_deg", "top10_percent")}
    if options.dry_run:
        import shutil

        shutil.rmtree(folder)
        return final
    curve = {}
    for key in ("angle_deg", "top10_percent"):
        for step, value in zip(*result.curve(key, "validation")):
            curve[f"{key}_at_{int(step) * settings_.batch_size}_clips"] = value
    io.write_record(
        "gpu_run", command=f"python -m benchmarks.gpu_training --only run --minutes {options.minutes:g}",
        n=len(validation), metrics=final | curve | {"clips_seen": steps * settings_.batch_size}, seeds=(0,),
        seconds=time.perf_counter() - begun, device=torch.cuda.get_device_name(),
        notes=f"Paper's network and loss, {people} speakers, {made:.0f} s to make them, batch {settings_.batch_size}.",
    )  # fmt: skip
    return {}


class Stand(nn.Module):
    """Stands for the recogniser in a dry run: mean colours."""

    name, image_size, checksum = "dry-run", 32, "dry-run"

    def forward(self, images):
        from s2f_lib.faces import FaceFeatures

        v_f = images.mean(dim=(2, 3)).repeat(1, DIM // 3 + 1)[:, :DIM]
        return FaceFeatures(v_f, v_f[:, :CLASSES])


# ---- what the parts share

DIM, CLASSES, DECODER = 4096, 512, 1000


def settings(options, **changes) -> train.TrainConfig:
    """The paper's network (a tiny one in a dry run) with the paper's loss."""
    small = {"encoder": "quick", "encoder_changes": TINY} if options.dry_run else {}
    return train.make_config("paper-gpu", "paper", **({"compile": False, "mixed_precision": "no"} | small | changes))


def layers() -> dict:
    """Random frozen layers of the usual sizes."""
    return {"f_dec": nn.Linear(DIM, DECODER), "f_vgg": nn.Linear(DIM, CLASSES)}


def random_clips(n: int) -> ArraySource:
    """Noise in memory."""
    rng = np.random.default_rng(0)
    v_f = rng.random((n, DIM), dtype=np.float32).astype(np.float16)
    logits = rng.standard_normal((n, CLASSES)).astype(np.float16)
    return ArraySource(rng.integers(-3000, 3000, (n, 96_000), dtype=np.int16), v_f, logits, np.arange(n))


def device() -> torch.device:
    """The GPU, or the CPU in a dry run."""
    return torch.device("cuda" if CUDA else "cpu")


def wait() -> None:
    """Let the GPU finish what it was given."""
    if CUDA:
        torch.cuda.synchronize()


def timed(step, repeats: int) -> float:
    """Mean seconds of a call, after two calls that do not count."""
    for _ in range(2):
        step()
    wait()
    begun = time.perf_counter()
    for _ in range(repeats):
        step()
    wait()
    return (time.perf_counter() - begun) / repeats


PARTS = {"numerics": numerics, "floor": floor, "speed": speed, "profile": profile, "run": run}

if __name__ == "__main__":
    main()
