"""Where batches come from: arrays in memory, or any source that says which clips a step takes.

A batch is a dict of CPU tensors with one row per clip: ``waveform`` (B, samples) int16 or float (or, for an encoder of
magnitudes, these: (B, frames, 257) float16), ``v_f`` (B, D), and if known ``logits`` (B, C), ``speaker`` (B,) and
``clip`` (B,), the clip's number in its source.

A *source* is an object with ``batches(plan, start)``. What it gives depends only on the plan and the position, never on
what was asked before, so that a resumed run sees exactly the batches it would have seen. It may have ``about``, a dict
of plain values that says which clips these are; a run keeps it, and does not go on with other clips.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from s2f_lib import audio

Batch = dict[str, Tensor]

NOTE = "data.json"  # in the folder of a run: what its source says it is


@dataclass(frozen=True)
class Plan:
    """Which clips make which batch: everything a source needs to know."""

    batch_size: int  # clips of one step, over all processes
    seed: int = 0
    rank: int = 0  # this process
    world: int = 1  # number of processes
    seconds: float | None = None  # cut clips to this length; None = as stored
    random_start: bool = False  # begin anywhere in the clip and wrap around

    def __post_init__(self):
        if self.batch_size % self.world:
            raise ValueError(f"batch_size {self.batch_size} cannot be shared evenly by {self.world} processes")

    def share(self, rows: np.ndarray) -> np.ndarray:
        """This process's part of the rows of one step."""
        return rows[self.rank * len(rows) // self.world : (self.rank + 1) * len(rows) // self.world]


def rows_of_step(count: int, batch_size: int, seed: int, step: int) -> np.ndarray:
    """Which of `count` examples one step takes: every one once an epoch, in an order drawn from the seed.

    Epochs are shuffled one after the other, and a batch may reach into the next.
    """
    positions = np.arange(step * batch_size, (step + 1) * batch_size)
    epochs, places = np.divmod(positions, count)
    return np.array([_order(count, seed, int(e))[p] for e, p in zip(epochs, places)])


@lru_cache(maxsize=4)
def _order(count: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng((seed, 0, epoch)).permutation(count)


class ArraySource:
    """Clips held in arrays (or memory maps): int16 sound and one face feature per clip.

    Parameters
    ----------
    waveforms : array (N, samples), int16 or float in [-1, 1]; or (N, frames, 257), compressed magnitudes
    v_f : array (N, D), any float type
    logits : array (N, C), optional
        The recogniser's classes for the same pictures; needed by the distillation term.
    speaker : array (N,) of int, optional
    about : dict, optional
        Which clips these are, in plain values; a run that goes on compares it, unless it is empty.

    Raises
    ------
    ValueError
        If the arrays have different numbers of clips; the message says how many each has.
    """

    def __init__(self, waveforms, v_f, logits=None, speaker=None, about: dict | None = None):
        self.waveforms, self.v_f, self.logits, self.about = waveforms, v_f, logits, about or {}
        self.speaker = None if speaker is None else np.asarray(speaker)
        parts = {"waveforms": waveforms, "v_f": v_f, "logits": logits, "speaker": speaker}
        lengths = {name: len(part) for name, part in parts.items() if part is not None}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"every array needs one row per clip, got {lengths}")
        if not len(self):
            raise ValueError("a source needs at least one clip, got none")

    def __len__(self) -> int:
        return len(self.waveforms)

    @property
    def mean_feature(self) -> np.ndarray:
        """Mean of v_f over at most 4,096 evenly spaced clips, (D,) float32."""
        rows = np.unique(np.linspace(0, len(self) - 1, min(len(self), 4096)).astype(int))
        return np.asarray(self.v_f[rows], dtype=np.float32).mean(axis=0)

    def batches(self, plan: Plan, start: int = 0) -> Iterator[Batch]:
        """Endless batches from step `start` on; every clip once per epoch, in an order drawn from the plan's seed."""
        step = start
        while True:
            rows = rows_of_step(len(self), plan.batch_size, plan.seed, step)
            shifts = None
            if plan.random_start:
                rng = np.random.default_rng((plan.seed, 1, step))
                shifts = plan.share(rng.integers(self.waveforms.shape[1], size=plan.batch_size))
            yield self.take(plan.share(rows), plan.seconds, shifts)
            step += 1

    def take(self, rows: np.ndarray, seconds: float | None = None, shifts: np.ndarray | None = None) -> Batch:
        """The batch of these clips, cut to `seconds` after starting at `shifts` (in samples, or frames)."""
        rows = np.asarray(rows)
        waveform = np.stack([self.waveforms[i] for i in rows])
        if shifts is not None:
            waveform = np.stack([np.roll(w, -s, axis=0) for w, s in zip(waveform, shifts)])
        if seconds is not None:
            samples = round(seconds * audio.SAMPLE_RATE)
            frames = (samples - audio.WIN_LENGTH) // audio.HOP_LENGTH + 1
            waveform = waveform[:, : samples if waveform.ndim == 2 else frames]
        batch = {"waveform": torch.from_numpy(np.ascontiguousarray(waveform))}
        batch["v_f"] = torch.from_numpy(np.stack([self.v_f[i] for i in rows]))
        if self.logits is not None:
            batch["logits"] = torch.from_numpy(np.stack([self.logits[i] for i in rows]))
        if self.speaker is not None:
            batch["speaker"] = torch.from_numpy(self.speaker[rows].astype(np.int64))
        batch["clip"] = torch.from_numpy(rows.astype(np.int64))
        return batch


def prefetch(batches: Iterator[Batch], ahead: int = 4, pin: bool = False) -> Iterator[Batch]:
    """Prepare the next batches in a thread while the network works on this one; an error comes out here."""
    ready: queue.Queue = queue.Queue(maxsize=ahead)
    closed = threading.Event()

    def put(item) -> bool:
        while not closed.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work():
        try:
            for batch in batches:
                if not put({k: v.pin_memory() for k, v in batch.items()} if pin else batch):
                    return
            put(StopIteration())
        except BaseException as error:  # handed over to the reader, which raises it
            put(error)

    worker = threading.Thread(target=work, daemon=True, name="s2f-prefetch")
    worker.start()
    try:
        while not isinstance(item := ready.get(), BaseException):
            yield item
        if not isinstance(item, StopIteration):
            raise item
    finally:
        closed.set()
        worker.join()  # a thread that is still inside torch when the interpreter ends aborts the process
