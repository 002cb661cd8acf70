"""How near to the machine's peak? The floor, counted; a sweep, each change kept only where it pays; the top kernels."""

from __future__ import annotations

import gc
import itertools
import time
from dataclasses import asdict, replace

import torch

from benchmarks.gpu_common import (
    CUDA,
    DEVICE,
    Session,
    Trial,
    layers,
    make_trainer,
    random_clips,
    settings,
    timed,
    wait,
)
from benchmarks.gpu_worker import Failed, Worker
from s2f_lib import voice_encoder
from s2f_lib.report.gpu import PAPER_CLIPS
from s2f_lib.training import costs, data
from s2f_lib.training.data import Plan

PAYS = 1.01  # a change is kept from here on
NEAR = 0.95  # the smallest batch that is at least as fast as this share of the best is the one to train with
LONGEST_TRIAL = 150.0  # s, compiling included
CHANGES = (  # each on top of those that paid; what matters most comes first, since time may run out
    ("as one writes it first", {}),
    ("channels last", {"channels_last": True}),
    ("compiled", {"compile": "default"}),
    ("batch 128", {"batch_size": 128}),
    ("cuDNN tries kernels", {"benchmark": True}),
    ("batch 256", {"batch_size": 256}),
    ("batch 64", {"batch_size": 64}),
    ("CUDA graphs", {"compile": "reduce-overhead"}),
    ("compiled, kernels tried out", {"compile": "max-autotune-no-cudagraphs"}),
)
PUBLISHED = (("published batch", {}), ("published batch, CUDA graphs", {"compile": "reduce-overhead"}))  # of 8 clips
DRY_CHANGES = (("as one writes it first", {"batch_size": 2}), ("channels last", {"channels_last": True}))


def floor(session: Session) -> None:
    """What the device can do at best, bf16 products and copies, and what a clip must cost at that."""
    peak, copy = matmul_peak(512 if session.dry else 8192), copy_speed(1 << (22 if session.dry else 30))
    encoder = voice_encoder.preset("paper")
    print(costs.floor_table(encoder, peak, copy))
    floors = {how: costs.step_floor(encoder, 256, peak, copy, how) for how in costs.PASSES}
    session.keep("gpu_training", "floor", {
        "matmul_peak_tflops": peak / 1e12,
        "copy_gb_per_s": copy / 1e9,
        "tflop_per_clip": costs.training_flops(encoder) / 1e12,
        **{f"floor_clips_per_s_{how}": found.clips_per_s for how, found in floors.items()},
        "floor_products_share": floors["fused"].products / floors["fused"].seconds,
    }, n=256)  # fmt: skip
    if CUDA:
        torch.cuda.empty_cache()


def matmul_peak(n: int) -> float:
    """FLOP/s of a bf16 product of two random (n, n) matrices; zeros would be faster than any real data."""
    a, b = (torch.randn(n, n, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
    return 2 * n**3 / timed(lambda: a @ b, 20)


def copy_speed(size: int) -> float:
    """Bytes per second, read plus written, of a copy on the device."""
    here, there = (torch.randint(255, (size,), dtype=torch.uint8, device=DEVICE) for _ in range(2))
    return 2 * size / timed(lambda: there.copy_(here), 20)


def speed(session: Session, reserve: float = 0.0) -> None:
    """Clips per second, raw sound in memory to optimiser step; leaves `reserve` seconds of the call to others."""
    with Worker() as worker:
        changes, published = (DRY_CHANGES, ()) if session.dry else (CHANGES, PUBLISHED)

        def measure(trial: Trial) -> tuple[float, float]:
            allowed = min(LONGEST_TRIAL, session.left() - reserve)
            return worker.ask(throughput, trial, session.dry, timeout=allowed)

        sweep(session, changes, published, measure, reserve)
    if "trial" in session.state:
        feed = feeding_rate(session.state["trial"]["batch_size"])
        rate = session.state["gpu_training"]["metrics"]["clips_per_s"]
        notes = [session.state["gpu_training"]["notes"]["speed"]]
        found = {"input_pipeline_clips_per_s": feed, "input_pipeline_headroom": feed / rate}
        session.keep("gpu_training", "speed", found, n=session.state["trial"]["batch_size"], notes=notes)


def sweep(session: Session, changes, published, measure, reserve: float = 0.0) -> None:
    """Try the changes one by one while time is left; keep numbers after each.

    `measure` gives clips per second and peak memory of a trial, or raises `Failed`, which is a row too.
    """
    best, best_rate, peak, rates, rows = Trial(), 0.0, 0.0, {}, []
    for name, change in changes:
        trial = replace(best, **change)
        try:
            if session.left() - reserve < 20 and rates:
                raise Failed("time was over")
            rate, memory = measure(trial)
        except Failed as error:
            rows.append(f"{name}: {error}.")
            print(rows[-1], flush=True)
            continue
        kept, rates[trial] = rate > PAYS * best_rate, rate
        rows.append(f"{name}: {rate:.1f} clips/s, {memory:.1f} GB, {'kept' if kept else 'not kept'}.")
        print(rows[-1], flush=True)
        if kept:
            best, best_rate, peak = trial, rate, memory
        session.remember("trial", asdict(best))
        session.remember("run_trial", asdict(smallest(best, rates)))
        found = sweep_numbers(session, best, best_rate, peak)
        session.keep("gpu_training", "speed", found, n=best.batch_size, notes=rows)
    for name, change in published if rates else ():
        found = {}
        try:
            if session.left() - reserve < 20:
                raise Failed("time was over")
            rate, _ = measure(replace(best, batch_size=8, **change))
            found = {f"clips_per_s_{'_'.join(name.lower().replace(',', '').split())}": rate}
            rows.append(f"{name}: {rate:.1f} clips/s.")
        except Failed as error:
            rows.append(f"{name}: {error}.")
        session.keep("gpu_training", "speed", found, n=best.batch_size, notes=rows)


def smallest(best: Trial, rates: dict[Trial, float]) -> Trial:
    """The smallest batch that is nearly as fast as the best, everything else alike."""
    near = [t for t, r in rates.items() if replace(t, batch_size=best.batch_size) == best and r >= NEAR * rates[best]]
    return min(near, key=lambda trial: trial.batch_size)


def sweep_numbers(session: Session, best: Trial, rate: float, peak: float) -> dict[str, float]:
    """The record's numbers for the best trial so far."""
    measured = session.state.get("gpu_training", {}).get("metrics", {})
    flops = costs.training_flops(voice_encoder.preset("paper"))
    found = {
        "clips_per_s": rate,
        "peak_memory_gb": peak,
        "hours_for_paper_schedule": PAPER_CLIPS / rate / 3600,
        **{key: float(value) for key, value in asdict(best).items() if key != "compile"},
        "compile": float(bool(best.compile)),
    }
    if "matmul_peak_tflops" in measured:
        found["matmul_peak_share"] = rate * flops / (1e12 * measured["matmul_peak_tflops"])
        found["floor_share"] = rate / measured["floor_clips_per_s_fused"]
    return found


def throughput(trial: Trial, dry: bool) -> tuple[float, float]:
    """Clips per second over whole steps with fresh batches, and peak memory in GB (0 without a GPU)."""
    torch.set_float32_matmul_precision("high")
    gc.collect()
    if CUDA:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    steps = 2 if dry else max(8, 2048 // trial.batch_size)
    config = settings(dry, max_steps=3, log_every=1000, start_from_mean=False, batch_size=trial.batch_size)
    trainer = make_trainer(trial, config, random_clips(2 * trial.batch_size), **layers())
    trainer.fit()  # compiles, and chooses kernels
    trainer.config, trainer.step, trainer.seconds = replace(trainer.config, max_steps=steps), 0, 0.0
    wait()
    begun = time.perf_counter()
    trainer.fit()
    wait()
    rate = steps * trial.batch_size / (time.perf_counter() - begun)
    return rate, torch.cuda.max_memory_allocated() / 1e9 if CUDA else 0.0


def feeding_rate(batch_size: int) -> float:
    """Clips per second that the data pipeline alone gives, into pinned memory where there is a GPU."""
    source = random_clips(2 * batch_size)
    batches = data.prefetch(source.batches(Plan(batch_size, random_start=True)), pin=CUDA)
    try:
        return batch_size / timed(lambda: next(batches), 20)
    finally:
        batches.close()


def profile(session: Session) -> None:
    """The kernels that take most of a step: printed, and their shares kept."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    trial = Trial(**session.state.get("trial", {"batch_size": 2 if session.dry else 64}))
    source = random_clips(2 * trial.batch_size)
    trainer = make_trainer(trial, settings(session.dry, start_from_mean=False), source, **layers())
    trainer.network.train()
    batches = list(itertools.islice(source.batches(Plan(trial.batch_size)), 4))
    trainer.train_step(batches[0])
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if CUDA else [])]
    with profiler(activities=kinds) as found:
        for batch in batches[1:]:
            trainer.train_step(batch)
        wait()
    attribute = "self_device_time_total" if CUDA else "self_cpu_time_total"
    events = found.key_averages()
    print(events.table(sort_by=attribute, row_limit=12, max_name_column_width=60))
    times = {e.key: getattr(e, attribute) for e in events if not CUDA or e.device_type.name == "CUDA"}
    session.keep("gpu_training", "profile", kernel_shares(times), n=trial.batch_size, notes=top_kernels(times))


def top_kernels(times: dict[str, float], count: int = 6) -> list[str]:
    """The longest kernels by name and share of the time, as one sentence."""
    whole, longest = sum(times.values()), sorted(times, key=times.get, reverse=True)[:count]
    return ["Top kernels: " + ", ".join(f"{name[:60]} {times[name] / whole:.0%}" for name in longest) + "."]


def kernel_shares(times: dict[str, float]) -> dict[str, float]:
    """Share of the time in matrix kernels (convolutions and products), in compiled passes, and in everything else."""
    shares = {"products": 0.0, "compiled_passes": 0.0, "other": 0.0}
    for name, value in times.items():
        name = name.lower()
        matrix = any(word in name for word in ("conv", "gemm", "xmma", "fprop", "dgrad", "wgrad", "cutlass", "mm_"))
        compiled = name.startswith("triton") and "triton_tem" not in name
        kind = "compiled_passes" if compiled else "products" if matrix or name.startswith("triton") else "other"
        shares[kind] += value / sum(times.values())
    return {f"profile_share_{key}": share for key, share in shares.items()}
