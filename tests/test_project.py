"""The house: pins that agree, a tree that is there, nothing of a real person, results that come from commands."""

from __future__ import annotations

import ast
import graphlib
import hashlib
import importlib.metadata
import importlib.util
import math
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

import s2f_lib
from s2f_lib import cli, io
from s2f_lib.io.measures import MEASURES
from s2f_lib.rooms import ROOMS
from tools import sphinx_extension
from tools.report import documents
from tools.sphinx_extension import commands_as_code

ROOT = Path(__file__).resolve().parents[1]
TEN = "jupyter-book jupyterlab torch torchaudio torchvision librosa ipywidgets matplotlib nbval papermill".split()


def tracked() -> list[Path]:
    """Files that git knows; the tests of the repository make no sense elsewhere."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git clone")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).exists()]


def pins(path: Path) -> dict[str, str]:
    """Package -> version of a requirements file with exact pins only."""
    lines = [line.split("#")[0].strip() for line in path.read_text().splitlines()]
    return dict(line.split("==") for line in lines if line)


def declared() -> list[Requirement]:
    """All requirements of pyproject.toml, extras included, without the references to our own extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    return [r for texts in lists for r in map(Requirement, texts) if r.name != "s2f-lib"]


# --- pins


def test_environment_yml_holds_the_same_pins():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    listed = next(item["pip"] for item in environment["dependencies"] if isinstance(item, dict))
    assert dict(line.split("==") for line in listed) == pins(ROOT / "requirements.txt")


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_each_declared_package_is_pinned_inside_its_range(requirement):
    versions = pins(ROOT / "requirements.txt")
    assert requirement.name in versions, f"{requirement.name} is in pyproject.toml but not in requirements.txt"
    assert requirement.specifier.contains(versions[requirement.name], prereleases=True)


def test_only_lower_bounds_where_a_hosted_notebook_brings_its_own_builds():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for requirement in map(Requirement, project["dependencies"]):
        assert {s.operator for s in requirement.specifier} <= {">="}, requirement
    hosted = {"torch": "2.11.0", "torchaudio": "2.11.0", "torchvision": "0.26.0"}
    for requirement in map(Requirement, project["dependencies"]):
        assert requirement.specifier.contains(hosted.get(requirement.name, "9999"))


@pytest.mark.parametrize("name", TEN)
def test_the_ten_packages_are_pinned_installed_and_used(name):
    assert importlib.metadata.version(name).split("+")[0] == pins(ROOT / "requirements.txt")[name]
    needles = {"jupyter-book": "jupyter-book", "jupyterlab": 'jupyter"? lab', "nbval": "nbval"}
    needle = needles.get(name, rf"import {name}|from {name}|importorskip\(.{name}.\)")
    places = [*(ROOT / "s2f_lib").rglob("*.py"), *(ROOT / "book").glob("*.ipynb"), *(ROOT / "tests").rglob("*.py")]
    where = [ROOT / "Makefile", *(path for path in places if path.name != "test_project.py")]
    assert any(re.search(needle, path.read_text(encoding="utf-8")) for path in where), f"nothing uses {name}"


# --- the tree


@pytest.mark.parametrize(
    "name",
    """Makefile pyproject.toml requirements.txt environment.yml README.md LICENSE
    CITATION.cff CONTRIBUTING.md _config.yml _toc.yml book s2f_lib data_scripts results benchmarks tests
    .ci/run""".split(),
)
def test_the_tree_is_complete(name):
    assert (ROOT / name).exists()


def test_ci_calls_exactly_the_two_commands():
    lines = (ROOT / ".ci/run").read_text().splitlines()
    assert [line for line in lines if line.startswith("make")] == ["make test", "make book"]
    assert os.access(ROOT / ".ci/run", os.X_OK)


@pytest.mark.parametrize("command", ["help", "book", "test", "lab", "clean", "published", "bench", "links"])
def test_make_knows_the_command(command):
    done = subprocess.run(["make", "-n", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_page_of_the_contents_exists_and_every_notebook_is_in_it():
    toc = (ROOT / "_toc.yml").read_text()
    listed = re.findall(r"(?:root|file): (\S+)", toc)
    missing = [name for name in listed if not any((ROOT / f"{name}{end}").exists() for end in (".md", ".ipynb"))]
    assert missing == []
    left_out = [p.stem for p in (ROOT / "book").glob("*.ipynb") if f"book/{p.stem}" not in listed]
    assert left_out == []


def test_vendored_scripts_are_the_published_files():
    vendor = ROOT / "book/_static/vendor"
    rows = re.findall(r"^\| `(\S+?)` \|.*`([0-9a-f]{64})` \|$", (vendor / "README.md").read_text(), re.MULTILINE)
    files = [p for p in vendor.rglob("*") if p.suffix in (".js", ".woff2")]
    assert sorted(name for name, _ in rows) == sorted(str(p.relative_to(vendor)) for p in files)
    for name, checksum in rows:
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == checksum, name
        assert (vendor / name).with_name("LICENSE").exists()


def test_plain_sphinx_builds_the_same_pages(tmp_path):
    """The way out of Jupyter Book 1: it writes a conf.py, with which Sphinx alone builds the book."""
    book = tmp_path / "book"
    pages = ("_static", "glossary.md", "intro.md", "references.bib")
    others = [path.name for path in (ROOT / "book").iterdir() if path.name not in pages]
    shutil.copytree(ROOT / "book", book, ignore=shutil.ignore_patterns(*others, "vendor"))
    shutil.copy(ROOT / "_config.yml", tmp_path)
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/intro\nchapters:\n- file: book/glossary\n")
    tool = Path(sys.executable).with_name("jupyter-book")
    env = os.environ | {"PYTHONPATH": str(ROOT)}  # where the extension of the book lies
    subprocess.run([tool, "config", "sphinx", tmp_path], check=True, capture_output=True, env=env)
    build = [sys.executable, "-m", "sphinx", "-q", "-b", "html", tmp_path, tmp_path / "html"]
    done = subprocess.run(build, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "html/book/glossary.html").read_text(encoding="utf-8")
    assert "perfect listener" in page
    assert "thebe" not in page.lower().replace("text/x-thebe-config", "")


# --- rooms


LIBRARY = sorted((ROOT / "s2f_lib").rglob("*.py"))


def module_of(path: Path) -> str:
    """Full name of a module of the library."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported_modules(path: Path, known: set[str]) -> set[str]:
    """Modules of the library that one of its files imports, anywhere in it but for the eyes of type checkers."""
    tree, found = ast.parse(path.read_text(encoding="utf-8")), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "s2f_lib":
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in known else node.module for name in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "s2f_lib"}
    return found - {"s2f_lib", module_of(path)}


def floor(module: str) -> int:
    """Place of a module's room, from the ground up."""
    name = module.split(".")[1]
    found = [i for i, room in enumerate(ROOMS) if name in room.names]
    assert found, f"{name} is no room; s2f_lib/rooms.py lists them"
    return found[0]


@pytest.mark.parametrize("path", LIBRARY, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_imports_only_itself_and_rooms_before_it(path):
    module, known = module_of(path), {module_of(one) for one in LIBRARY}
    if module in ("s2f_lib", "s2f_lib.__main__"):
        return
    wrong = {name for name in imported_modules(path, known) if floor(name) > floor(module)}
    assert wrong == set()


def test_every_module_has_a_name_of_its_own():
    names = [module_of(path).rpartition(".")[2] for path in LIBRARY]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_no_file_imports_itself_through_others():
    known = {module_of(path) for path in LIBRARY}
    imports = {module_of(path): imported_modules(path, known) for path in LIBRARY}
    sorter = graphlib.TopologicalSorter(imports)
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"import circle: {' <- '.join(error.args[1])}")


def test_the_map_of_the_rooms_is_complete():
    named = {name for room in ROOMS for name in room.names}
    there = {path.relative_to(ROOT / "s2f_lib").with_suffix("").parts[0] for path in LIBRARY}
    assert there - {"__init__", "__main__"} <= named
    assert "`people`: synthetic people" in s2f_lib.__doc__
    shown = {name for room in ROOMS for name in sphinx_extension.modules(room.page)}
    assert {"s2f_lib.io.records", "s2f_lib.book.tables", "s2f_lib.people"} <= shown


def test_training_needs_nothing_beyond_torch_numpy_scipy():
    heavy = ["librosa", "soundfile", "av", "dlib", "sklearn", "ipywidgets", "matplotlib", "pandas", "torchvision"]
    rooms = "s2f_lib.training, s2f_lib.voice_encoder, s2f_lib.losses"
    code = f"import sys, {rooms}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- nothing that does not belong


def test_no_machine_paths_in_tracked_text():
    pattern = re.compile(r"(^|[^A-Za-z0-9_.])/(work|tmp|root|home)/[A-Za-z0-9]", re.MULTILINE)
    found = []
    for path in tracked():
        if path.suffix in {".svg", ".js"}:
            continue
        content = path.read_bytes()
        if b"\0" not in content:
            found += [
                f"{path.relative_to(ROOT)}: {m[0]}" for m in pattern.finditer(content.decode("utf-8", errors="replace"))
            ]
    assert found == []


def test_nothing_of_a_real_person_can_be_in_the_repository():
    names = [str(path.relative_to(ROOT)) for path in tracked()]
    media = [n for n in names if Path(n).suffix.lower() in {".wav", ".flac", ".mp3", ".mp4", ".webm", ".jpg", ".jpeg"}]
    assert media == []
    pictures = [n for n in names if n.endswith((".png", ".gif", ".webp")) and not n.startswith("book/_static/")]
    assert pictures == []
    assert [n for n in names if re.search(r"[\w-]{11}_\d{3}\.\d{6}-\d{3}\.\d{6}", n)] == []


def test_the_repository_stays_small():
    sizes = {path: path.stat().st_size / 1e6 for path in tracked()}
    weights = sum(size for path, size in sizes.items() if path.suffix == ".safetensors")
    assert weights <= 48, f"shipped weights are {weights:.1f} MB"
    assets = sum(size for path, size in sizes.items() if path.is_relative_to(ROOT / "s2f_lib/people/data"))
    assert assets <= 12, f"assets of the synthetic people are {assets:.1f} MB"
    shipped = {p for p in sizes if p.suffix == ".safetensors" or p.is_relative_to(ROOT / "s2f_lib/people/data")}
    assert [str(p.relative_to(ROOT)) for p, size in sizes.items() if size > 4 and p not in shipped] == []


# --- results


def records() -> list[Path]:
    """The recorded results; the scorecard, a table made of them, is no record of its own."""
    return sorted((ROOT / "results").glob("*.json"))


@pytest.mark.parametrize("path", records(), ids=lambda p: p.stem)
def test_each_record_is_finite_and_its_command_exists(path):
    record = io.read_record(path)
    assert record.name == path.stem
    for row in record.rows:
        assert row["unit"] == MEASURES[row["measure"]].unit
        assert math.isfinite(row["value"]), row
        assert "low" not in row or row["low"] <= row["high"], row
        assert row["unit"] != "share" or abs(row["value"]) <= 1.2, row  # a share is no percentage
    for command in re.split(r"&&|;", record.command):
        assert command_exists(command.split()), command


def command_exists(words: list[str]) -> bool:
    """Whether the program that a recorded command starts is still in the repository."""
    words = [word for word in words if not re.match(r"[A-Z_0-9]+=", word)]
    if words[:1] == ["make"]:
        makefile = (ROOT / "Makefile").read_text()
        return all(re.search(rf"^{w}:", makefile, re.MULTILINE) for w in words[1:] if "=" not in w)
    if words[:2] == ["python", "-m"]:
        return importlib.util.find_spec(words[2]) is not None
    if words[0] == "s2f":
        return any(" ".join(words[1:n]) in cli.COMMANDS for n in (2, 3))
    return words[0] == "python" and (ROOT / words[1]).is_file()


@pytest.mark.parametrize("path", documents.files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_tables_in_the_text_are_those_of_the_records(path):
    text = path.read_text(encoding="utf-8")
    assert documents.refreshed(text) == text, "run python -m tools.report"


def test_tables_of_the_build_are_not_kept_in_git():
    text = "<!-- results:api_foundation -->\n<!-- /results -->\n"
    filled = documents.refreshed(text, sphinx_extension.BUILT)
    assert "automodule:: s2f_lib.audio" in filled
    assert documents.refreshed(filled) == text


def test_a_changed_record_changes_the_table(tmp_path, monkeypatch):
    monkeypatch.setenv("S2F_RESULTS", str(tmp_path))
    text = "<!-- results:some_run -->\nold\n<!-- /results -->\n"
    assert "not run yet" in documents.refreshed(text)
    rows = [{"measure": "top_percent", "k": 10, "value": 0.46, "low": 0.43, "high": 0.49}]
    io.write_record("some_run", rows=rows, command="s2f evaluate", n=1000, seconds=1)
    filled = documents.refreshed(text)
    assert "(k 10) | 46.0\u00a0% | 43.0 to 49.0\u00a0% |" in filled
    assert "N = 1,000" in filled
    assert documents.refreshed(filled) == filled


# --- documentation


def docstrings(path: Path):
    """Docstrings of a module and of its public classes and functions, with their line."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
            name = getattr(node, "name", path.stem)
            kind = "class" if isinstance(node, ast.ClassDef) else "function"
            yield name, "module" if isinstance(node, ast.Module) else kind, ast.get_docstring(node)


@pytest.mark.parametrize("path", sorted((ROOT / "s2f_lib").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_docstrings_are_valid_for_the_reference(path):
    from docutils.core import publish_doctree
    from sphinx.ext.napoleon import Config, NumpyDocstring

    config = Config(napoleon_use_rtype=False, napoleon_use_ivar=True)
    problems = []
    for name, kind, text in docstrings(path):
        text = "\n".join(commands_as_code(text.splitlines())) if kind == "module" else text
        source = str(NumpyDocstring(text, config, what=kind))
        source = re.sub(r":(?:[\w:]+):`", "`", source)  # roles of Sphinx are unknown to docutils alone
        tree = publish_doctree(source, settings_overrides={"report_level": 5, "halt_level": 6})
        messages = [m.astext() for m in tree.findall(lambda n: n.tagname == "system_message") if m["level"] >= 2]
        problems += [f"{name}: {m}" for m in messages if 'directive type "' not in m]
    assert problems == []


def test_the_library_example_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    assert sum(bool(line.strip()) for line in code.splitlines()) == 6
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert tuple(names["spectrogram"].shape)[-3:] == (2, 598, 257)
    assert names["picture"].shape == (128, 128, 3)


def test_commands_named_in_the_readme_exist():
    text = (ROOT / "README.md").read_text()
    shell = "\n".join(re.findall(r"```shell\n(.*?)```", text, re.DOTALL))
    commands = [line.split("#")[0].split() for line in shell.splitlines() if line.strip()]
    assert commands
    assert [c for c in commands if not command_exists(c)] == []


def test_what_the_model_card_says_of_silence_is_what_was_measured():
    card = " ".join((ROOT / "book" / "model_card.md").read_text(encoding="utf-8").split())
    found = io.read_record("evaluation_synthetic")

    def answer(corruption, measure="angle_from_average"):
        return found.value(measure, experiment="corruptions", corruption=corruption)

    speech = answer("as recorded")
    assert "lie nearly half as far" in card
    assert all(0.4 < answer(name) / speech < 0.5 for name in ("noise only", "silence only"))
    mp3, truth = answer("mp3 at 16 kbit/s"), answer("mp3 at 16 kbit/s", "angle")
    deaf = found.value("angle", experiment="similarity", predictor="mean feature")
    assert "farther from the truth than the average does" in card
    assert mp3 > 1.2 * speech
    assert truth > deaf
