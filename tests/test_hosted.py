"""What a hosted notebook (Colab) does with a page: the wheel goes into an environment with builds of its own, and the
page runs there with no clone beside it, from a folder that it may not write to."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from s2f_lib import hub

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "book").glob("[0-9][0-9]_*.ipynb"))
by_stem = pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)


def pip(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "pip", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def hosted(tmp_path_factory) -> Path:
    """A virtual environment that brings all packages but ours, and ours installed from a wheel with the extra `pages`.

    Without an index: had it wanted another version of anything, the installation would have failed.
    """
    folder = tmp_path_factory.mktemp("hosted")
    brought = folder / "brought"
    brought.mkdir()
    for entry in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if "s2f" not in entry.name.lower():
            (brought / entry.name).symlink_to(entry)
    venv.create(folder / "env", with_pip=False)
    python = folder / "env/bin/python"
    next((folder / "env").glob("lib/python*/site-packages")).joinpath("brought.pth").write_text(f"{brought}\n")
    pip("wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder), str(ROOT))
    wheel = next(folder.glob("*.whl"))
    told = pip("--python", str(python), "install", "--no-index", f"{wheel}[pages]")
    assert re.findall(r"Successfully installed (.*)", told) == [f"s2f-lib-{wheel.name.split('-')[1]}"]
    return python


def run(python: Path, code: str, folder: Path) -> str:
    """Run code there, in another folder, with an empty cache."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "S2F_", "VIRTUAL"))}
    environment["S2F_HOME"] = str(python.parents[2] / "home")
    done = subprocess.run(
        [python, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def code_cells(page: Path) -> list[tuple[str, set[str]]]:
    cells = json.loads(page.read_text(encoding="utf-8"))["cells"]
    return [("".join(c["source"]), set(c["metadata"].get("tags", []))) for c in cells if c["cell_type"] == "code"]


def test_the_wheel_brings_weights_presets_and_data(hosted, tmp_path):
    listed = subprocess.run(["git", "ls-files", "-z", "s2f_lib"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git clone")
    tracked = [name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]
    told = run(hosted, "import s2f_lib; print(s2f_lib.__file__)", tmp_path).strip()
    installed = Path(told).parents[1]
    assert installed.is_relative_to(hosted.parents[1])
    assert [name for name in tracked if not (installed / name).exists()] == []
    names = run(
        hosted, "from s2f_lib import hub; print([r['name'] for r in hub.available() if r['present']])", tmp_path
    )
    assert ast.literal_eval(names) == [row["name"] for row in hub.available() if row["present"]]


@by_stem
def test_the_first_cell_installs_quietly_and_upgrades_nothing(page):
    source, tags = code_cells(page)[0]
    assert "hide-cell" in tags
    (line,) = re.findall(r"%pip (.+)", source)
    assert re.fullmatch(r'install -q "(.+)"', line), "no option beside -q: nothing of the host is upgraded"
    requirement = Requirement(line.split('"')[1])
    assert (requirement.name, requirement.extras) == ("s2f-lib", {"pages"})
    names: dict = {}
    exec(re.sub(r"%pip .+", "raise AssertionError('installs elsewhere, too')", source), names)  # anywhere else: nothing


@by_stem
def test_a_page_starts_without_a_clone(page, hosted, tmp_path):
    """Parameters, imports and weights by name of each page, from a folder that it must leave as it was."""
    lines, weights = [], set()
    for source, tags in code_cells(page)[1:]:
        body = ast.parse("\n".join(line for line in source.splitlines() if not line.startswith("%"))).body
        lines += [source] if "parameters" in tags else []
        lines += [ast.unparse(node) for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]
        weights |= set(re.findall(r'hub\.load\("([\w-]+)"\)', source))
    lines += [f"import s2f_lib.hub; s2f_lib.hub.load({name!r})" for name in sorted(weights)]
    folder = tmp_path / "notebooks"
    folder.mkdir()
    folder.chmod(0o555)
    run(hosted, "\n".join(lines), folder)
    assert list(folder.iterdir()) == []  # the superuser may write anywhere; nothing was written
