"""Fetching from a local git repository and a local web server, broken off, damaged, changed, or not there at all."""

import csv
import errno
import functools
import gzip
import http.server
import shutil
import socket
import subprocess
import tarfile
import threading

import pytest

from data_scripts import _published as fetch
from data_scripts import fetch_published_examples as command
from s2f_lib.published import layout

GIT = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]


@pytest.fixture
def repository(authors, tmp_path):
    """The authors' tree as a bare git repository, with an address."""
    for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "the project page"]):
        subprocess.run([*GIT, *arguments], cwd=authors, check=True)
    bare = tmp_path / "page.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", str(authors), str(bare)], check=True)
    subprocess.run(["git", "-C", str(bare), "config", "uploadpack.allowFilter", "true"], check=True)
    return f"file://{bare}"


@pytest.fixture
def server(authors, tmp_path):
    """The authors' tree as a tar.gz on a loopback web server; gives its address."""
    files = tmp_path / "served"
    files.mkdir()
    with tarfile.open(files / "page.tar.gz", "w:gz") as tar:
        tar.add(authors, arcname="speech2face.github.io-0123abc")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=files)
    handler.log_message = lambda *_: None
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{web.server_port}/page.tar.gz", files
    web.shutdown()


def clips(folder, part):
    return [clip.name for clip in layout.open_part(folder, part)]


def test_git_takes_only_what_is_needed_and_continues(authors, repository, tmp_path, monkeypatch):
    out, lines = tmp_path / "out", []
    real, calls = fetch._git, []

    def breaks_off(folder, *arguments):
        calls.append(arguments)
        if len(calls) == 14:
            raise fetch.FetchError("the connection broke")
        real(folder, *arguments)

    monkeypatch.setattr(fetch, "_git", breaks_off)
    with pytest.raises(fetch.FetchError, match="broke"):
        fetch.by_git(out, fetch.plan(), repository, lines.append)
    assert 0 < len(lines) < len(fetch.plan().paths)
    fetch.by_git(out, fetch.plan(), repository, lines.append)
    assert [clips(out, part) for part in layout.PARTS] == [clips(authors, part) for part in layout.PARTS]
    assert not (out / "figures/avspeech_res/1CC11031ACC0C630.png").exists()
    assert not (out / "index.html").exists()
    assert (out / "supplemental/retrieve/index.html").exists()


def test_archive_gives_the_same_files(authors, server, tmp_path):
    fetch.by_archive(tmp_path / "out", fetch.plan(["voxceleb"]), server[0], print)
    assert clips(tmp_path / "out", "voxceleb") == clips(authors, "voxceleb")
    assert not (tmp_path / "out/figures/avspeech_res").exists()
    assert not (tmp_path / "out/speech2face.github.io.tar.gz").exists()


def test_an_archive_cannot_write_outside_its_folder(tmp_path, server):
    address, files = server
    with tarfile.open(files / "page.tar.gz", "w:gz") as tar:
        (tmp_path / "evil").write_text("x")
        tar.add(tmp_path / "evil", arcname="top/figures/landmark/../../../escaped")
        link = tarfile.TarInfo("top/figures/landmark/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    fetch.by_archive(tmp_path / "a/b/out", fetch.plan(), address, print)
    assert [path for path in (tmp_path / "a").rglob("*") if path.is_file() or path.is_symlink()] == []


def test_a_cut_archive_is_deleted_and_said(tmp_path, server):
    address, files = server
    whole = (files / "page.tar.gz").read_bytes()
    (files / "page.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(fetch.FetchError, match="damaged"):
        fetch.by_archive(tmp_path / "out", fetch.plan(), address, print)
    assert not (tmp_path / "out/speech2face.github.io.tar.gz").exists()


def header(name, size, sparse=None):
    """A header of the tar format, with any twelve bytes as size, and the size of a file that is nearly all holes."""
    block = bytearray(tarfile.TarInfo(name).tobuf(tarfile.GNU_FORMAT))
    block[124:136] = size
    if sparse:
        block[156:157] = b"S"
        block[386:410] = b"%011o\0%011o\0" % (0, 512)
        block[483:495] = b"\x80" + sparse.to_bytes(11, "big")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


INSIDE = "top/figures/avspeech_res/Face_ori/"
NULL, END = b"0" * 11 + b"\0", bytes(10240)
HOSTILE = {
    "goes back": header("top/x", NULL) + header("top/y", b"\xff" * 10 + b"\xfe\0") + END,
    "goes back inside": header(INSIDE + "y.jpg", b"\xff" * 10 + b"\xfe\0") + END,
    "holes": header(INSIDE + "x.jpg", b"%011o\0" % 512, sparse=2 * 10**9) + b"z" * 512 + END,
    "zeros": header(INSIDE + "x.jpg", b"%011o\0" % 300_000_000) + bytes(300_000_000) + END,
    "too long": header(INSIDE + "x.jpg", b"%011o\0" % 10**9) + b"z" * 512 + END,
    "no number": header(INSIDE + "x.jpg", b"a number\0\0\0\0") + END,
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_archive_neither_runs_for_ever_nor_fills_the_disk(tmp_path, server, content):
    address, files = server
    (files / "page.tar.gz").write_bytes(gzip.compress(content, 1))
    with pytest.raises(fetch.FetchError, match="damaged"):
        fetch.by_archive(tmp_path / "out", fetch.plan(), address, print)
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


def test_a_git_server_that_stalls_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "STALL", 1)
    silent = socket.create_server(("127.0.0.1", 0))  # accepts, and says nothing
    address = f"http://127.0.0.1:{silent.getsockname()[1]}/x.git"
    with silent, pytest.raises(fetch.FetchError, match=r"git fetch failed.*run again to continue"):
        fetch.by_git(tmp_path, fetch.plan(), address, print)


def test_a_full_disk_keeps_the_archive(authors, server, tmp_path, monkeypatch):
    address, files = server

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "extractfile", full)
        with pytest.raises(OSError, match="disk is full"):
            fetch.by_archive(tmp_path / "out", fetch.plan(), address, print)
    (files / "page.tar.gz").unlink()  # it is not fetched again
    fetch.by_archive(tmp_path / "out", fetch.plan(), address, print)
    assert clips(tmp_path / "out", "voxceleb") == clips(authors, "voxceleb")


def test_work_of_somebody_else_is_left_alone(authors, repository, server, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "work.txt").write_text("hours")
    tries = [
        lambda: fetch.by_git(out, fetch.plan(), repository, print),
        lambda: fetch.by_archive(out, fetch.plan(), server[0], print),
        lambda: fetch.adopt(out, authors, list(layout.PARTS)),
        lambda: command.main([str(out), "--overwrite", "--existing", str(authors)]),
    ]
    for fetching in tries:
        with pytest.raises(fetch.FetchError, match=r"something else already \(work\.txt\); choose another folder"):
            fetching()
    subprocess.run(["git", "init", "--quiet"], cwd=out, check=True)
    subprocess.run(["git", "remote", "add", "origin", "https://example.org/mine"], cwd=out, check=True)
    with pytest.raises(fetch.FetchError, match="repository of something else"):
        fetch.by_git(out, fetch.plan(), repository, print)
    (out / "work.txt").rename(out / "manifest.csv")  # a name that fetching leaves, in a repository that it did not
    with pytest.raises(fetch.FetchError, match="repository of something else"):
        fetch.clear(out)
    assert (out / "manifest.csv").read_text() == "hours"


def test_overwriting_deletes_what_was_fetched_and_nothing_else(authors, repository, tmp_path):
    out = tmp_path / "out"
    options = [str(out), "--method", "git", "--source", repository, "--part", "voxceleb"]
    command.main(options)
    (out / "figures/mine.txt").write_text("hours")
    (out / "figures/voxceleb/old.txt").write_text("of the last time")
    (out / "avspeech").symlink_to(authors / "figures/avspeech_res")
    command.main([*options, "--overwrite"])
    assert clips(out, "voxceleb") == clips(authors, "voxceleb")
    assert clips(authors, "avspeech")
    assert (out / "figures/mine.txt").read_text() == "hours"
    assert not (out / "figures/voxceleb/old.txt").exists()
    assert not (out / "avspeech").is_symlink()


def test_a_copy_that_is_needed_is_not_deleted(authors, tmp_path):
    (authors / "index.html").unlink()  # the rest bears names that fetching leaves
    (tmp_path / "links").mkdir()
    (tmp_path / "links/voxceleb").symlink_to(authors / "figures/voxceleb")
    for out, existing in (("authors", "authors"), ("authors", "links"), ("authors/new", "authors")):
        with pytest.raises(fetch.FetchError, match="is needed"):
            command.main([str(tmp_path / out), "--overwrite", "--existing", str(tmp_path / existing)])
    assert len(clips(authors, "voxceleb")) == 12
    with pytest.raises(fetch.FetchError, match="holds none of"):
        command.main([str(authors), "--overwrite", "--existing", str(tmp_path / "nothing")])
    assert len(clips(authors, "voxceleb")) == 12


def test_no_repository_gives_gits_words_and_a_way_out(tmp_path):
    with pytest.raises(fetch.FetchError, match="run again to continue, or try --method archive"):
        fetch.by_git(tmp_path / "out", fetch.plan(), f"file://{tmp_path}/nothing.git", print)


def test_the_disk_is_asked_before_the_start(tmp_path):
    with pytest.raises(fetch.FetchError, match="are free"):
        fetch.check_disk(tmp_path / "not/yet/there", 10**12)


def test_the_command_from_git_to_manifest(repository, tmp_path, capsys):
    out = tmp_path / "out"
    assert command.main([str(out), "--dry-run"]) == 0
    assert not out.exists()
    assert command.main([str(out), "--method", "git", "--source", repository]) == 1  # 12 clips are not 968
    said = capsys.readouterr()
    assert "avspeech: 12 whole clips of 968 published" in said.err
    assert "about 284 MB" in said.out
    with open(out / "manifest.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 24
    assert {row["status"] for row in rows} == {"ok"}


def test_an_existing_copy_is_linked_not_copied(authors, tmp_path, capsys):
    (sorted((authors / "figures/avspeech_res/Wav").glob("*.wav"))[3]).unlink()
    assert command.main([str(tmp_path / "out"), "--existing", str(authors)]) == 0
    assert (tmp_path / "out/avspeech").is_symlink()
    assert "left out: 1 without Wav" in capsys.readouterr().out
    with open(tmp_path / "out/manifest.csv") as file:
        assert sum(row["status"] == "skipped" and row["reason"] == "Wav" for row in csv.DictReader(file)) == 1
    with pytest.raises(fetch.FetchError, match="holds none of"):
        command.main([str(tmp_path / "other"), "--existing", str(tmp_path)])


def test_another_copy_replaces_the_links_to_the_first(authors, tmp_path):
    copy, out = tmp_path / "copy", tmp_path / "out"
    shutil.copytree(authors, copy)
    fetch.adopt(out, authors, ["avspeech"])
    fetch.adopt(out, copy, ["avspeech"])
    assert (out / "avspeech").resolve() == copy / "figures/avspeech_res"
    shutil.rmtree(copy)  # now the link leads nowhere
    fetch.adopt(out, authors, ["avspeech"])
    assert (out / "avspeech").resolve() == authors / "figures/avspeech_res"
    (out / "avspeech").unlink()
    (out / "avspeech").mkdir()
    with pytest.raises(fetch.FetchError, match="a folder of its own"):
        fetch.adopt(out, authors, ["avspeech"])


def test_nothing_found_is_an_error(tmp_path):
    (tmp_path / "avspeech/Face_ori").mkdir(parents=True)
    with pytest.raises(fetch.FetchError, match="no whole clip was found"):
        fetch.check_counts(tmp_path, ["avspeech", "voxceleb"])
