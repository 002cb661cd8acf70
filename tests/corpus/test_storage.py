"""A corpus at an address is the same as one in a folder, and nothing half-written ever has a final name."""

import errno
import json
from pathlib import Path

import numpy as np
import pytest

from data_scripts import build_shards, crop_faces
from s2f_lib import cli, corpus
from s2f_lib.corpus import build, manifest, splits, storage
from s2f_lib.training.sources import Plan

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def address():
    """A folder in the memory of this process, emptied afterwards."""
    yield "memory://corpora/mine"
    memory = fsspec.filesystem("memory")
    if memory.exists("/corpora"):
        memory.rm("/corpora", recursive=True)


def make(pairs, parts, out, **options):
    return build.build(pairs, pairs, parts, out, clips_per_shard=3, progress=False, **options)


def contents(folder):
    """Bytes of all files below a place, by their names."""
    folder = storage.resolve(folder)
    found = {}
    for path in [*folder.glob("*"), *folder.glob("shards/*")]:
        name = str(path).removeprefix(str(folder))
        if isinstance(path, storage.Address) or path.is_file():
            with path.open("rb") as file:
                found[name] = file.read()
    return found


def test_names_and_addresses(tmp_path):
    assert (
        storage.resolve(str(tmp_path)) == storage.resolve(tmp_path) == storage.resolve(f"file://{tmp_path}") == tmp_path
    )
    assert str(storage.resolve("s3://bucket/mine/") / "a.tar") == "s3://bucket/mine/a.tar"
    assert storage.resolve(storage.resolve("s3://bucket/x")) == storage.Address("s3://bucket/x")
    with pytest.raises(ValueError, match="lost a slash"):
        storage.resolve(Path("s3://bucket/mine"))
    with pytest.raises(ValueError, match="names no folder"):
        storage.resolve("memory://")


@pytest.mark.parametrize("kind", ["memory", "local", "file"])
def test_a_corpus_at_an_address_is_that_of_a_folder(pairs, parts, tmp_path, address, kind):
    out = address if kind == "memory" else f"{kind}://{tmp_path}/there"
    make(pairs, parts, tmp_path / "folder")
    make(pairs, parts, out)
    here, there = contents(tmp_path / "folder"), contents(out)
    assert sorted(there) == sorted(here)
    assert len([name for name in there if name.endswith(".tar")]) == 5
    assert there == here
    clips = corpus.open(out)
    assert sum(1 for split in clips.splits for _ in clips.clips(split)) == len(clips) == 12
    assert [clip["clip_id"] for clip in clips.clips("test")] == [
        clip["clip_id"] for clip in corpus.open(tmp_path / "folder").clips("test")
    ]


def test_training_reads_the_same_batches_from_both(pairs, parts, tmp_path, address):
    make(pairs, parts, tmp_path / "folder")
    make(pairs, parts, address)
    plan = Plan(batch_size=4, seconds=1.0, random_start=True)
    for part in ("train", "validation"):
        near, far = corpus.open(tmp_path / "folder").source(part), corpus.open(address).source(part)
        np.testing.assert_array_equal(near.mean_feature, far.mean_feature)
        for one, two, _ in zip(near.batches(plan), far.batches(plan), range(4)):
            assert sorted(one) == sorted(two)
            for name in one:
                np.testing.assert_array_equal(one[name], two[name])


def test_a_second_call_writes_only_what_is_missing(pairs, parts, address, monkeypatch):
    make(pairs, parts, address)
    before, written = contents(address), []
    (storage.resolve(address) / "shards" / "train-000001.tar").unlink()
    (storage.resolve(address) / "corpus.json").unlink()
    (storage.resolve(address) / "shards" / ".0a.partial.tar").open("wb").close()  # left by a worker that was killed
    real = build.write_shard
    monkeypatch.setattr(build, "write_shard", lambda path, samples: written.append(str(path)) or real(path, samples))
    make(pairs, parts, address)
    assert written == [f"{address}/shards/train-000001.tar"]
    assert contents(address) == before
    with pytest.raises(ValueError, match=r"something else .plan "):
        build.build(pairs, pairs, parts, address, clips_per_shard=4, progress=False)
    build.build(pairs, pairs, parts, address, clips_per_shard=4, progress=False, overwrite=True)
    assert len([name for name in contents(address) if name.endswith(".tar")]) == 4


def half_written(path, error):
    with storage.atomic_write(path) as file:
        file.write(b"half")
        raise error


@pytest.mark.parametrize("out", ["memory://corpora/mine", "local://{}/mine"])
def test_a_write_that_fails_leaves_nothing(tmp_path, out):
    folder = storage.resolve(out.format(tmp_path))
    with storage.atomic_write(folder / "a.txt", "w") as file:
        file.write("whole ü")
    for name, error, told in (
        ("a.txt", OSError(errno.ENOSPC, "No space left on device"), "disk is full"),
        ("b.txt", KeyError("b"), "b"),
    ):
        with pytest.raises(type(error), match=told):
            half_written(folder / name, error)
    assert [str(path).rpartition("/")[2] for path in folder.glob("*")] == ["a.txt"]
    assert (folder / "a.txt").read_text() == "whole ü"
    (folder / "a.txt").unlink()


def test_a_shard_that_others_do_not_see_is_told(pairs, parts, address, monkeypatch):
    monkeypatch.setattr(build, "write_shard", lambda path, samples: None)
    with pytest.raises(RuntimeError, match="must see the same place"):
        make(pairs, parts, address)


def test_commands_say_which_of_them_take_an_address(pairs, parts, tmp_path, address, capsys):
    splits.save(tmp_path / "splits.json", parts)
    more = ("--features", str(pairs), "--splits", str(tmp_path / "splits.json"), "--quiet")
    assert cli.guarded(lambda: build_shards.main([str(pairs), address, *more])) == 0
    assert f"packed 12 of 12 clips -> {address}/manifest.csv" in capsys.readouterr().out
    assert len(corpus.open(address)) == 12
    for module, words, told in (
        (build_shards, ("memory://", *more), "names no folder"),
        (crop_faces, ("s3://bucket/pairs",), "wants a folder of this machine"),
    ):
        with pytest.raises(SystemExit) as ended:
            module.main([str(pairs), *words])
        assert ended.value.code == 2
        assert told in capsys.readouterr().err


def test_missing_corpora_and_unknown_protocols_are_named():
    with pytest.raises(FileNotFoundError, match=r"no corpus in memory://corpora/none \(corpus\.json is missing\)"):
        corpus.open("memory://corpora/none")
    with pytest.raises(ValueError, match="Protocol not known: nosuch"):
        corpus.open("nosuch://bucket/x")


def test_only_files_that_match_are_removed(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("a/x.tar", "a/.x.partial.tar", "keep.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "link.tar").symlink_to(tmp_path / "keep.txt")
    storage.remove(tmp_path, ("*/*.tar", "*.tar", "a"))
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a", "keep.txt"]


@pytest.mark.parametrize(
    "content", ["", "[]", '{"step": 1, "settings": 1}', '{"train": 1, "validation": 1, "test": 1}']
)
def test_a_damaged_note_of_a_folder_is_named(tmp_path, content):
    for name in ("step.json", "splits.json"):
        (tmp_path / name).write_text(content)
    with (
        pytest.raises(ValueError, match=r"step\.json is damaged|holds something else"),
        storage.claimed(tmp_path, "step.json", {"step": "crop", "settings": {"size": 1}}),
    ):
        pass
    with pytest.raises(ValueError, match=r"splits\.json"):
        splits.load(tmp_path / "splits.json")


@pytest.mark.parametrize("wrong", [{"clips": "3"}, {"sha256": 5}, {"name": None}, {"bytes": 1.5}])
def test_a_damaged_list_of_shards_is_named(tmp_path, wrong):
    shard = {"name": "train-000000.tar", "split": "train", "clips": 3, "bytes": 9, "sha256": "0" * 64} | wrong
    (tmp_path / "corpus.json").write_text(json.dumps({"kind": "synthetic", "shards": [shard]}))
    with pytest.raises(ValueError, match=r"corpus\.json is damaged"):
        corpus.open(tmp_path)


def test_a_clip_that_is_there_twice_ends_every_reading(tmp_path):
    row = "c1,s,v,,ok,\n"
    (tmp_path / "m.csv").write_text("clip_id,speaker_id,video_id,split,status,reason\n" + row + row)
    with pytest.raises(ValueError, match="in the list twice"):
        list(manifest.Table(tmp_path / "m.csv"))
