"""One optimiser step on the CPU: our trainer against a plain loop, and the data pipeline against the network.

    python -m benchmarks.cpu_training               # about 5 minutes on 2 quiet cores; writes results/cpu_training.json
    python -m benchmarks.cpu_training --no-paper    # without the paper's network (its step takes ten seconds)

The plain loop is what one would write first: the same network, float32, NCHW, eager, Adam as it comes, no prefetch.
Both sides take turns, so that a busy minute hurts both, and medians are compared.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from s2f_lib import io, training
from s2f_lib.io import row
from s2f_lib.losses import VoiceLoss
from s2f_lib.training.sources import ArraySource, Plan
from s2f_lib.training.voice import VoiceTrainer, make_encoder

FEATURE_DIM, CLASSES, DECODER = 4096, 512, 1000


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7, help="timed steps of each side (default 7)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--no-paper", action="store_true", help="leave the paper's network out")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    begun = time.perf_counter()
    rows = quick_rows(options.repeats)
    if not options.no_paper:
        rows.append(step_ratio("paper", 2, max(2, options.repeats // 3)))
    path = io.write_record(
        "cpu_training",
        command="python -m benchmarks.cpu_training" + (" --no-paper" if options.no_paper else ""),
        n=options.repeats,
        rows=rows,
        seconds=time.perf_counter() - begun,
        notes="A step ratio is the plain loop's time over ours: above 1, ours is faster; medians of alternating steps, "
        f"interval = quartiles of the pairs. 6 s clips, {options.threads} threads. Headroom: the rate of the data "
        "pipeline alone over that of training. bf16 pays on processors that have it (AVX512-BF16, AMX).",
    )
    print(io.read_record(path).select().to_string())
    print(f"→ {path}")


def quick_rows(repeats: int) -> list[dict]:
    """Rate of ``quick`` at batch 32, its step against the plain one, and how much faster the data come."""
    source = random_clips(128)
    rate = training_rate(settings("quick", 32, max_steps=repeats + 3), source)
    half = dataclasses.replace(settings("quick", 32, max_steps=repeats + 3), mixed_precision="bf16")
    pipeline = median_time(lambda batches: next(batches), source.batches(Plan(32, random_start=True)), repeats)
    of = {"what": "clips", "preset": "quick"}
    return [
        row("rate", rate, **of, precision="float32"),
        row("rate", training_rate(half, source), **of, precision="bf16"),
        step_ratio("quick", 32, repeats),
        row("rate", 32 / pipeline, **of, step="data pipeline"),
        row("headroom", 32 / pipeline / rate, preset="quick"),
    ]


def training_rate(config: training.TrainConfig, source: ArraySource) -> float:
    """Clips per second of whole training, after a first round that chooses kernels."""
    trainer = VoiceTrainer(config, source, **layers())
    trainer.fit()
    trainer.step, trainer.seconds, begun = 0, 0.0, time.perf_counter()
    trainer.fit()
    return config.max_steps * config.batch_size / (time.perf_counter() - begun)


def step_ratio(preset: str, batch_size: int, repeats: int) -> dict:
    """Time of a plain step over time of ours on the same batches: median, and quartiles of the pairs, as a row."""
    source = random_clips(2 * batch_size)
    config = settings(preset, batch_size)
    batches = list(itertools.islice(source.batches(Plan(batch_size)), 2))
    trainer = VoiceTrainer(config, source, **layers())
    trainer.network.train()
    plain = plain_loop(config, source)
    for step in (trainer.train_step, plain):
        step(batches[0])
    pairs = np.array(
        [[seconds(plain, b), seconds(trainer.train_step, b)] for b, _ in zip(batches * repeats, range(repeats))]
    )
    ratios = pairs[:, 0] / pairs[:, 1]
    middle = float(np.median(pairs[:, 0]) / np.median(pairs[:, 1]))
    low, high = np.quantile(ratios, (0.25, 0.75))
    ends = {"low": min(float(low), middle), "high": max(float(high), middle)}
    return row("step_ratio", middle, preset=preset) | ends


def plain_loop(config: training.TrainConfig, source: ArraySource) -> Callable:
    """A step as one would write it first."""
    encoder = make_encoder(config, source).train()
    loss = VoiceLoss(config.loss, **layers())
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=1e-3)

    def step(batch):
        batch = {k: v.float() if v.dtype == torch.float16 else v for k, v in batch.items()}
        optimizer.zero_grad()
        total, _ = loss(encoder(encoder.spectrogram(batch["waveform"]).contiguous()), batch)  # NCHW
        total.backward()
        optimizer.step()
        return total.item()

    return step


def settings(preset: str, batch_size: int, max_steps: int = 100) -> training.TrainConfig:
    """The paper's loss on six seconds of complex input, evaluated never."""
    return training.make_config(
        "quick", "paper", encoder=preset, batch_size=batch_size, max_steps=max_steps, log_every=100
    )


def layers() -> dict:
    """Random frozen layers of the usual sizes."""
    return {"f_dec": nn.Linear(FEATURE_DIM, DECODER), "f_vgg": nn.Linear(FEATURE_DIM, CLASSES)}


def random_clips(n: int) -> ArraySource:
    """Noise: how long a step takes does not depend on what is said."""
    rng = np.random.default_rng(0)
    sound = rng.integers(-3000, 3000, (n, 96_000), dtype=np.int16)
    v_f = rng.random((n, FEATURE_DIM), dtype=np.float32).astype(np.float16)
    return ArraySource(sound, v_f, rng.standard_normal((n, CLASSES)).astype(np.float16), np.arange(n))


def seconds(step: Callable, argument) -> float:
    """Wall time of one call."""
    begun = time.perf_counter()
    step(argument)
    return time.perf_counter() - begun


def median_time(step: Callable, argument, repeats: int) -> float:
    """Median wall time of several calls."""
    return float(np.median([seconds(step, argument) for _ in range(repeats)]))


if __name__ == "__main__":
    main()
