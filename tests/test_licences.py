"""One page names the licence of everything that is installed or carried, and it agrees with the packages themselves."""

import importlib.metadata
import re
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "book" / "licences.md").read_text(encoding="utf-8")
FAMILIES = ("LGPL", "GPL", "MPL", "BSD", "MIT", "Apache", "ISC", "Boost", "CC0", "Unlicense", "PSF", "NVIDIA")
COPYLEFT = {"LGPL", "GPL", "MPL", "NVIDIA"}
WORDS = {
    "GNU General Public": "GPL",
    "GNU Lesser": "LGPL",
    "Mozilla Public": "MPL",
    "Python Software Foundation": "PSF",
    "Proprietary": "NVIDIA",
    "Redistribution and use": "BSD",
}


def rows() -> dict[str, str]:
    """Package -> licence column of the table of packages."""
    section = PAGE.split("## Python packages")[1].split("\n## ")[0]
    found = re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", section, re.MULTILINE)
    return {canonicalize_name(name) if "*" not in name else name: licence for name, licence in found}


def families(text: str) -> set[str]:
    """Which families of licences a text names."""
    for word, family in WORDS.items():
        text = text.replace(word, f" {family} ")
    return {family for family in FAMILIES if re.search(rf"(?<![A-Za-z]){family}(?![a-z])", text)}


def said_of_itself(distribution: importlib.metadata.Distribution) -> set[str]:
    """The families that a package's own metadata name; a whole licence text counts by its title."""
    about = distribution.metadata
    texts = [about.get("License-Expression") or "", (about.get("License") or "")[:400]]
    texts += [c.removeprefix("License :: ") for c in about.get_all("Classifier") or [] if c.startswith("License")]
    return families(" | ".join(texts))


def pinned() -> list[str]:
    lines = [*(ROOT / "requirements.txt").open(), *(ROOT / "requirements-no-deps.txt").open()]
    return [line.split("==")[0].strip() for line in lines if "==" in line.split("#")[0]]


def brought() -> set[str]:
    """The pinned packages and all that they ask for, as far as it is installed here."""
    seen, left = set(), pinned()
    while left:
        name = canonicalize_name(left.pop())
        if name in seen:
            continue
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        seen.add(name)
        left += [r.name for r in map(Requirement, needs) if r.marker is None or r.marker.evaluate({"extra": ""})]
    return seen


@pytest.mark.parametrize("name", pinned())
def test_each_pinned_package_has_a_row_that_its_own_metadata_confirm(name):
    row = rows()[canonicalize_name(name)]
    assert families(row), f"the row of {name} names no licence that is known: {row!r}"
    try:
        own = said_of_itself(importlib.metadata.distribution(name))
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{name} is not installed here")
    assert own & families(row), f"{name} says {own}, the page {row!r}"
    assert own & COPYLEFT == families(row) & COPYLEFT


def test_nothing_with_conditions_comes_along_without_a_row():
    listed = rows()
    missing = {}
    for name in brought() - set(listed):
        own = said_of_itself(importlib.metadata.distribution(name)) & COPYLEFT
        if own and not (name.startswith("nvidia-") and "nvidia-*" in listed):
            missing[name] = own
    assert not missing, f"these ask for more than a notice and are not on the page: {missing}"


def test_what_a_wheel_carries_is_noted():
    libraries = importlib.metadata.files("av") or []
    for library, noted in (("x264", "x264"), ("x265", "x265"), ("mp3lame", "LAME")):
        if any(library in str(path) for path in libraries):
            assert noted in PAGE, f"the wheel of av carries {library}"


def test_every_vendored_script_and_folder_of_data_has_a_row():
    carried = PAGE.split("## What lies in the repository")[1]
    for folder in (ROOT / "book" / "_static" / "vendor").iterdir():
        if folder.is_dir():
            assert f"book/_static/vendor/{folder.name}" in carried
    vendor = (ROOT / "book" / "_static" / "vendor" / "README.md").read_text(encoding="utf-8")
    for licence in re.findall(r"^\|[^|]+\|[^|]+\|[^|]+\| ([\w.-]+)", vendor, re.MULTILINE)[1:]:
        assert licence in carried
    for note in (ROOT / "s2f_lib" / "people" / "data").glob("*.md"):
        if note.stem.islower():
            assert note.name in carried


def test_actions_of_the_workflows_are_pinned_by_digest():
    used = []
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            used += [step["uses"] for step in job["steps"] if "uses" in step]
    assert len(used) > 8
    for action in used:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", action), f"{action} may change under its name"
