"""Shards are plain tars: equal content gives equal bytes, other tools can read them, hostile ones are refused."""

import io
import pickle
import tarfile
import wave
from itertools import pairwise

import numpy as np
import pytest

from s2f_lib import media
from s2f_lib.corpus import shards
from s2f_lib.corpus.stream import ShardSource
from s2f_lib.training.sources import Plan


def sample(i, speaker="a", samples=800):
    random = np.random.default_rng(i)
    return {
        "wav": random.integers(-9999, 9999, samples).astype(np.int16),
        "jpg": np.full((16, 16, 3), 40 + i, np.uint8),
        "json": {"speaker_id": speaker, "number": i},
        "v_f.npy": np.full(8, i, np.float16),
        "logits.npy": np.arange(3, dtype=np.float32) + i,
    }


def make(path, numbers):
    return shards.write_shard(path, [(f"clip{i:03d}", sample(i, "ab"[i % 2])) for i in numbers])


def test_samples_come_back(tmp_path):
    path = make(tmp_path / "x.tar", range(5))
    back = dict(shards.read_samples(path))
    assert list(back) == [f"clip{i:03d}" for i in range(5)]
    for i in range(5):
        given, got = sample(i), back[f"clip{i:03d}"]
        np.testing.assert_array_equal(got["wav"], given["wav"])
        np.testing.assert_array_equal(got["v_f.npy"], given["v_f.npy"])
        assert np.abs(got["jpg"].astype(int) - given["jpg"]).max() <= 2
        assert got["json"]["number"] == i
    only = dict(shards.read_samples(path, ["json"]))
    assert set(only["clip001"]) == {"json"}


def test_equal_content_gives_equal_bytes(tmp_path):
    one, two = make(tmp_path / "1.tar", range(3)), make(tmp_path / "2.tar", range(3))
    assert one.read_bytes() == two.read_bytes()


def test_the_standard_library_reads_them(tmp_path):
    with tarfile.open(make(tmp_path / "x.tar", range(2))) as tar, wave.open(tar.extractfile("clip001.wav")) as sound:
        assert (sound.getframerate(), sound.getnframes()) == (16_000, 800)


def test_webdataset_reads_them(tmp_path):
    webdataset = pytest.importorskip("webdataset")
    path = make(tmp_path / "x.tar", range(3))
    read = list(webdataset.WebDataset(str(path), shardshuffle=False).decode())
    assert [item["__key__"] for item in read] == ["clip000", "clip001", "clip002"]
    np.testing.assert_array_equal(read[2]["v_f.npy"], np.full(8, 2))
    assert read[1]["json"]["number"] == 1


def test_flac_is_lossless():
    pytest.importorskip("soundfile")
    sound = sample(1)["wav"]
    np.testing.assert_array_equal(shards.decode("flac", shards.encode("flac", sound)), sound)
    np.testing.assert_array_equal(
        shards.decode("wav", shards.encode("wav", np.array([-1.0, 0.0, 1.0, 2.0]))), [-32767, 0, 32767, 32767]
    )


# --- hostile shards


def hostile(path, *members):
    with tarfile.open(path, "w") as tar:
        for member, data in members:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.parametrize("name", ["../../etc/x.wav", "/etc/x.wav", "a/b.wav", "naïve.wav", "a" * 200 + ".wav"])
def test_names_that_leave_the_folder_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"may not be a file name|no plain file"):
        list(shards.read_samples(hostile(tmp_path / "x.tar", (tarfile.TarInfo(name), b"x"))))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    member = tarfile.TarInfo("a.wav")
    member.type, member.linkname = kind, "/etc/passwd"
    with pytest.raises(ValueError, match="no plain file"):
        list(shards.read_samples(hostile(tmp_path / "x.tar", (member, b""))))


def test_giant_members_and_pictures_are_refused(tmp_path, monkeypatch):
    path = make(tmp_path / "x.tar", range(1))
    monkeypatch.setattr(media, "MAX_PIXELS", 100)
    with pytest.raises(ValueError, match="16 x 16 pixels are refused"):
        list(shards.read_samples(path))
    with monkeypatch.context() as patch:
        patch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 100)  # Pillow refuses twice as many, with an error of its own
        with pytest.raises(ValueError, match="refused as too large: Image size"):
            list(shards.read_samples(path))
    monkeypatch.setattr(shards, "MAX_MEMBER", 100)
    with pytest.raises(ValueError, match="no plain file of at most"):
        list(shards.read_samples(path))


def test_pickles_are_never_loaded(tmp_path):
    class Harm:
        def __reduce__(self):
            return (open, (str(tmp_path / "harm"), "w"))

    buffer = io.BytesIO()
    np.save(buffer, np.array([Harm()], dtype=object), allow_pickle=True)
    for ending, data in (("v_f.npy", buffer.getvalue()), ("v_f.npy", pickle.dumps(Harm()))):
        with pytest.raises(ValueError, match=r"pickle|magic string"):
            shards.decode(ending, data)
    assert shards.decode("pkl", b"kept as bytes") == b"kept as bytes"
    assert not (tmp_path / "harm").exists()


def test_a_truncated_shard_is_named(tmp_path):
    whole = make(tmp_path / "x.tar", range(4)).read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="damaged"):
        list(shards.read_samples(tmp_path / "cut.tar"))
    (tmp_path / "page.tar").write_text("<!DOCTYPE html>" * 100)
    with pytest.raises(ValueError, match="no tar file"):
        list(shards.read_samples(tmp_path / "page.tar"))


def test_what_cannot_be_stored_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no way to store 'xyz'"):
        shards.write_shard(tmp_path / "x.tar", [("a", {"xyz": 1})])
    with pytest.raises(ValueError, match="mono"):
        shards.write_shard(tmp_path / "x.tar", [("a", {"wav": np.zeros((2, 9))})])
    with pytest.raises(ValueError, match="may not be a file name"):
        shards.write_shard(tmp_path / "x.tar", [("../a", {"json": 1})])
    assert not list(tmp_path.iterdir()), "nothing half-written"


# --- the stream


@pytest.fixture
def source(tmp_path):
    """23 clips in four shards of unequal size; clip number i has v_f full of i."""
    cuts = [0, 5, 6, 17, 23]
    paths = [(make(tmp_path / f"{k}.tar", range(a, b)), b - a, None) for k, (a, b) in enumerate(pairwise(cuts))]
    return ShardSource(paths, {"a": 0, "b": 1}, window=2)


def take(source, plan, steps, start=0):
    return [batch for batch, _ in zip(source.batches(plan, start), range(steps))]


def numbers(batches):
    return [int(n) for batch in batches for n in batch["v_f"][:, 0]]


def test_an_epoch_has_every_clip_once(source):
    seen = numbers(take(source, Plan(batch_size=1), 46))
    assert sorted(seen[:23]) == sorted(seen[23:]) == list(range(23))
    assert seen[:23] != list(range(23)), "shuffled"
    assert seen[:23] != seen[23:], "anew in every epoch"


def test_what_belongs_together_stays_together(source):
    batch = take(source, Plan(batch_size=8), 1)[0]
    assert batch["waveform"].shape == (8, 800)
    for k, i in enumerate(numbers([batch])):
        np.testing.assert_array_equal(batch["waveform"][k], sample(i)["wav"])
        assert batch["speaker"][k] == i % 2
        assert batch["logits"][k, 2] == i + 2
        assert batch["clip"][k] == i


def test_starting_again_goes_on_as_if_nothing_had_happened(source):
    plan = Plan(batch_size=4, seed=5, random_start=True)
    through = take(source, plan, 14)
    for start in (1, 5, 6, 11):
        again = take(source, plan, 2, start)
        for one, two in zip(through[start:], again):
            np.testing.assert_array_equal(one["waveform"], two["waveform"])
            np.testing.assert_array_equal(one["v_f"], two["v_f"])


def test_two_processes_see_together_what_one_sees(source):
    alone = take(source, Plan(batch_size=4), 6)
    parts = [take(source, Plan(batch_size=4, rank=rank, world=2), 6) for rank in (0, 1)]
    for whole, first, second in zip(alone, *parts):
        np.testing.assert_array_equal(whole["clip"], [*first["clip"], *second["clip"]])


def test_cutting_and_the_mean_feature(source):
    assert take(source, Plan(batch_size=2, seconds=0.02), 1)[0]["waveform"].shape == (2, 320)
    np.testing.assert_allclose(source.mean_feature, np.full(8, 11.0))
    assert len(source) == 23


def test_a_source_travels_to_another_process(source):
    take(source, Plan(batch_size=2), 1)
    there = pickle.loads(pickle.dumps(source))
    assert numbers(take(there, Plan(batch_size=2), 3)) == numbers(take(source, Plan(batch_size=2), 3))


def test_missing_features_say_what_to_do(tmp_path):
    bare = sample(0)
    del bare["v_f.npy"], bare["logits.npy"]
    path = shards.write_shard(tmp_path / "x.tar", [("a", bare)])
    source = ShardSource([(path, 1, None)], {"a": 0})
    assert "v_f" not in take(source, Plan(batch_size=1), 1)[0]
    with pytest.raises(ValueError, match="extract_features"):
        _ = source.mean_feature
    with pytest.raises(ValueError, match=r"holds 1 clips, corpus\.json says 2"):
        take(ShardSource([(path, 2, None)], {"a": 0}), Plan(batch_size=1), 1)
