"""Readers of foreign files against a few hundred damaged ones: an error of ours or a right answer, in bounded time."""

import contextlib
import resource
from pathlib import Path

import numpy as np
import pytest

from s2f_lib import audio, media
from s2f_lib.corpus import avspeech, manifest, shards, voxceleb, workers

av = pytest.importorskip("av")
SECONDS = 20.0  # for one file


def mutations(data, count, seed):
    """Copies of a file with bytes changed, cut out, doubled or set to extreme numbers."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        copy = bytearray(data)
        for _ in range(random.integers(1, 6)):
            place, length = int(random.integers(max(1, len(copy)))), int(random.integers(1, 9))
            kind = random.integers(6)
            if kind == 0:
                copy[place : place + length] = random.bytes(length)
            elif kind == 1:
                del copy[place : place + int(random.integers(1, 64))]
            elif kind == 2:
                copy[place:place] = copy[place : place + 200]
            elif kind == 3:
                copy[place : place + 4] = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff")[random.integers(3)]
            elif kind == 4:
                copy[place : place + 1] = bytes([copy[place] ^ (1 << int(random.integers(8)))]) if copy else b""
            elif random.integers(4) == 0:
                del copy[place:]
        yield bytes(copy)


# --- video and sound


def film(path, codecs=("libx264", "aac")):
    with av.open(str(path), "w") as out:
        picture = out.add_stream(codecs[0], rate=10, options={"g": "5"})
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        sound = out.add_stream(codecs[1], rate=48_000, layout="stereo")
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 10 * number, np.uint8), format="rgb24")
            frame.pts = number
            out.mux(picture.encode(frame))
        wave = 0.3 * np.sin(np.arange(96_000) / 9).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = 48_000, 0
        out.mux(sound.encode(frame))
        for stream in (picture, sound):
            out.mux(stream.encode(None))
    return path


def look(path):
    """What a corpus does with a video; "read", the message of our error, or the name of any other."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()  # torch: 3 GB
    resource.setrlimit(resource.RLIMIT_AS, (used + (3 << 30), resource.RLIM_INFINITY))
    told = []
    for read in (media.probe, lambda p: media.read_frames(p, [0.5, 1.2]), lambda p: audio.load(p, 0.2, 1.8)):
        try:
            read(path)
            told.append("read")
        except audio.AudioError as error:
            told.append("refused" if path.name in str(error) else f"no name in {error}")
        except Exception as error:
            told.append(f"{type(error).__name__}: {error}")
    return told


@pytest.mark.parametrize("name", ["x.mp4", "x.mkv", "x.webm", "x.avi", "x.flac", "x.wav", "x.mp3"])
def test_damaged_videos_and_recordings(tmp_path, name):
    if name.endswith((".flac", ".wav", ".mp3")):
        import soundfile

        soundfile.write(tmp_path / name, 0.3 * np.sin(np.arange(32_000) / 9), 16_000)
    else:
        film(
            tmp_path / name, {"x.webm": ("libvpx", "libopus"), "x.avi": ("mpeg4", "mp2")}.get(name, ("libx264", "aac"))
        )
    paths = []
    for number, data in enumerate(mutations((tmp_path / name).read_bytes(), 25, seed=sum(name.encode()))):
        paths.append(tmp_path / f"{number}{name}")
        paths[-1].write_bytes(data)
    results = list(workers.run(look, paths, isolated=SECONDS, progress=False))
    assert sorted(path for path, _ in results) == sorted(paths), "every file is accounted for"
    told = [word for _, result in results if not isinstance(result, workers.WorkerDied) for word in result]
    assert set(told) <= {"read", "refused"}
    assert "read" in told


# --- shards


def test_damaged_shards_are_refused_or_whole(tmp_path):
    samples = [
        (f"c{n}", {"wav": np.full(900, n, np.int16), "v_f.npy": np.full(8, n, np.float16), "json": {"speaker_id": "a"}})
        for n in range(6)
    ]
    whole = shards.write_shard(tmp_path / "x.tar", samples)
    checksum, path = shards.storage.measure(whole)["sha256"], tmp_path / "y.tar"
    refused = 0
    for data in mutations(whole.read_bytes(), 150, seed=4):
        path.write_bytes(data)
        same = data == whole.read_bytes()
        try:
            read = list(shards.read_samples(path))
            assert all(isinstance(sample["json"], dict) for _, sample in read if "json" in sample)
        except ValueError as error:
            refused += str(path) in str(error)
        if same:
            assert len(list(shards.read_samples(path, sha256=checksum))) == 6
        else:
            with pytest.raises(shards.ShardError, match="not the shard that was written"):
                next(shards.read_samples(path, sha256=checksum))
    assert refused > 40


# --- lists and tables


def test_damaged_lists_lose_only_the_lines_that_are_damaged(tmp_path):
    lines = [f"video{n:05d}x,{n}.0,{n + 4}.5,0.5,0.25" for n in range(300)]
    for data in mutations("\n".join(lines).encode(), 100, seed=5):
        (tmp_path / "x.csv").write_bytes(data)
        rows = list(avspeech.VideoList(tmp_path / "x.csv"))
        untouched = set(lines) & set(data.decode(errors="replace").split("\n"))
        good = {row["video_id"] for row in rows if row["status"] == "ok"}
        assert {line.partition(",")[0] for line in untouched} <= good
        assert len({row["clip_id"] for row in rows}) == len(rows)
        manifest.write(tmp_path / "m.csv", rows)
        assert [row["clip_id"] for row in manifest.read(tmp_path / "m.csv")] == [row["clip_id"] for row in rows]


def test_damaged_tables_lose_only_the_lines_that_are_damaged(tmp_path):
    head = "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet"
    lines = [f"id1{n:04d}\tSome_One{n}\tf\tUK\tdev" for n in range(200)]
    for data in mutations("\n".join(lines).encode(), 100, seed=6):
        (tmp_path / "x.csv").write_bytes(head.encode() + b"\n" + data)
        meta = voxceleb.read_meta(tmp_path / "x.csv")
        untouched = set(lines) & set(data.decode(errors="replace").split("\n"))
        assert all(line.partition("\t")[0] in meta for line in untouched)


def test_damaged_manifests_are_read_or_named(tmp_path):
    usual = {"speaker_id": "s", "video_id": "v", "split": "", "status": "ok", "reason": ""}
    rows = [{"clip_id": f"c{n}", **usual} for n in range(99)]
    whole = manifest.write(tmp_path / "m.csv", rows).read_bytes()
    for data in mutations(whole, 100, seed=7):
        (tmp_path / "x.csv").write_bytes(data)
        with contextlib.suppress(ValueError):
            assert all(None not in row.values() for row in manifest.read(tmp_path / "x.csv"))
