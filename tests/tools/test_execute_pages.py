"""Pages are executed into the cache that Jupyter Book reads, each kept as soon as it is through."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from s2f_lib.book import pages
from tools import execute_pages as build

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def page(tmp_path) -> Path:
    """A tiny page with a caption, that fails when told to."""
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_markdown_cell("# A page\n\n> **This page**\n>\n> - **Runs on** CPU, about 2 minutes"),
        nbformat.v4.new_code_cell("people = 4"),
        nbformat.v4.new_code_cell("assert people > 0, 'people must be positive'\nprint('there are', people)"),
        nbformat.v4.new_markdown_cell('<a id="fig-a"></a>*Figure 1. What is printed.*'),
    ]
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path / "90_tiny.ipynb"
    nbformat.write(notebook, path)
    return path


def test_jupyter_book_takes_the_pages_from_the_cache(page, tmp_path):
    config = (ROOT / "_config.yml").read_text(encoding="utf-8").replace("[book/_static]", "[]")
    (tmp_path / "_config.yml").write_text(re.sub(r"html_(css|js)_files: .*|html_favicon: .*", "", config))
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: 90_tiny\n")
    assert build.execute_all([page], tmp_path / "_build") == {}
    tool = Path(sys.executable).with_name("jupyter-book")
    env = os.environ | {"PYTHONPATH": str(ROOT)}  # where the extension of the book lies
    done = subprocess.run([tool, "build", tmp_path], capture_output=True, text=True, check=False, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Executing notebook" not in done.stdout + done.stderr
    assert "there are 4" in (tmp_path / "_build/html/90_tiny.html").read_text(encoding="utf-8")


def test_executed_pages_are_forgotten_only_when_what_they_call_changed(tmp_path):
    (tmp_path / "s2f_lib").mkdir()
    (tmp_path / "s2f_lib/a.py").write_text("x = 1")
    first = build.fingerprint(tmp_path)
    (tmp_path / "README.md").write_text("no matter")
    (tmp_path / "s2f_lib/__pycache__").mkdir()
    (tmp_path / "s2f_lib/__pycache__/a.pyc").write_bytes(b"no matter")
    assert build.fingerprint(tmp_path) == first
    (tmp_path / "s2f_lib/a.py").write_text("x = 2")
    assert build.fingerprint(tmp_path) != first
    folder = tmp_path / "_build"
    (folder / ".jupyter_cache").mkdir(parents=True)
    assert build.refresh_cache(folder)
    assert not (folder / ".jupyter_cache").exists()
    (folder / ".jupyter_cache").mkdir()
    assert not build.refresh_cache(folder)
    assert (folder / ".jupyter_cache").exists()


def test_what_was_executed_is_kept_whatever_happens_to_another_page(page, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(build, "EVERY", 0.05)
    bad = page.with_name("91_bad.ipynb")
    bad.write_text(page.read_text().replace("people = 4", "people = -4"))
    assert list(build.execute_all([bad, page], tmp_path / "_build")) == ["91_bad"]
    told = capsys.readouterr().out
    assert "page 1 of 2, 91_bad: begun" in told
    assert re.search(r"\d+ s of about 240 s; page 1 of 2, 91_bad: cell [12] of 2", told)
    assert "91_bad: failed, cell 2: AssertionError: people must be positive" in told
    bad.write_text(page.read_text().replace("people = 4", "people = 5"))
    assert build.execute_all([bad, page], tmp_path / "_build") == {}
    told = capsys.readouterr().out
    assert "page 1 of 1, 91_bad" in told
    assert "90_tiny" not in told


def test_a_page_says_how_long_it_takes():
    known = {path.stem[:2]: build.expected_seconds(pages.read(path)) for path in pages.pages()}
    assert all(60 <= seconds <= 600 for number, seconds in known.items() if number != "06"), known
    assert known["06"] == 0  # seconds only, from the recorded numbers
