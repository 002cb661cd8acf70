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


ROWS = [
    {"measure": "top_percent", "k": 10, "predictor": "voice", "value": 0.359, "low": 0.32, "high": 0.39, "n": 1000},
    {"measure": "top_percent", "k": 10, "predictor": "voice", "within": "sex", "value": 0.191},
    {"measure": "top_percent", "k": 1, "predictor": "voice", "value": 0.038},
    {"measure": "angle", "predictor": "oracle", "value": 60.7, "sd": 0.5},
]


def record(target="speed", **changes):
    values = {"command": "s2f evaluate", "n": 3, "rows": ROWS, "seconds": 2.0}
    return io.write_record(target, **values | changes)


def row(**changes):
    return [{"measure": "angle", "value": 1.5} | changes]


def test_a_record_comes_back_with_its_origin_and_its_units(results):
    numpy = pytest.importorskip("numpy")
    rows = row(value=numpy.float32(1.5), low=1, high=2, world=None, k=numpy.int64(3), n=float("nan"))
    path = record(rows=rows, seeds=range(2), notes="quiet", tables={"kinds": ["a", "b"]})
    assert path == results / "speed.json"
    made = io.read_record("speed")
    assert made.rows == [{"measure": "angle", "k": 3, "value": 1.5, "low": 1, "high": 2, "unit": "deg"}]
    assert (made.seeds, made.notes, made.tables) == ([0, 1], "quiet", {"kinds": ["a", "b"]})
    assert made.date.endswith("Z")
    assert "cores" in made.device


def test_rows_are_selected_by_their_conditions(results):
    record()
    made = io.read_record("speed")
    assert made.value("top_percent", k=10, within="sex") == 0.191
    assert made.value("top_percent", k=10, within=None) == 0.359
    assert made.interval("top_percent", k=10, within=None) == (0.32, 0.39)
    assert made.interval("top_percent", k=1) == (0.038, 0.038)
    assert made.row("angle")["sd"] == 0.5
    assert made.select(measure="top_percent", within=None)["k"].tolist() == [10, 1]
    assert made.select(measure="top_percent", k=[1, 5])["value"].tolist() == [0.038]
    assert "within" not in made.select(measure="angle").columns
    assert len(made.select()) == 4


@pytest.mark.parametrize(
    ("conditions", "message"), [({"k": 10}, "has 2 rows for top_percent, k=10"), ({"k": 5}, "has 0 rows")]
)
def test_a_number_that_is_not_one_row_is_an_error(results, conditions, message):
    record()
    with pytest.raises(KeyError, match=message):
        io.read_record("speed").value("top_percent", **conditions)


def test_a_record_goes_where_its_path_says(tmp_path):
    path = record(tmp_path / "mine" / "trial.json")
    assert path == tmp_path / "mine" / "trial.json"
    assert io.read_record(path).name == "trial"


def test_a_change_of_one_number_is_a_change_of_one_line(results):
    before = record().read_text().splitlines()
    after = record(rows=[*ROWS[:3], ROWS[3] | {"value": 60.8}]).read_text().splitlines()
    changed = [a for a, b in zip(before, after, strict=True) if a != b and '"date"' not in a]
    assert len(changed) == 1


def test_what_was_never_run_is_none(results):
    assert io.read_record("never") is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": row(value=float("nan"))}, "value of 'angle' must be a finite number"),
        ({"rows": row(value="high")}, "finite number"),
        ({"rows": row(value=None)}, "finite number"),
        ({"rows": row(measure="angles")}, "unknown measure 'angles'"),
        ({"rows": row(unit="rad")}, "unit of 'angle' is 'deg'"),
        ({"rows": [*row(k=1), *row(k=1, value=2.0)]}, "two rows under one condition"),
        ({"rows": []}, "at least one row"),
        ({"command": " "}, "needs its command"),
        ({"rows": row(low=0)}, "both ends of its interval or none"),
        ({"rows": row(low=2, high=1)}, "upside down"),
        ({"target": "../x"}, "lower-case letters"),
    ],
)
def test_a_record_that_cannot_be_true_is_refused(results, changes, message):
    with pytest.raises(ValueError, match=message):
        record(**changes)
    assert not results.exists()


def test_results_of_the_clone_come_from_a_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(io.records, "ROOT", tmp_path)
    monkeypatch.setattr(io.records, "current_commit", lambda: "0123456789ab+changes")
    monkeypatch.setenv("S2F_RESULTS", str(tmp_path / "results"))
    with pytest.raises(ValueError, match=r"speed\.json would be recorded from uncommitted changes"):
        record()
    elsewhere = record(tmp_path / "elsewhere" / "speed.json")
    assert io.read_record(elsewhere).commit == "0123456789ab+changes"
    assert record(allow_dirty=True).exists()
    monkeypatch.setattr(io.records, "current_commit", lambda: "0123456789ab")
    assert io.read_record(record()).commit == "0123456789ab"


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


def test_a_command_may_name_defaults():
    parser = argparse.ArgumentParser(prog="s2f measure")
    parser.add_argument("--part", default="a")
    parser.add_argument("--repeats", type=int, default=2)
    assert io.command_of(parser, parser.parse_args([]), always=["part"]) == "s2f measure --part a"
    assert io.command_of(parser, parser.parse_args(["--repeats", "3"])) == "s2f measure --repeats 3"


def test_a_broken_record_is_named(results):
    record()
    (results / "speed.json").write_text("{")
    with pytest.raises(ValueError, match=r"speed\.json is not a record"):
        io.read_record("speed")


def test_the_record_names_the_commit_of_the_clone(results):
    commit = json.loads(record().read_text())["commit"]
    in_clone = (io.records.ROOT / ".git").exists()
    assert (commit is not None and len(commit.split("+")[0]) == 12) if in_clone else True
