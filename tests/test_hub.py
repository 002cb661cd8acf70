"""Weights by name: the right file or none at all."""

import hashlib
import json

import pytest

from s2f_lib import hub, io

GOOD = b"these are the weights"


def build(path, device, scale=1):
    """Stands for the builder of another room."""
    return (path.read_bytes() if path else None, device, scale)


@pytest.fixture
def entry(tmp_path, monkeypatch):
    """Make an entry of an otherwise empty hub; the cache is a folder of its own."""
    weights = tmp_path / "weights"
    weights.mkdir()
    monkeypatch.setattr(hub, "WEIGHTS", weights)
    monkeypatch.setenv("S2F_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("S2F_OFFLINE", raising=False)
    monkeypatch.setattr(hub.importlib, "import_module", lambda name: __import__("types").SimpleNamespace(build=build))

    def entry(shipped=None, **changes):
        values = {
            "name": "tiny",
            "kind": "test",
            "file": "tiny.bin",
            "sha256": hashlib.sha256(GOOD).hexdigest(),
            "size_mb": 0.1,
            "licence": "Apache-2.0",
            "source": "made in this test",
            "builder": "somewhere:build",
        } | changes
        (weights / f"{values['name']}.json").write_text(json.dumps(values))
        if shipped is not None:
            (weights / values["file"]).write_bytes(shipped)
        return values

    return entry


@pytest.fixture
def server(monkeypatch):
    """Stands for the download; `server.body` is what arrives."""

    class Answers:
        body, calls = GOOD, 0

    def download(url, path, sha256=None):
        Answers.calls += 1
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(Answers.body)
        return path

    monkeypatch.setattr(hub.io, "download", download)
    return Answers


def test_shipped_weights_are_checked_and_built(entry):
    entry(shipped=GOOD)
    assert hub.load("tiny", device="meta", scale=3) == (GOOD, "meta", 3)


def test_a_wrong_shipped_file_is_refused_but_not_deleted(entry, tmp_path):
    entry(shipped=b"<html>over quota</html>")
    with pytest.raises(io.ChecksumError, match="restore it with git"):
        hub.load("tiny")
    assert (tmp_path / "weights" / "tiny.bin").exists()


def test_a_fetched_file_lands_in_the_cache_once(entry, server, tmp_path):
    entry(url="http://host/tiny.bin")
    assert hub.available()[0]["present"] is False
    assert hub.load("tiny")[0] == GOOD
    assert hub.find("tiny") == tmp_path / "cache" / "weights" / "tiny.bin"
    assert server.calls == 1
    assert hub.available()[0]["present"] is True


def test_a_wrong_cached_file_is_deleted(entry, server, tmp_path):
    entry(url="http://host/tiny.bin")
    hub.find("tiny").write_bytes(b"changed on disk")
    with pytest.raises(io.ChecksumError, match="has been deleted"):
        hub.load("tiny")
    assert not (tmp_path / "cache" / "weights" / "tiny.bin").exists()
    assert hub.load("tiny")[0] == GOOD


def test_without_a_published_checksum_the_first_one_seen_is_kept(entry, server):
    entry(url="http://host/tiny.bin", sha256=None)
    hub.load("tiny")
    hub.find("tiny").write_bytes(b"another file under the same name")
    with pytest.raises(io.ChecksumError):
        hub.find("tiny")


@pytest.mark.parametrize(
    "error", [io.WeightFileError("tiny.bin is an error page"), KeyError("fc8"), RuntimeError("x\ny")]
)
def test_a_file_from_which_nothing_could_be_built_is_not_trusted(entry, server, monkeypatch, error):
    def refuse(*_):
        raise error

    entry(url="http://host/tiny.bin", sha256=None)
    with monkeypatch.context() as patch:
        patch.setattr(hub.importlib, "import_module", lambda name: __import__("types").SimpleNamespace(build=refuse))
        with pytest.raises(io.WeightFileError, match=r"tiny\.bin is not the .* delete it, and get it again"):
            hub.load("tiny")
    hub.find("tiny").write_bytes(b"the right file")
    assert hub.load("tiny")[0] == b"the right file"


def test_weights_inside_a_package_need_no_file(entry):
    entry(file=None, sha256=None, requires=["json"])
    assert hub.available()[0]["present"] is True
    assert hub.load("tiny") == (None, "cpu", 1)


def test_a_missing_package_is_named(entry):
    entry(file=None, requires=["no_such_package"])
    assert hub.available()[0]["present"] is False
    with pytest.raises(ImportError, match="pip install no_such_package"):
        hub.load("tiny")


def test_offline_says_where_to_put_the_file(entry, server, monkeypatch):
    entry(url="http://host/tiny.bin")
    monkeypatch.setenv("S2F_OFFLINE", "1")
    with pytest.raises(FileNotFoundError, match=r"S2F_OFFLINE is set. Get tiny.bin from made in this test and put"):
        hub.load("tiny")
    assert server.calls == 0


def test_an_entry_without_address_says_how_to_make_it(entry):
    entry(command="python -m benchmarks.train_tiny")
    with pytest.raises(FileNotFoundError, match=r"or make it: python -m benchmarks\.train_tiny"):
        hub.load("tiny")


def test_an_unknown_name_lists_the_known_ones(entry):
    entry()
    with pytest.raises(KeyError, match="no weights named 'tinny'; there are tiny"):
        hub.load("tinny")


def test_an_entry_may_not_point_out_of_its_folder(entry):
    entry(file="../../x")
    with pytest.raises(ValueError, match="plain file name"):
        hub.available()


def test_every_shipped_entry_is_complete_and_its_file_is_the_right_one():
    for row in hub.available():
        assert set(row) == {*hub.COLUMNS, "present"}
        module, _, function = hub.describe(row["name"])["builder"].partition(":")
        assert module.startswith("s2f_lib.")
        assert function
        if (hub.WEIGHTS / (hub.describe(row["name"]).get("file") or "-")).exists():
            assert hub.find(row["name"]).exists()
