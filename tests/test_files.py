"""Files are whole or absent, whatever the disk does."""

import errno
import os

import pytest

from s2f_lib import io


def leftovers(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_file_appears_only_when_complete(tmp_path):
    path = tmp_path / "deep" / "x.txt"
    with io.atomic_write(path, "w") as file:
        file.write("grüße")
        assert not path.exists()
    assert path.read_text(encoding="utf-8") == "grüße"
    assert leftovers(tmp_path) == ["x.txt"]


def write_half(path):
    with io.atomic_write(path) as file:
        file.write(b"half of the n")
        raise RuntimeError


def test_a_failed_write_keeps_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "x.bin"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError):
        write_half(path)
    assert path.read_bytes() == b"old"
    assert leftovers(tmp_path) == ["x.bin"]


def test_a_path_for_writers_that_want_one(tmp_path):
    with io.atomic_path(tmp_path / "x.npz") as temporary:
        assert temporary.suffix == ".npz"
        temporary.write_bytes(b"1")
    assert leftovers(tmp_path) == ["x.npz"]


def write_to_a_full_disk(path):
    with io.atomic_path(path) as temporary:
        temporary.symlink_to("/dev/full")
        with open(temporary, "wb", buffering=0) as file:
            file.write(b"x")


def test_a_full_disk_says_so(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    with pytest.raises(OSError, match="disk is full") as caught:
        write_to_a_full_disk(tmp_path / "x")
    assert caught.value.errno == errno.ENOSPC
    assert leftovers(tmp_path) == []


def test_what_is_read_meanwhile_keeps_its_own_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError) as caught, io.atomic_write(tmp_path / "out"):
        (tmp_path / "file" / "x").read_bytes()
    assert caught.value.filename == str(tmp_path / "file" / "x")
    assert "cannot write" not in str(caught.value)
    assert leftovers(tmp_path) == ["file"]


def test_a_file_in_place_of_a_folder_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="is a file, not a folder"), io.atomic_write(tmp_path / "file" / "x"):
        pass


def test_a_folder_in_place_of_a_file_is_named(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(IsADirectoryError, match=r"it is a folder.*/x'$"), io.atomic_write(tmp_path / "x"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_cache_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("S2F_HOME", str(tmp_path / "here"))
    assert io.cache_dir() == tmp_path / "here"
    assert io.cache_dir().is_dir()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("S2F_HOME", str(tmp_path / "file" / "x"))
    with pytest.raises(OSError, match="set S2F_HOME"):
        io.cache_dir()


def test_sha256_of_known_bytes(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert io.sha256(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'"a"', b"\xff\xfe{", bytes(50), b"[" * 200_000], ids=lambda c: str(c[:4])
)
def test_a_damaged_json_file_is_named(tmp_path, content):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.json is damaged"):
        io.read_json(tmp_path / "x.json")
