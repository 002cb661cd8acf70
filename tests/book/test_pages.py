"""The pages: clean in git, and run again with checked parameters."""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import pytest

from s2f_lib import cli
from s2f_lib.book import kernel, pages
from s2f_lib.book.parameters import PageError, Parameter, check_value, parse_value, read_parameters

ROOT = Path(__file__).resolve().parents[2]
FREE = {"workers", "shown", "people_shown", "live", "start", "recording"}  # may be set without a claim being changed


# --- records in words


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


def test_numbers_may_be_written_as_people_write_them():
    rate, rates = Parameter("rate", 0.5, "float", ""), Parameter("rates", [0.5], "list", "")
    assert parse_value("1e-3", rate) == 1e-3
    assert parse_value("[1e-3, 2, 0.1]", rates) == [1e-3, 2, 0.1]
    assert check_value([1, 2.5], rates) == [1, 2.5]
    assert check_value("1e-3", rate) == 1e-3
    assert parse_value("~/a.wav", Parameter("sound", "", "str", "")) == str(Path("~/a.wav").expanduser())


@pytest.mark.parametrize("typed", ["inf", "-inf", "nan", "-1", "0.4"])
def test_less_than_the_least_and_what_is_not_finite_is_refused(typed):
    with pytest.raises(PageError, match="rate is "):
        parse_value(typed, Parameter("rate", 1.0, "float", "of the live runs, at least 0.5"))


@pytest.mark.parametrize("page", pages.pages(), ids=lambda path: path.stem)
def test_each_page_keeps_its_own_limits_and_says_what_its_claims_are_about(page):
    known = {p.name: p for p in pages.parameters(page)}
    pages.check(page, {name: p.default for name, p in known.items()})
    assert [p.name for p in known.values() if p.kind in ("int", "float") and p.least is None] == []
    source = "\n".join(cell.source for cell in pages.read(page).cells if cell.cell_type == "code")
    said = re.findall(r"claims\(globals\(\), (.+?)\):", source)
    assert said, "the page asserts nothing of what its text claims"
    for arguments in said:
        call = ast.parse(f"f({arguments})", mode="eval").body
        given = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
        assert given == {name: known[name].default for name in given}
        assert set(known) - set(given) <= FREE


# --- running


@pytest.fixture
def page(tmp_path) -> Path:
    """A tiny page that computes, keeps a number, and fails when told to."""
    notebook = nbformat.v4.new_notebook()
    head = nbformat.v4.new_code_cell('people = 4  # how many\nname = "a"  # label', metadata={"tags": ["parameters"]})
    body = nbformat.v4.new_code_cell(
        "from s2f_lib.book import plotting\n"
        "if people < 0:\n    raise ValueError('people must be positive')\n"
        "if name == 'dies':\n    import os; os.kill(os.getpid(), 9)\n"
        "if name == 'sleeps':\n    import time; time.sleep(60)\n"
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


def test_wrong_use_is_one_line_and_leaves_nothing(page, tmp_path, capsys):
    (tmp_path / "broken.ipynb").write_text("{")
    (tmp_path / "list.ipynb").write_text("[]")
    (tmp_path / "file").touch()
    (tmp_path / "half").mkdir()
    (tmp_path / "half/04_loss_ablation.json").write_text('{"page": "04')
    out = ["-o", str(tmp_path / "out")]
    for words, needle in [
        (["run", str(page), "-p", "people=many", *out], "people is of type int"),
        (["run", str(page), "-p", "people", *out], "name=value"),
        (["run", str(page), "--grid", "people=[3", *out], "--grid people wants a list"),
        (["run", str(page), "--grid", "people=[3]", "--jobs", "0", *out], "--jobs is 0"),
        (["run", str(tmp_path / "broken.ipynb"), *out], "broken.ipynb is no notebook"),
        (["run", str(tmp_path / "list.ipynb"), *out], "list.ipynb is no notebook"),
        (["run", str(page), "-o", str(tmp_path / "file")], "file"),
        (["table", str(tmp_path / "empty")], "no run of a page"),
        (["table", str(tmp_path / "half")], "04_loss_ablation.json is not the record of a run"),
    ]:
        assert cli.main(["pages", *words]) == 2
        told = capsys.readouterr().err
        assert needle in told
        assert told.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_list_shows_name_type_default_and_help(page, capsys):
    assert cli.main(["pages", "list", str(page)]) == 0
    assert re.search(r"people +int +4 +how many", capsys.readouterr().out)


def test_a_grid_runs_each_point_once_and_failures_are_reported(page, tmp_path, capsys):
    out = tmp_path / "runs"
    arguments = ["pages", "run", str(page), "--grid", "people=[3,-1]", "-p", "name=b", "--jobs", "2", "-o", str(out)]
    assert cli.main(arguments) == 1
    told = capsys.readouterr().out
    assert "ValueError: people must be positive" in told
    done = json.loads((out / "people=3" / "90_tiny.json").read_text())
    assert (done["status"], done["parameters"], done["numbers"]) == (
        "done",
        {"people": 3, "name": "b"},
        {"double": 6.0},
    )
    assert done["command"] == 's2f pages run 90_tiny -p name="b" -p people=3'
    stamp = (out / "people=3" / "90_tiny.ipynb").stat().st_mtime_ns
    assert cli.main([*arguments[:4], "people=[3]", *arguments[5:]]) == 0
    assert (out / "people=3" / "90_tiny.ipynb").stat().st_mtime_ns == stamp  # finished runs are kept
    table = pages.table(out).set_index("people")
    assert list(table.loc[[3, -1], "status"]) == ["done", "failed"]
    assert table.loc[3, "double"] == 6


def test_points_that_look_alike_have_folders_of_their_own(page, tmp_path):
    names = ["a/b.wav", "a_b.wav", "x" * 300]
    records = pages.sweep(page, tmp_path / "runs", {"name": names}, {}, jobs=3)
    assert [record["parameters"]["name"] for record in records] == names
    assert len(list((tmp_path / "runs").glob("*/90_tiny.json"))) == 3


def test_a_kernel_that_dies_is_a_failed_run_and_the_others_go_on(page, tmp_path):
    records = pages.sweep(page, tmp_path / "runs", {"name": ["dies", "b"]}, {})
    assert [record["status"] for record in records] == ["failed", "done"]
    assert "the kernel died" in records[0]["error"]
    assert list(pages.table(tmp_path / "runs")["status"]) == ["done", "failed"]


def test_ctrl_c_while_a_kernel_starts_runs_no_cell(page, tmp_path, monkeypatch):
    monkeypatch.setattr(kernel, "_stopping", threading.Event())
    kernel._stopping.set()
    notebook = nbformat.read(page, as_version=4)
    with pytest.raises(KeyboardInterrupt):
        kernel.execute(notebook, tmp_path)
    assert all(cell.get("execution_count") is None for cell in notebook.cells)
    assert not kernel._running


def test_ctrl_c_on_a_grid_stops_what_runs_and_starts_nothing(page, tmp_path):
    out = tmp_path / "runs"
    words = ["pages", "run", str(page), "--grid", "people=[1,2,3,4]", "-p", "name=sleeps", "-o", str(out)]
    run = subprocess.Popen(
        [sys.executable, "-m", "s2f_lib", *words], stderr=subprocess.PIPE, cwd=ROOT, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's "&" ignores ctrl-C
    )  # fmt: skip
    while not list(out.glob("*/*.ipynb")) and run.poll() is None:
        time.sleep(0.1)
    os.killpg(run.pid, signal.SIGINT)
    error = run.communicate(timeout=600)[1]
    assert run.returncode == 130
    assert "Traceback" not in error
    assert error.strip().splitlines()[-1].startswith("s2f pages run: stopped; what is complete is kept")
    assert [path.parent.name for path in out.glob("*/*.ipynb")] == ["people=1-name=sleeps"] or len(
        list(out.iterdir())
    ) == 1
