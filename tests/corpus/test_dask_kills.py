"""On a Dask cluster: a killed worker, a full disk, a killed client; nothing is lost and nothing is twice."""

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from data_scripts import crop_faces
from s2f_lib import io
from s2f_lib.corpus import build, manifest, shards, steps

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.slow  # a cluster takes ten seconds to start

PATIENCE = 300  # s; a busy machine is no failure


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes on this machine."""
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as made:
        yield made


def clips(count):
    plain = {"speaker_id": "s", "video_id": "v", "split": "", "status": "ok", "reason": ""}
    return [{"clip_id": f"c{i:03d}", **plain} for i in range(count)]


def write_clip(task):
    """Writes a file per clip; the process dies in the middle of one, the first time."""
    folder, settings, rows = task
    for row in rows:
        with io.atomic_write(Path(folder) / "made" / f"{row['clip_id']}.txt") as file:
            file.write(b"first half,")
            mark = Path(settings["mark"])
            if row["clip_id"] == settings["die_at"] and not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            file.write(f"second half of {row['clip_id']}".encode())
    return [{**row, "size": "11"} for row in rows]


def contents(folder):
    """Everything below a folder but what is bound to one run."""
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def once(folder):
    """Clips in the journal, sorted; one that was done twice is there twice."""
    whole = (folder / "journal.jsonl").read_text().rpartition("\n")[0]
    return sorted(json.loads(line)["clip_id"] for line in whole.splitlines())


def test_a_killed_worker_loses_nothing(cluster, tmp_path):
    """The worker dies with half a file written; the run goes on by itself."""
    step = steps.Step("test", write_clip, {"mark": str(tmp_path / "died"), "die_at": "c005"})
    rows = steps.run(
        step, clips(16), tmp_path / "out", scheduler=cluster.scheduler_address, progress=False, group=in_twos
    )
    assert (tmp_path / "died").exists()
    names = [row["clip_id"] for row in clips(16)]
    assert [(row["clip_id"], row["status"]) for row in rows] == [(name, "ok") for name in names]
    assert once(tmp_path / "out") == names
    made = contents(tmp_path / "out" / "made")
    assert sorted(made) == [f"{name}.txt" for name in names], "no half-written file either"
    assert made["c005.txt"] == b"first half,second half of c005"


def in_twos(rows):
    return [rows[i : i + 2] for i in range(0, len(rows), 2)]


class FullDisk:
    """A file on a disk without space: half of what is written arrives."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, data):
        self.file.write(data[: len(data) // 2])
        self.file.flush()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fill_disk():
    """On a worker: from now on whatever is written meets a full disk."""

    def limited(path, mode="r", **options):
        file = open(path, mode, **options)  # noqa: SIM115  (as `open`: closed by who asked for it)
        return FullDisk(file) if "w" in mode else file

    io.files.open = limited


def free_disk():
    """On a worker: as before."""
    io.files.__dict__.pop("open", None)


def test_a_worker_without_disk_space_says_so_and_the_next_run_completes(cluster, pairs, parts, tmp_path):
    """Of the two workers one has a full disk, in the middle of a shard."""
    make = {"clips_per_shard": 1, "progress": False, "scheduler": cluster.scheduler_address}
    out = tmp_path / "out"
    build.build(pairs, pairs, parts, tmp_path / "calm", clips_per_shard=1, progress=False)
    with distributed.Client(cluster, set_as_default=False) as client:
        worker = next(iter(client.scheduler_info()["workers"]))
        client.run(fill_disk, workers=[worker])
        with pytest.raises(OSError, match="the disk is full; free some space and run again") as raised:
            build.build(pairs, pairs, parts, out, **make)
        assert raised.value.errno == errno.ENOSPC
        assert "out/shards/" in str(raised.value.filename)
        calm = contents(tmp_path / "calm")
        left = contents(out)
        assert not {"corpus.json", "manifest.csv"} & set(left)
        assert all(left[name] == calm[name] for name in left if "partial" not in name), "whole or absent"
        assert len(left) < len(calm) - 3, "a shard is missing"
        client.run(free_disk, workers=[worker])
    build.build(pairs, pairs, parts, out, **make)
    assert contents(out) == calm


@pytest.fixture
def many(tmp_path):
    """Folder with the list, the sound and the picture of 96 clips, for `crop_faces`."""
    pytest.importorskip("dlib")
    from s2f_lib import people

    face = shards.encode("jpg", people.render_canonical(people.sample(2, seed=9)[0], size=160))
    sound = shards.encode("wav", (8000 * np.sin(np.arange(20_000) / 6)).astype(np.int16))
    rows = [{**row, "sound": "a.wav", "picture": f"{row['clip_id']}.jpg"} for row in clips(96)]
    for name, data in {"a.wav": sound, **{row["picture"]: face for row in rows}}.items():
        with io.atomic_write(tmp_path / "many" / name) as file:
            file.write(data)
    manifest.write(tmp_path / "many" / "manifest.csv", rows)
    return tmp_path / "many"


def command(source, out):
    """`crop_faces` on two Dask processes, in a session of its own."""
    words = [sys.executable, "-m", "data_scripts.crop_faces", source, out, "--jobs", "2", "--size", "64", "--quiet"]
    root = Path(steps.__file__).parents[2]
    return subprocess.Popen([*map(str, words)], stdout=subprocess.DEVNULL, cwd=root, start_new_session=True)


def alive(group):
    """Numbers of the processes of a group that still run; zombies do not count."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # ended while we looked
            state, _, its_group = path.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state != "Z":
                found.append(int(path.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_a_killed_client_takes_its_workers_along_and_the_same_command_goes_on(many, tmp_path):
    """The client is killed when the first clips are done; the next one does not wait for its workers to notice."""
    calm, out = tmp_path / "calm", tmp_path / "out"
    assert crop_faces.main([str(many), str(calm), "--size", "64", "--quiet"]) == 0, "in this process, without Dask"
    client, until = command(many, out), time.monotonic() + PATIENCE
    while not (out / "journal.jsonl").exists() or not once(out):
        assert client.poll() is None, "ended before it was killed"
        assert time.monotonic() < until, "nothing was done"
        time.sleep(0.005)
    assert len(alive(client.pid)) > 2, "client and two workers"
    client.kill()
    assert client.wait(PATIENCE) == -signal.SIGKILL
    assert not (out / "manifest.csv").exists(), "killed too late"
    first = (out / "journal.jsonl").read_bytes()
    assert command(many, out).wait(PATIENCE) == 0
    assert (out / "journal.jsonl").read_bytes().startswith(first[: first.rfind(b"\n") + 1]), "what is done stays"
    assert once(out) == [row["clip_id"] for row in clips(96)]
    one, two = contents(calm), contents(out)
    del one["journal.jsonl"], two["journal.jsonl"]  # in the order in which they were done
    assert two == one
    assert len(one) == 96 * 2 + 2, "sound and face of all, step.json, manifest.csv"
    while alive(client.pid) and time.monotonic() < until + PATIENCE:
        time.sleep(0.1)
    assert not alive(client.pid)
