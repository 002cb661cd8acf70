"""The pages: clean in git, and run again with checked parameters."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest

from s2f_lib import blocks, io
from s2f_lib.book import pages
from s2f_lib.book.parameters import PageError, Parameter, check_value, parse_value, read_parameters

ROOT = Path(__file__).resolve().parents[2]


# --- records in words


@pytest.mark.parametrize("name", blocks.WORDS)
def test_what_a_table_shows_is_in_its_record(name):
    record = io.read_record(name)
    absent = set(blocks.WORDS[name]) - set(record["metrics"])
    assert absent <= {"test_minutes", "slowest_page_s"}  # benchmarks/book.py without the tests, without a browser
    rows = [line for line in blocks.record_table(name).splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + len(blocks.WORDS[name]) - len(absent)
    assert not any("_" in row.replace("v_", "") for row in rows), "a raw name is shown to the reader"


# --- parameters


def test_a_parameters_cell_is_read_without_running_it():
    source = """
# folder of the corpus
corpus = "synthetic"
seeds: list[int] = [0, 1]  # one run per seed
rate = 1e-3  # learning rate
limit = None  # people, None for all
"""
    assert read_parameters(source) == [
        Parameter("corpus", "synthetic", "str", "folder of the corpus"),
        Parameter("seeds", [0, 1], "list", "one run per seed"),
        Parameter("rate", 1e-3, "float", "learning rate"),
        Parameter("limit", None, "any", "people, None for all"),
    ]


@pytest.mark.parametrize("source", ["import os", "a = b = 1", "seed = make()", "a, b = 1, 2"])
def test_anything_but_plain_assignments_is_refused(source):
    with pytest.raises(PageError, match="line 1"):
        read_parameters(source)


@pytest.mark.parametrize(
    ("default", "typed", "value"),
    [(3, "5", 5), (0.5, "2", 2.0), (True, "false", False), ([0], "[1, 2]", [1, 2]), ("a", "7", "7"), (None, "x", "x")],
)
def test_a_typed_value_is_read_as_the_type_of_the_default(default, typed, value):
    parameter = read_parameters(f"p = {default!r}  # help")[0]
    assert parse_value(typed, parameter) == value


@pytest.mark.parametrize(
    ("default", "typed"), [(3, "2.5"), (3, "many"), (True, "1"), ([0], "3"), ([0], "[a]"), (0.5, "true"), (3, "[")]
)
def test_a_value_of_another_type_is_refused_with_the_name(default, typed):
    parameter = read_parameters(f"people = {default!r}  # help")[0]
    with pytest.raises(PageError, match="people"):
        parse_value(typed, parameter)


def test_a_list_of_floats_takes_whole_numbers():
    parameter = Parameter("weights", [0.5], "list", "")
    assert check_value([1, 2.5], parameter) == [1, 2.5]


# --- running


@pytest.fixture
def page(tmp_path) -> Path:
    """A tiny page that computes, keeps a number, and fails when told to."""
    notebook = nbformat.v4.new_notebook()
    head = nbformat.v4.new_code_cell('people = 4  # how many\nname = "a"  # label', metadata={"tags": ["parameters"]})
    body = nbformat.v4.new_code_cell(
        "from s2f_lib import plotting\n"
        "if people < 0:\n    raise ValueError('people must be positive')\n"
        "plotting.keep(double=2 * people)"
    )
    notebook.cells = [nbformat.v4.new_markdown_cell("# A page"), head, body]
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path / "90_tiny.ipynb"
    nbformat.write(notebook, path)
    return path


def test_unknown_names_are_refused_before_anything_starts(page, tmp_path):
    with pytest.raises(PageError, match="did you mean 'people'"):
        pages.run(page, tmp_path / "out", {"poeple": 3})
    assert not (tmp_path / "out").exists()


def test_an_unknown_page_names_those_there_are():
    with pytest.raises(PageError, match="there is no page '99_nothing'"):
        pages.find("99_nothing")


def test_wrong_use_is_told_without_a_traceback(page, tmp_path, capsys):
    assert pages.main(["run", str(page), "-p", "people=many", "-o", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.startswith("error: people is of type int")
    assert pages.main(["run", str(page), "-p", "people"]) == 2
    assert pages.main(["table", str(tmp_path / "empty")]) == 2


def test_list_shows_name_type_default_and_help(page, capsys):
    assert pages.main(["list", str(page)]) == 0
    assert re.search(r"people +int +4 +how many", capsys.readouterr().out)


def test_a_grid_runs_each_point_once_and_failures_are_reported(page, tmp_path, capsys):
    out = tmp_path / "runs"
    arguments = ["run", str(page), "--grid", "people=[3,-1]", "-p", "name=b", "--jobs", "2", "-o", str(out)]
    assert pages.main(arguments) == 1
    told = capsys.readouterr().out
    assert "ValueError: people must be positive" in told
    done = json.loads((out / "people=3" / "90_tiny.json").read_text())
    assert (done["status"], done["parameters"], done["numbers"]) == (
        "done",
        {"people": 3, "name": "b"},
        {"double": 6.0},
    )
    assert done["command"] == 'python -m s2f_lib.book.pages run 90_tiny -p name="b" -p people=3'
    stamp = (out / "people=3" / "90_tiny.ipynb").stat().st_mtime_ns
    assert pages.main([*arguments[:3], "people=[3]", *arguments[4:]]) == 0
    assert (out / "people=3" / "90_tiny.ipynb").stat().st_mtime_ns == stamp  # finished runs are kept
    table = pages.table(out).set_index("people")
    assert list(table.loc[[3, -1], "status"]) == ["done", "failed"]
    assert table.loc[3, "double"] == 6


# --- cache of the built book


def test_executed_pages_are_forgotten_only_when_what_they_call_changed(tmp_path):
    (tmp_path / "s2f_lib").mkdir()
    (tmp_path / "s2f_lib/a.py").write_text("x = 1")
    first = pages.fingerprint(tmp_path)
    (tmp_path / "README.md").write_text("no matter")
    (tmp_path / "s2f_lib/__pycache__").mkdir()
    (tmp_path / "s2f_lib/__pycache__/a.pyc").write_bytes(b"no matter")
    assert pages.fingerprint(tmp_path) == first
    (tmp_path / "s2f_lib/a.py").write_text("x = 2")
    assert pages.fingerprint(tmp_path) != first
    build = tmp_path / "_build"
    (build / ".jupyter_cache").mkdir(parents=True)
    assert pages.refresh_cache(build)
    assert not (build / ".jupyter_cache").exists()
    (build / ".jupyter_cache").mkdir()
    assert not pages.refresh_cache(build)
    assert (build / ".jupyter_cache").exists()
