"""How fast the paper's network trains here, and what share of the device's peak that is.

    python -m benchmarks.gpu_training                       # a GPU; some minutes; writes results/gpu_training.json
    python -m benchmarks.gpu_training --preset quick --batch-size 8 --steps 3 --out speed.json   # on a CPU

Three things are measured: whole training steps from sound in memory to the optimiser, the matrix product and the copy
that bound them (`s2f_lib.training.roofline`), and the data pipeline alone. Clips are noise: how long a step takes does
not depend on what is said.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.cpu_training import layers, random_clips
from s2f_lib import io, training, voice_encoder
from s2f_lib.training import sources
from s2f_lib.training.loop import choose_device
from s2f_lib.training.roofline import roofline, training_flops
from s2f_lib.training.voice import VoiceTrainer


def main(arguments: list[str] | None = None) -> None:
    """Measure, print and write the record."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu_training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--preset", default="paper", help="of the voice encoder (default %(default)s)")
    parser.add_argument("--batch-size", type=int, default=256, help="clips of a step (default %(default)s)")
    parser.add_argument("--steps", type=int, default=20, help="steps that count (default %(default)s)")
    parser.add_argument("--eager", action="store_true", help="do not compile the network")
    parser.add_argument("--out", type=Path, default=Path("gpu_training"), help="record to write (default results/)")
    options = parser.parse_args(arguments)
    io.refuse_uncommitted(options.out)
    torch.set_float32_matmul_precision("high")
    begun, device = time.perf_counter(), choose_device()
    rows = measure(options.preset, options.batch_size, options.steps, not options.eager, device)
    path = io.write_record(
        options.out,
        rows=rows,
        command=io.command_of(parser, options, left_out=("out",)),
        n=options.batch_size * options.steps,
        seconds=time.perf_counter() - begun,
        seeds=(0,),
        device=torch.cuda.get_device_name() if device.type == "cuda" else None,
        notes="bf16, channels last; peaks are those of a large bf16 product and a large copy on the same device. The "
        "counted floor: products at the matrix peak and fused passes over memory.",
    )
    print(io.read_record(path).select().to_string())
    print(f"→ {path}")


def measure(preset: str, batch_size: int, steps: int, compiled: bool, device: torch.device) -> list[dict]:
    """Rows of the record."""
    on_gpu, encoder = device.type == "cuda", voice_encoder.preset(preset)
    peak, copy = matmul_peak(8192 if on_gpu else 1024, device), copy_speed(1 << (30 if on_gpu else 24), device)
    rate, memory = throughput(preset, batch_size, steps, compiled, device)
    pipeline = pipeline_rate(batch_size, on_gpu)
    floor = batch_size / roofline(encoder, batch_size, peak, copy)
    share = rate * training_flops(encoder) / peak
    of = {"preset": preset, "batch_size": batch_size, "precision": "bf16"}
    rows = [
        {"measure": "rate", "value": rate, "what": "clips", **of},
        {
            "measure": "share_of_peak",
            "value": share,
            "of": "matrix products",
            **of,
        },
        {"measure": "share_of_peak", "value": rate / floor, "of": "counted floor", **of},
        {"measure": "rate", "value": pipeline, "what": "clips", "step": "data pipeline", **of},
        {"measure": "headroom", "value": pipeline / rate, **of},
        {"measure": "tflops", "value": peak / 1e12, "of": "matrix products"},
        {"measure": "bandwidth", "value": copy / 1e9, "of": "copy"},
    ]
    return rows + ([{"measure": "memory", "value": memory / 1e6, **of}] if on_gpu else [])


def matmul_peak(n: int, device: torch.device) -> float:
    """FLOP/s of a bf16 product of two random (n, n) matrices; zeros would be faster than any real data."""
    a, b = (torch.randn(n, n, device=device, dtype=torch.bfloat16) for _ in range(2))
    return 2 * n**3 / timed(lambda: a @ b, 20, device)


def copy_speed(size: int, device: torch.device) -> float:
    """Bytes per second, read plus written, of a copy on the device."""
    here, there = (torch.randint(255, (size,), dtype=torch.uint8, device=device) for _ in range(2))
    return 2 * size / timed(lambda: there.copy_(here), 20, device)


def throughput(preset: str, batch_size: int, steps: int, compiled: bool, device: torch.device) -> tuple[float, float]:
    """Clips per second over whole steps, and the peak of memory in bytes (0 without a GPU)."""
    changes = {"encoder": preset, "batch_size": batch_size, "compile": compiled, "log_every": 1000}
    config = training.make_config("paper-gpu", **changes, max_steps=3, start_from_mean=False)
    torch.backends.cudnn.benchmark = True
    trainer = VoiceTrainer(config, random_clips(2 * batch_size), **layers())
    trainer.fit()  # compiles, and chooses kernels
    trainer.config = replace(config, max_steps=3 + steps)
    wait(device)
    begun = time.perf_counter()
    trainer.fit()
    wait(device)
    memory = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0.0
    return steps * batch_size / (time.perf_counter() - begun), memory


def pipeline_rate(batch_size: int, pin: bool) -> float:
    """Clips per second that the data pipeline alone gives, into pinned memory where there is a GPU."""
    source = random_clips(2 * batch_size)
    batches = sources.prefetch(source.batches(sources.Plan(batch_size, random_start=True)), pin=pin)
    try:
        return batch_size / timed(lambda: next(batches), 20, torch.device("cpu"))
    finally:
        batches.close()


def timed(step, repeats: int, device: torch.device) -> float:
    """Mean seconds of a call, after two calls that do not count."""
    for _ in range(2):
        step()
    wait(device)
    begun = time.perf_counter()
    for _ in range(repeats):
        step()
    wait(device)
    return (time.perf_counter() - begun) / repeats


def wait(device: torch.device) -> None:
    """Let a GPU finish what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
