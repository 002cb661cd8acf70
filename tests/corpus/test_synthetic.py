"""A synthetic corpus is a function of its settings, whatever happens while it is made."""

import errno
import multiprocessing
import os
import signal
import tarfile
import time

import numpy as np
import pytest

from data_scripts import make_synthetic
from s2f_lib import cli, corpus
from s2f_lib.corpus import shards, storage, synthetic

SETTINGS = synthetic.SyntheticConfig(people=8, pictures=1, clips=1, size=16, seed=7)


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch):
    monkeypatch.setattr(synthetic, "PEOPLE_PER_SHARD", 2)


def make(folder, settings=SETTINGS, **options):
    return synthetic.make(folder, settings, progress=False, **options)


def contents(folder):
    """Name -> bytes of everything a reader of the corpus sees."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The corpus as an undisturbed run makes it."""
    folder = tmp_path_factory.mktemp("reference")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "PEOPLE_PER_SHARD", 2)
        make(folder)
    return folder


def test_things_that_are_worn_are_in_the_manifest(tmp_path, reference):
    """With `wear` another picture of the same people, and a column that says what is worn; without, no such column."""
    settings = synthetic.SyntheticConfig(people=8, pictures=1, clips=1, size=16, seed=7, wear=("sunglasses", "cap"))
    rows = make(tmp_path / "worn", settings)
    assert {row["wear"] for row in rows} == {"cap+sunglasses"}
    bare = {clip["json"]["clip_id"]: clip for clip in corpus.open(reference).clips("test")}
    for clip in corpus.open(tmp_path / "worn").clips("test"):
        assert clip["json"]["wear"] == "cap+sunglasses"
        assert "wear" not in bare[clip["json"]["clip_id"]]["json"]
        assert not np.array_equal(clip["jpg"], bare[clip["json"]["clip_id"]]["jpg"])
        assert np.array_equal(clip["wav"], bare[clip["json"]["clip_id"]]["wav"])
    mixed = make(tmp_path / "mixed", synthetic.SyntheticConfig(**{**vars(SETTINGS), "pictures": 2, "wear": ("any",)}))
    assert all(len(row["wear"].split()) == 2 for row in mixed)
    assert len({row["wear"] for row in mixed}) > 2


def test_the_command_passes_on_what_is_worn(tmp_path, capsys):
    options = ["--people", "2", "--pictures", "1", "--clips", "1", "--size", "16", "--quiet"]
    assert make_synthetic.main([str(tmp_path / "a"), *options, "--wear", "cap, glasses"]) == 0
    assert "cap+glasses" in (tmp_path / "a" / "manifest.csv").read_text()
    with pytest.raises(ValueError, match="unknown accessory 'sombrero'; known: cap"):
        make_synthetic.main([str(tmp_path / "b"), *options, "--wear", "sombrero"])
    assert not (tmp_path / "b").exists()


def test_the_corpus_holds_what_it_says(reference):
    clips = corpus.open(reference)
    assert len(clips) == 8
    assert clips.summary()["speakers"].tolist() == [6, 1, 1]
    seen = {}
    for split in ("train", "validation", "test"):
        for clip in clips.clips(split):
            seen[clip["json"]["speaker_id"]] = split
            assert clip["wav"].shape == (96_000,)
            assert np.abs(clip["wav"]).max() > 1000
            assert clip["jpg"].shape == (16, 16, 3)
            assert clip["json"]["sentences"] == ("train" if split == "train" else "test")
    assert len(seen) == 8
    assert {s: [k for k, v in seen.items() if v == s] for s in seen.values()} == clips.splits


def test_voice_and_face_are_those_of_the_person(reference):
    from s2f_lib import people
    from s2f_lib.people.speech import speak

    person = people.sample(8, seed=7)[3]
    clip = next(
        c for s in ("train", "validation", "test") for c in corpus.open(reference).clips(s) if "03c" in c["clip_id"]
    )
    sentences = clip["json"]["sentences"]
    np.testing.assert_allclose(clip["wav"] / 32_767, speak(person, 0, sentences=sentences), atol=1e-4)
    assert clip["json"]["sex"] == person.sex
    assert clip["json"]["language"] == person.language


def test_two_processes_make_the_same_bytes(reference, tmp_path):
    make(tmp_path, jobs=2)
    assert contents(tmp_path) == contents(reference)


def test_a_second_call_makes_nothing_new(reference):
    before = {path: path.stat().st_mtime_ns for path in (reference / "shards").iterdir()}
    make(reference)
    assert {path: path.stat().st_mtime_ns for path in (reference / "shards").iterdir()} == before


def die_after(folder, calls):
    """In a child process: make the corpus, and die without any clean-up at the given write."""
    encode, left = shards.encode, [calls]

    def deadly(ending, value):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return encode(ending, value)

    shards.encode = deadly
    make(folder)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_any_write_it_ends_the_same(reference, tmp_path):
    """24 writes in all (3 per clip): dies after 1, 5, 2, 9 and 4 more of them."""
    fork = multiprocessing.get_context("fork")
    for calls in (1, 5, 2, 9, 4):
        child = fork.Process(target=die_after, args=(tmp_path, calls))
        child.start()
        child.join()
        assert child.exitcode == -signal.SIGKILL
        for path in (tmp_path / "shards").glob("[!.]*.tar"):
            assert path.read_bytes() == (reference / "shards" / path.name).read_bytes(), "half a shard under its name"
    make(tmp_path)
    assert contents(tmp_path) == contents(reference), "no left-over, no difference"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_with_its_workers_at_any_time_it_ends_the_same(reference, tmp_path):
    fork = multiprocessing.get_context("fork")
    for delay in (0.05, 0.3):
        child = fork.Process(target=make, args=(tmp_path,), kwargs={"jobs": 2})
        child.start()
        time.sleep(delay)
        child.kill()
        child.join()
    make(tmp_path)
    assert contents(tmp_path) == contents(reference)


def test_limit_stops_early_and_the_next_call_goes_on(reference, tmp_path):
    rows = make(tmp_path, limit=3)
    assert sum(row["status"] == "ok" for row in rows) == 4, "whole shards"
    assert sum(row["status"] == "waiting" for row in rows) == 4
    with pytest.raises(FileNotFoundError, match=r"corpus\.json is missing"):
        corpus.open(tmp_path)
    make(tmp_path)
    assert contents(tmp_path) == contents(reference)


def test_other_settings_need_another_folder(reference, tmp_path):
    make(tmp_path, limit=1)
    other = synthetic.SyntheticConfig(people=3, pictures=1, clips=1, size=16, seed=8)
    with pytest.raises(ValueError, match=r"people 8 instead of 3; seed 7 instead of 8.; choose another folder"):
        make(tmp_path, other)
    make(tmp_path, other, overwrite=True)
    assert len(corpus.open(tmp_path)) == 3


def test_the_default_corpus_is_made_once_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("S2F_HOME", str(tmp_path))
    monkeypatch.setattr(corpus.folder, "DEFAULT", corpus.folder.DEFAULT | {"people": 3, "clips": 1, "size": 16})
    assert corpus.open("synthetic").summary()["clips"].tolist() == [1, 1, 1]
    monkeypatch.setattr(synthetic, "make", None)  # the second time nothing is made
    assert corpus.open("synthetic").folder == tmp_path / "corpora" / "synthetic-3-physiology-0"


def test_pictures_are_dealt_out_to_clips():
    settings = synthetic.SyntheticConfig(pictures=4, clips=2)
    assert [synthetic._pictures(settings, clip) for clip in (0, 1)] == [[0, 2], [1, 3]]
    settings = synthetic.SyntheticConfig(pictures=1, clips=2)
    assert [synthetic._pictures(settings, clip) for clip in (0, 1)] == [[0], [0]]
    assert synthetic._pictures(synthetic.SyntheticConfig(pictures=0), 0) == []


def test_a_full_disk_keeps_what_is_complete_and_nothing_else(reference, tmp_path, monkeypatch):
    addfile, left = tarfile.TarFile.addfile, [8]

    def full(self, member, fileobj=None):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return addfile(self, member, fileobj)

    monkeypatch.setattr(tarfile.TarFile, "addfile", full)
    with pytest.raises(OSError, match="the disk is full; free some space and run again"):
        make(tmp_path)
    assert [path.name for path in (tmp_path / "shards").iterdir()] == ["train-000000.tar"]
    monkeypatch.undo()
    monkeypatch.setattr(synthetic, "PEOPLE_PER_SHARD", 2)
    make(tmp_path)
    assert contents(tmp_path) == contents(reference)


def test_two_runs_in_one_folder_are_kept_apart(tmp_path):
    fork = multiprocessing.get_context("fork")
    with storage.lock(tmp_path):
        child = fork.Process(target=make, args=(tmp_path,))
        child.start()
        child.join()
    assert child.exitcode == 1
    assert not (tmp_path / "shards").exists()


# --- the command


def command(*arguments):
    return cli.guarded(lambda: make_synthetic.main([*map(str, arguments), "--quiet"]))


def test_the_command_makes_the_same_corpus(reference, tmp_path, capsys):
    options = ("--people", 8, "--pictures", 1, "--clips", 1, "--size", 16, "--seed", 7)
    assert command(tmp_path / "c", *options, "--dry-run") == 0
    assert not (tmp_path / "c").exists(), "a dry run writes nothing"
    assert command(tmp_path / "c", *options) == 0
    assert "made 8 of 8 clips" in capsys.readouterr().out
    assert contents(tmp_path / "c") == contents(reference)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--people", 0), "people must be at least 1, got 0"),
        (("--clips", 0), "clips must be at least 1"),
        (("--size", 2), "size must be at least 16"),
        (("--world", "flat"), "flat"),
    ],
)
def test_impossible_wishes_write_nothing(tmp_path, capsys, options, message):
    assert command(tmp_path / "c", *options) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "c").exists()


def test_an_unwritable_folder_and_a_small_disk_are_named(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("")
    assert command(tmp_path / "file" / "c", "--people", 3, "--pictures", 0, "--clips", 1) == 2
    assert "is a file, not a folder" in capsys.readouterr().err
    monkeypatch.setattr(make_synthetic._common.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    assert command(tmp_path / "c", "--people", 3) == 2
    assert "are needed and 0 MB are free" in capsys.readouterr().err
    assert not (tmp_path / "c").exists()
