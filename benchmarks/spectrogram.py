"""How fast the batched spectrogram is, against librosa clip by clip, and how far it is from numpy in 64 bit.

    python -m benchmarks.spectrogram

Both make the same numbers from the same clips on the same cores in one run, taking turns, ours also on one core alone;
the first calls, in which librosa loads and compiles, are not timed. Only ratios of one round are compared, and the
machine's load before the run is kept with them. Then once more beside two programs that compute without end. Writes
results/spectrogram.json.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import time

import numpy as np
import torch

from s2f_lib import audio, io, people
from s2f_lib.io import row
from s2f_lib.people.speech import speak

CLIPS, ROUNDS, BATCH, BUSY = 32, 9, 16, 2


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2, help="cores that torch may use (default %(default)s)")
    threads = parser.parse_args().threads
    torch.set_num_threads(threads)
    began, load = time.perf_counter(), os.getloadavg()[0]
    voices = np.stack([speak(person) for person in people.sample(8, seed=0)])
    clips = np.tile(voices, (CLIPS // 8, 1))
    linear, compressed = _errors(voices)
    per_core = _per_core(clips)
    ours, alone, theirs = _rates(clips, threads)
    with _busy_loops(BUSY):
        beside = _rates(clips, threads)
    rows = [
        _ratio(ours / theirs, against="librosa", per="machine"),
        _ratio(ours / alone, against="one core"),
        _ratio(beside[0] / beside[2], against="librosa", per="machine", busy_loops=BUSY),
        _ratio(beside[0] / beside[1], against="one core", busy_loops=BUSY),
        row("load", load),
        row("max_error", linear, against="numpy", compressed=False),
        row("max_error", compressed, against="numpy", compressed=True),
        row("rate", np.median(ours), what="clips", by="s2f_lib"),
        row("rate", np.median(theirs), what="clips", by="librosa"),
        row("speedup", per_core, against="librosa", per="core"),
        row("threads", threads),
    ]
    io.write_record(
        "spectrogram",
        command="python -m benchmarks.spectrogram",
        n=CLIPS,
        rows=rows,
        seeds=[0],
        seconds=time.perf_counter() - began,
        notes=f"Median of {ROUNDS} rounds that take turns, batches of {BATCH} clips; interval: 10-90 % of rounds. "
        "Per core: processor times of one core each. Error before compression, on sound in [-1, 1]; "
        "after it, |x| ** 0.3 magnifies rounding of values near zero.",
    )
    print(io.read_record("spectrogram").select().to_string())


def _with_librosa(clip: np.ndarray) -> np.ndarray:
    """The compressed parts of one clip with librosa (its frames of 512: one less)."""
    import librosa

    spectrum = librosa.stft(clip, n_fft=512, hop_length=160, win_length=400, center=False)
    parts = np.stack([spectrum.real, spectrum.imag])
    return np.sign(parts) * np.abs(parts) ** np.float32(audio.POWER)


def _ratio(ratios: np.ndarray, **condition) -> dict:
    """A speed-up as the median over rounds, with their 10-90 % range."""
    low, high = np.quantile(ratios, (0.1, 0.9))
    return row("speedup", np.median(ratios), **condition) | {"low": low, "high": high}


@contextlib.contextmanager
def _busy_loops(number: int):
    """So many programs beside this one that compute without end."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def _rates(clips: np.ndarray, threads: int) -> np.ndarray:
    """Clips per second, in turns: ours on all cores, ours on one, librosa; shape (3, rounds)."""
    batches = torch.from_numpy(clips).split(BATCH)

    def ours(cores: int) -> None:
        torch.set_num_threads(cores)
        for batch in batches:
            audio.compressed_spectrogram(batch)

    def librosa() -> None:
        for clip in clips:
            _with_librosa(clip)

    turns = (lambda: ours(threads), lambda: ours(1), librosa)
    rates = np.zeros((3, ROUNDS + 1))
    for turn in range(ROUNDS + 1):
        for i, make in enumerate(turns):
            began = time.perf_counter()
            make()
            rates[i, turn] = len(clips) / (time.perf_counter() - began)
    torch.set_num_threads(threads)
    return rates[:, 1:]  # the first round compiles


def _per_core(clips: np.ndarray) -> float:
    """Ratio of processor times, both on one core; other programs that run meanwhile matter little."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    batches, times = torch.from_numpy(clips).split(BATCH), []
    audio.compressed_spectrogram(batches[0])
    _with_librosa(clips[0])
    for _ in range(ROUNDS):
        began = time.process_time()
        for batch in batches:
            audio.compressed_spectrogram(batch)
        between = time.process_time()
        for clip in clips:
            _with_librosa(clip)
        times.append((between - began, time.process_time() - between))
    torch.set_num_threads(threads)
    ours, theirs = np.min(times, axis=0)
    return float(theirs / ours)


def _errors(clips: np.ndarray) -> tuple[float, float]:
    """Largest difference to numpy in 64 bit, before and after compression."""
    ours = audio.compressed_spectrogram(clips).double().numpy()
    frames = np.lib.stride_tricks.sliding_window_view(clips.astype(np.float64), 400, axis=1)[:, ::160]
    spectrum = np.fft.rfft(frames * np.hanning(401)[:-1], n=512)
    exact = np.stack([spectrum.real, spectrum.imag], axis=1)
    before = np.sign(ours) * np.abs(ours) ** (1 / audio.POWER) - exact
    after = ours - np.sign(exact) * np.abs(exact) ** audio.POWER
    return float(np.abs(before).max()), float(np.abs(after).max())


if __name__ == "__main__":
    main()
