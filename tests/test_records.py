"""A record says which command measured what, on what, and refuses what cannot be true."""

import argparse
import json
import shlex
from pathlib import Path

import pytest

from s2f_lib import io


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setenv("S2F_RESULTS", str(tmp_path / "results"))
    return tmp_path / "results"


def record(name="speed", **changes):
    values = {"command": "python -m benchmarks.speed", "n": 3, "metrics": {"x": 1.5}, "seconds": 2.0}
    return io.write_record(name, **values | changes)


def test_a_record_comes_back_with_its_origin(results):
    numpy = pytest.importorskip("numpy")
    path = record(metrics={"x": numpy.float32(1.5), "n": 2}, intervals={"x": (1, 2)}, seeds=range(2), notes="quiet")
    assert path == results / "speed.json"
    made = io.read_record("speed")
    assert " ".join(made) == "name command commit date device seconds seeds n metrics intervals notes"
    assert made["metrics"] == {"x": 1.5, "n": 2}
    assert made["intervals"] == {"x": [1, 2]}
    assert made["seeds"] == [0, 1]
    assert made["date"].endswith("Z")
    assert "cores" in made["device"]


def test_what_was_never_run_is_none(results):
    assert io.read_record("never") is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metrics": {"x": float("nan")}}, "'x' must be a finite number"),
        ({"metrics": {"x": "high"}}, "finite number"),
        ({"metrics": {}}, "at least one metric"),
        ({"command": " "}, "needs its command"),
        ({"intervals": {"y": (0, 1)}}, "belongs to no metric"),
        ({"intervals": {"x": (2, 1)}}, "upside down"),
        ({"name": "../x"}, "lower-case letters"),
    ],
)
def test_a_record_that_cannot_be_true_is_refused(results, changes, message):
    with pytest.raises(ValueError, match=message):
        record(**changes)
    assert not results.exists()


def test_a_record_holds_further_fields_but_none_of_its_own_twice(results):
    path = record(extra={"rows": [{"claim": "6 – 3 s"}]})
    assert io.read_record("speed")["rows"] == [{"claim": "6 – 3 s"}]
    assert "6 – 3 s" in path.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="has its own date"):
        record(extra={"date": "yesterday"})


@pytest.fixture
def program():
    """A program with every kind of option."""
    parser = argparse.ArgumentParser(prog="python -m some.program")
    parser.add_argument("--train-people", type=int, default=100)
    parser.add_argument("--weights", default="shipped")
    parser.add_argument("--corpus", type=Path, default=Path("data"))
    parser.add_argument("--losses", nargs="*", default=["l1"])
    parser.add_argument("--null", action="store_true")
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    return parser


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", ""),
        ("--workers 8", ""),
        ("--train-people 100 --weights shipped", ""),
        ("--null --train-people 50", " --train-people 50 --null"),
        ("--weights runs/mine.safetensors --corpus ../there", " --weights runs/mine.safetensors --corpus ../there"),
        ("--losses l1 normalized", " --losses l1 normalized"),
        ("--weights 'my own'", " --weights 'my own'"),
        ("--sheet faces.png", ""),
    ],
)
def test_a_command_names_what_differs_from_the_defaults(program, typed, told):
    options = program.parse_args(shlex.split(typed))
    assert io.command_of(program, options, left_out=["sheet"]) == "python -m some.program" + told


def test_a_command_names_no_folder_of_this_machine(program, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = program.parse_args(["--corpus", str(tmp_path / "a" / "b"), "--weights", str(tmp_path.parent / "c")])
    assert io.command_of(program, options) == "python -m some.program --weights ../c --corpus a/b"


def test_a_command_may_name_defaults_and_belongs_to_its_sub_command():
    parser = argparse.ArgumentParser(prog="python -m some.program")
    measure = parser.add_subparsers(dest="command").add_parser("measure")
    measure.add_argument("--part", default="a")
    measure.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args(["measure"])
    assert io.command_of(parser, options, always=["part"]) == "python -m some.program measure --part a"
    options = parser.parse_args(["measure", "--repeats", "3"])
    assert io.command_of(parser, options) == "python -m some.program measure --repeats 3"


def test_a_broken_record_is_named(results):
    record()
    (results / "speed.json").write_text("{")
    with pytest.raises(ValueError, match=r"speed\.json is not a record"):
        io.read_record("speed")


def test_the_record_names_the_commit_of_the_clone(results):
    commit = json.loads(record().read_text())["commit"]
    in_clone = (io.records.ROOT / ".git").exists()
    assert (commit is not None and len(commit.split("+")[0]) == 12) if in_clone else True
