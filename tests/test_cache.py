"""What is kept is never stale, never half, never made twice at once, and a damaged file is made anew."""

import errno
import multiprocessing
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from s2f_lib import io
from s2f_lib.io import cache, files


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("S2F_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def never():
    raise AssertionError("this is in the cache")


# --- single arrays


def test_an_array_is_made_once_for_each_thing_that_it_depends_on():
    for seed in (1, 2):
        made = cache.array("test/a", [seed, "v1"], lambda seed=seed: np.full(3, seed))
        assert np.array_equal(made, np.full(3, seed))
    assert np.array_equal(cache.array("test/a", [1, "v1"], never), np.full(3, 1))
    assert np.array_equal(cache.array("test/a", [2, "v1"], never), np.full(3, 2))
    with pytest.raises(AssertionError):
        cache.array("test/a", [1, "v2"], never)


def test_arrays_come_back_with_their_names_and_types():
    made = {"v_f": np.eye(2, dtype=np.float16), "status": np.array(1), "words": np.array(["a", "bc"])}
    cache.arrays("test/b", {"key": 1}, lambda: made)
    back = cache.arrays("test/b", {"key": 1}, never)
    assert back.keys() == made.keys()
    for name, value in made.items():
        assert back[name].dtype == value.dtype
        np.testing.assert_array_equal(back[name], value)


def test_a_mapped_array_cannot_be_written(home):
    kept = cache.array("big", 1, lambda: np.arange(4), mmap=True)
    assert isinstance(kept, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        kept[0] = 1


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY\x01\x00", b"PK\x03\x04" + bytes(300), b"<html>quota</html>"])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_a_damaged_file_is_named_and_made_anew(damage, suffix):
    get, made = {".npy": (cache.array, np.arange(5)), ".npz": (cache.arrays, {"x": np.arange(5)})}[suffix]
    get("test/c", 7, lambda: made)
    path = cache.location("test/c", 7, suffix)
    path.write_bytes(damage)
    with pytest.warns(UserWarning, match=f"{path.name} is damaged .*made anew"):
        again = get("test/c", 7, lambda: made)
    assert np.array_equal(again if suffix == ".npy" else again["x"], np.arange(5))
    get("test/c", 7, never)


@pytest.mark.parametrize("kind", ["npy", "npz", "packed npz"])
@pytest.mark.filterwarnings("ignore:.*is damaged")
def test_whatever_damage_ends_in_the_array_or_in_none(kind, tmp_path):
    made, rng = {"x": np.arange(300).reshape(30, 10), "y": np.array(["a", "b"])}, np.random.default_rng(0)
    path, load = tmp_path / "x", np.load if kind == "npy" else cache._load_all
    with open(path, "wb") as file:
        {"npy": lambda f, **a: np.save(f, a["x"]), "npz": np.savez, "packed npz": np.savez_compressed}[kind](
            file, **made
        )
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    for _ in range(300):
        data = whole.copy()[: None if rng.random() < 0.8 else rng.integers(len(whole))]
        data[rng.integers(len(data) or 1, size=3 if len(data) else 0)] = rng.integers(256)
        path.write_bytes(data.tobytes())
        cache._read(path, load)


def test_a_cut_file_is_made_anew_also_when_it_is_mapped():
    cache.array("test/d", 1, lambda: np.arange(1000))
    path = cache.location("test/d", 1)
    os.truncate(path, 2000)
    with pytest.warns(UserWarning, match="damaged"):
        assert cache.array("test/d", 1, lambda: np.arange(1000), mmap=True)[-1] == 999


def test_objects_are_neither_kept_nor_read(home):
    with pytest.raises(ValueError, match="allow_pickle"):
        cache.array("test/e", 1, lambda: np.array([{}], dtype=object))
    assert not list(home.rglob("*.npy"))
    np.save(cache.location("test/e", 1).with_suffix(""), np.array([print], dtype=object), allow_pickle=True)
    with pytest.warns(UserWarning, match="damaged"):
        assert cache.array("test/e", 1, lambda: np.zeros(1)) == 0


def test_what_fails_is_not_kept(home):
    with pytest.raises(ZeroDivisionError):
        cache.array("test/f", 1, lambda: 1 / 0)
    assert not [path for path in home.rglob("*") if path.is_file()]


def test_only_what_is_missing_of_several_is_made():
    asked = []

    def make(missing):
        asked.append(missing)
        return [np.full(2, i) for i in missing]

    cache.several("test/g", [10, 11], make)
    back = cache.several("test/g", [9, 10, 12, 11], lambda missing: asked.append(missing) or [np.zeros(2)] * 2)
    assert asked == [[0, 1], [0, 2]]
    assert [one[0] for one in back] == [0, 0, 0, 1]


def test_a_file_is_measured_once_and_again_when_it_changes(tmp_path):
    calls = []

    def count(path):
        calls.append(path)
        return {"x": np.arange(3)}

    file, copy = tmp_path / "a.bin", tmp_path / "copy.bin"
    file.write_bytes(b"one")
    copy.write_bytes(b"one")
    for path in (file, file, copy):
        np.testing.assert_array_equal(cache.of_file("test-1", path, count)["x"], [0, 1, 2])
    assert len(calls) == 1
    file.write_bytes(b"two")
    cache.of_file("test-1", file, count)
    cache.of_file("test-2", file, count)
    assert len(calls) == 3


# --- sets that grow

ROWS = {"a": (np.int16, (3,)), "b": (np.float32, (2, 2))}


def pieces(done, count=10, size=3):
    for start in range(done, count, size):
        rows = np.arange(start, min(start + size, count))
        yield np.repeat(rows[:, None], 3, 1), np.repeat(rows, 4).reshape(-1, 2, 2)


def test_a_set_is_complete_mapped_and_read_only(tmp_path):
    made = cache.grow(tmp_path / "set", {"seed": 1}, 10, ROWS, pieces)
    assert np.array_equal(made["a"][:, 0], np.arange(10))
    assert made["a"].dtype == np.int16
    assert made["b"].shape == (10, 2, 2)
    assert not made["a"].flags.writeable
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == ["a.npy", "b.npy", "set.json"]
    assert len(cache.grow(tmp_path / "set", {"seed": 1}, 4, ROWS, never)["a"]) == 4
    assert len(cache.grow(tmp_path / "set", {"seed": 1}, 12, ROWS, lambda done: pieces(done, 12))["b"]) == 12


def test_a_set_of_something_else_is_refused(tmp_path):
    cache.grow(tmp_path, {"seed": 1, "size": 8}, 10, ROWS, pieces)
    with pytest.raises(cache.StaleCache, match=r"size 8 instead of 9\)"):
        cache.grow(tmp_path, {"seed": 1, "size": 9}, 10, ROWS, pieces)
    with pytest.raises(cache.StaleCache, match="world None instead of 'accent'"):
        cache.grow(tmp_path, {"seed": 1, "size": 8, "world": "accent"}, 10, ROWS, pieces)


def test_a_broken_off_set_goes_on_where_its_progress_was_noted(tmp_path):
    def broken(done):
        for number, part in enumerate(pieces(done)):
            if number == 2:
                raise KeyboardInterrupt
            yield part

    with pytest.raises(KeyboardInterrupt):
        cache.grow(tmp_path, {"seed": 1}, 10, ROWS, broken, every=3)
    starts = []
    made = cache.grow(tmp_path, {"seed": 1}, 10, ROWS, lambda done: starts.append(done) or pieces(done))
    assert starts == [6]
    assert np.array_equal(made["a"][:, 2], np.arange(10))


@pytest.mark.parametrize("name", ["a.npy", "set.json"])
def test_a_damaged_set_is_made_anew(tmp_path, name):
    cache.grow(tmp_path, {"seed": 1}, 10, ROWS, pieces)
    os.truncate(tmp_path / name, (tmp_path / name).stat().st_size - 5)
    with pytest.warns(UserWarning, match="damaged") if name == "a.npy" else pytest.MonkeyPatch.context():
        made = cache.grow(tmp_path, {"seed": 1}, 10, ROWS, pieces)
    assert np.array_equal(made["a"][:, 1], np.arange(10))


def test_rows_that_do_not_come_are_missed(tmp_path):
    with pytest.raises(ValueError, match="9 rows were made, 10 were wanted"):
        cache.grow(tmp_path, {"seed": 1}, 10, ROWS, lambda done: pieces(done, 9))


def test_a_disk_that_is_too_small_is_an_error_before_anything_is_mapped(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(OSError, match="the disk is full") as caught:
        cache.grow(tmp_path / "set", {"seed": 1}, 10, ROWS, never)
    assert caught.value.errno == errno.ENOSPC
    assert not list((tmp_path / "set").iterdir())


# --- company


def slow(calls):
    with open(calls, "a") as file:
        file.write("x")
    time.sleep(0.5)
    return np.arange(3)


def ask(calls, results):
    import warnings

    warnings.simplefilter("ignore")
    results.put(cache.array("company", 1, lambda: slow(calls)).tolist())


def test_of_two_processes_that_want_the_same_one_waits(tmp_path):
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    both = [context.Process(target=ask, args=(tmp_path / "calls", results)) for _ in range(2)]
    for one in both:
        one.start()
    assert [results.get(timeout=600) for _ in both] == [[0, 1, 2]] * 2
    for one in both:
        one.join()
    assert (tmp_path / "calls").read_text() == "x"


def grow_slowly(folder, results):
    import warnings

    warnings.simplefilter("ignore")

    def fill(done):
        for part in pieces(done):
            time.sleep(0.1)
            yield part

    results.put(cache.grow(folder, {"seed": 1}, 10, ROWS, fill)["a"][:, 0].tolist())


def test_two_processes_fill_a_set_once_and_both_get_all_of_it(tmp_path):
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    both = [context.Process(target=grow_slowly, args=(tmp_path / "set", results)) for _ in range(2)]
    for one in both:
        one.start()
        time.sleep(0.15)
    assert [results.get(timeout=600) for _ in both] == [list(range(10))] * 2
    for one in both:
        one.join()


def test_a_lock_refuses_a_second_holder_and_is_gone_afterwards(tmp_path):
    with io.locked(tmp_path / "run"):
        with (
            pytest.raises(io.BusyError, match="another training runs here; wait for it"),
            io.locked(tmp_path / "run", wait=False, busy="another training runs here"),
        ):
            never()
        with io.locked(tmp_path / "other", wait=False):
            pass
    with io.locked(tmp_path / "run", wait=False):
        pass
    assert not list(tmp_path.iterdir())


def test_a_lock_dies_with_its_holder(tmp_path):
    code = f"import os; from s2f_lib import io\nwith io.locked({str(tmp_path / 'x')!r}): os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    with io.locked(tmp_path / "x", wait=False):
        pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_lock_is_not_held_on_by_a_child_that_outlives_its_holder(tmp_path):
    code = (
        f"import os, time; from s2f_lib import io\nwith io.locked({str(tmp_path / 'x')!r}):\n"
        "    child = os.fork()\n    if not child: print('in', flush=True)\n    time.sleep(5); os._exit(0)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"in\n"
    holder.kill()
    holder.wait()
    with io.locked(tmp_path / "x", wait=False):
        pass


def test_what_killed_writers_left_is_taken_away_and_what_living_ones_write_is_not(tmp_path, monkeypatch):
    code = (
        f"import os, sys; from s2f_lib import io\nwith io.atomic_write({str(tmp_path / 'x.bin')!r}) as f:\n"
        "    f.write(b'half'); f.flush(); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    left = list(tmp_path.iterdir())
    assert len(left) == 1
    other = tmp_path / left[0].name.replace(left[0].name.split("-")[1], str(os.getpid()))
    other.write_bytes(b"a living process writes here")
    monkeypatch.setattr(files, "_swept", set())
    with io.atomic_write(tmp_path / "y.bin") as file:
        file.write(b"whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([other.name, "y.bin"])
