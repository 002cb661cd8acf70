"""How fast each step of a corpus is, what Dask costs, and whether a run that is killed five times ends the same.

    python -m benchmarks.corpus                 # all of it, about eight minutes on two free cores
    python -m benchmarks.corpus --clips 40      # a smaller list for the kills

Everything is local: a server on this machine plays the video host, its videos show synthetic people. Rates are clips
per second of processor time of one core. Writes results/corpus.json.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import hashlib
import http.server
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from s2f_lib import hub, io
from s2f_lib.corpus import avspeech, crops, features, manifest, report, steps, workers
from s2f_lib.io import row

VIDEOS, SECONDS, KILLS, TASKS = 6, 8.0, 5, 1000
FPS, SIZE = 25, (854, 480)


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=200, help="of the run that is killed (default %(default)s)")
    parser.add_argument("--recogniser", default="synthetic-vgg", help="a name of s2f_lib.hub (default %(default)s)")
    options = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="s2f-corpus-") as name:
        folder = Path(name)
        _make_videos(folder / "host")
        with _serve(folder / "host") as address:
            rows = _list(folder / "list.csv", options.clips)
            found = _throughput(folder, address, rows[:24], options.recogniser)
            found += _killed(folder, address, options.recogniser)
    found += _overhead()
    io.write_record(
        "corpus",
        command=f"python -m benchmarks.corpus --clips {options.clips}",
        n=options.clips,
        rows=found,
        seeds=[0],
        seconds=time.perf_counter() - began,
        notes=f"{SIZE[0]} x {SIZE[1]} videos of {VIDEOS} synthetic people, H.264, AAC; clips of 6 s. Rates per second "
        f"of processor time. Dask: {TASKS} tasks of 50 ms on 2 processes, against a plain pool. Recogniser "
        f"{options.recogniser}.",
    )
    print(io.read_record("corpus").select().to_string())


def _make_videos(folder: Path) -> None:
    """Talking heads that only talk: a still picture with a little noise, and a voice."""
    import av

    from s2f_lib import people
    from s2f_lib.people.speech import speak

    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number, person in enumerate(people.sample(VIDEOS, seed=0)):
        picture = np.full((SIZE[1], SIZE[0], 3), 110, np.uint8)
        picture[120:376, 300:556] = people.render_wild(person, 0, size=256)
        noise = rng.integers(-4, 5, (4, *picture.shape), np.int16)
        noisy = np.clip(picture + noise, 0, 255).astype(np.uint8)
        with av.open(str(folder / f"video{number}.mp4"), "w", container_options={"movflags": "faststart"}) as out:
            video = out.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "g": "50"})
            video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
            sound = out.add_stream("aac", rate=16_000, layout="mono")
            for place in range(round(SECONDS * FPS)):
                frame = av.VideoFrame.from_ndarray(noisy[place % len(noisy)], format="rgb24")
                frame.pts = place
                out.mux(video.encode(frame))
            voice = av.AudioFrame.from_ndarray(speak(person, 0, seconds=SECONDS)[None], format="fltp", layout="mono")
            voice.sample_rate, voice.pts = 16_000, 0
            out.mux(sound.encode(voice))
            for stream in (video, sound):
                out.mux(stream.encode(None))


def _list(path: Path, clips: int) -> list[dict]:
    """A list of clips in the layout of AVSpeech; one in ten is of a video that is gone."""
    lines = []
    for number in range(clips):
        video = "missing" if number % 10 == 9 else f"video{number % VIDEOS}"
        start = 0.01 * number % 2
        lines.append(f"{video},{start:.2f},{start + 6:.2f},0.5,0.5")
    path.write_text("\n".join(lines) + "\n")
    return list(avspeech.VideoList(path))


class _serve:
    """A host on this machine, with byte ranges."""

    def __init__(self, folder: Path):
        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(_Ranges, directory=str(folder))
        )

    def __enter__(self) -> str:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_address[1]}/{{video_id}}.mp4"

    def __exit__(self, *error) -> None:
        self.server.shutdown()
        self.server.server_close()


class _Ranges(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        """Quiet."""

    def send_head(self):
        """As the standard one, with one byte range."""
        path, asked = Path(self.translate_path(self.path)), self.headers.get("Range", "")
        if not path.is_file() or not asked.startswith("bytes="):
            return super().send_head()
        size = path.stat().st_size
        first, _, last = asked[6:].partition("-")
        first, last = int(first), min(int(last or size - 1), size - 1)
        self.send_response(206)
        headers = {"Content-Type": "video/mp4", "Content-Range": f"bytes {first}-{last}/{size}"}
        headers |= {"Content-Length": str(last - first + 1)}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(path.read_bytes()[first : last + 1])
        return None


def _throughput(folder: Path, address: str, rows: list[dict], recogniser: str) -> list[dict]:
    """Clips per second of processor time, step by step, in this process."""
    spent = {}
    todo = {
        "download": (avspeech.download_step(address=address, wait=0.0), avspeech.by_video, "a"),
        "crop": (crops.crop_step(folder / "a"), crops.in_batches, "b"),
    }
    for name, (step, group, out) in todo.items():
        began = time.process_time()
        step = dataclasses.replace(step, isolated=None)  # in this process, whose time is taken
        rows = steps.run(step, rows, folder / out, group=group, progress=False)
        good = sum(one["status"] == "ok" for one in rows)
        spent[name] = (time.process_time() - began) / good
    hub.load(recogniser)
    step = features.feature_step(folder / "b", recogniser)
    began = time.process_time()
    rows = steps.run(step, rows, folder / "c", group=crops.in_batches, progress=False)
    spent["feature"] = (time.process_time() - began) / sum(one["status"] == "ok" for one in rows)
    size = sum(path.stat().st_size for out in "bc" for path in (folder / out).glob("*/*")) / good
    spent["crop and feature"] = spent["crop"] + spent["feature"]
    rates = [row("rate", 1 / seconds, what="clips", step=name) for name, seconds in spent.items()]
    return [*rates, row("size", size / 1e6, what="clip")]


def _killed(folder: Path, address: str, recogniser: str) -> list[dict]:
    """From the list to shards in processes of their own, once in peace and once killed at random moments."""
    began = time.perf_counter()
    _steps(folder / "calm", folder / "list.csv", address, recogniser, None)
    calm = time.perf_counter() - began
    rng, kills = random.Random(0), 0
    for _ in range(KILLS):
        kills += _steps(folder / "killed", folder / "list.csv", address, recogniser, rng.uniform(0.1, 0.3) * calm)
    _steps(folder / "killed", folder / "list.csv", address, recogniser, None)
    same = all(_digest(folder / "calm" / step) == _digest(folder / "killed" / step) for step in ("1", "2", "3", "4"))
    rows = manifest.read(folder / "killed" / "4" / "manifest.csv")
    left = int(report.funnel(rows)["left"].iloc[-1])
    return [
        row("kills_survived", kills),
        row("same_result", float(same), what="manifest"),
        row("clips", len(rows), what="listed"),
        row("clips", left, what="left of the list"),
    ]


def _steps(out: Path, source: Path, address: str, recogniser: str, die_after: float | None) -> int:
    """Run all commands; with `die_after` kill them and their workers after so many seconds. Gives 1 if killed."""
    commands = (
        ("download_avspeech", source, out / "1", "--address", address, "--wait", "0", "--jobs", "2"),
        ("crop_faces", out / "1", out / "2", "--jobs", "2"),
        ("extract_features", out / "2", out / "3", "--recogniser", recogniser),
        ("make_splits", out / "3", out / "splits.json"),
        ("build_shards", out / "2", out / "4", "--features", out / "3", "--splits", out / "splits.json",
         "--clips-per-shard", "10", "--jobs", "2"),
    )  # fmt: skip
    end = None if die_after is None else time.monotonic() + die_after
    for module, *rest in commands:
        words = [sys.executable, "-m", f"data_scripts.{module}", *map(str, rest), "--quiet"]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            status = process.wait(None if end is None else max(0.01, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return 1
        if status:
            raise RuntimeError(f"{module} ended with status {status}; its message is above")
    return 0


def _digest(folder: Path) -> str:
    """SHA-256 of a manifest and of the names of the files that belong to it."""
    names = sorted(str(p.relative_to(folder)) for p in folder.glob("*/*") if p.is_file())
    return hashlib.sha256((folder / "manifest.csv").read_bytes() + "\n".join(names).encode()).hexdigest()


def _nap(_: int) -> None:
    time.sleep(0.05)


def _overhead() -> list[dict]:
    """Time of a Dask cluster on two processes over that of a plain pool, less one; starting and ending do not count."""
    times = {}
    for scheduler in (None, "dask"):
        results = workers.run(_nap, range(TASKS + 8), jobs=2, scheduler=scheduler, progress=False)
        for _ in range(8):
            next(results)
        began = ended = time.perf_counter()
        for _ in results:
            ended = time.perf_counter()
        times[scheduler] = ended - began
    return [row("overhead", times["dask"] / times[None] - 1, what="dask")]


if __name__ == "__main__":
    main()
