"""Nothing of a real person is in the repository or in the built book: no name, id, picture, sound or feature."""

import hashlib
import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from s2f_lib.published import layout

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "_build" / "html"
AVSPEECH_NAME = re.compile(r"(?<![\w-])[\w-]{11}_\d{3}\.\d{6}-\d{3}\.\d{6}")
VOXCELEB_NAME = re.compile(r"(?<!\w)[01]\d{3}[A-Z][\w.'-]*_[\w-]{11}_\d{7}(?!\d)")
OWN = ("made_up", "Made_Up")  # the names that these tests invent


def files() -> list[Path]:
    """Files that git knows or would take, and the built book where it was built."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("not a git clone")
    found = [ROOT / name for name in listed.stdout.split("\0") if name]
    found += BUILT.rglob("*") if BUILT.is_dir() else []
    return [path for path in found if path.is_file() and not path.is_symlink()]


def names_in(text: str) -> list[str]:
    found = AVSPEECH_NAME.findall(text) + VOXCELEB_NAME.findall(text)
    return [name for name in found if not any(own in name for own in OWN)]


def test_the_patterns_know_a_published_name_when_they_see_one():
    assert names_in(
        "a" * 3 + "-" * 8 + "_001." + "000000-007.000000.jpg"
    )  # put together here: this file is scanned too
    assert names_in("src=./Face_ori/0012" + "Some_Body_1p1Ds52eexx_" + "0000002.jpg")
    assert not names_in("made_up-000_001.000000-007.000000, 2026-11-22_14.07, results_2026-01-01.json")


def test_no_published_name_in_any_file_or_file_name():
    text = (
        ".py",
        ".ipynb",
        ".md",
        ".json",
        ".csv",
        ".html",
        ".js",
        ".txt",
        ".yml",
        ".yaml",
        ".toml",
        ".cfg",
        ".bib",
        "",
    )
    bad = {}
    for path in files():
        found = names_in(path.name)
        if path.suffix in text and path.stat().st_size < 20_000_000:
            found += names_in(path.read_text(encoding="utf-8", errors="ignore"))
        if found:
            bad[str(path.relative_to(ROOT))] = len(found)
    assert bad == {}


def test_results_hold_aggregates_only():
    """Short lists only: a face feature has 128 numbers, a voice feature 256, and a list per clip 900 or more."""

    def lists(value):
        if isinstance(value, dict):
            for inner in value.values():
                yield from lists(inner)
        elif isinstance(value, list):
            if not all(isinstance(inner, dict) for inner in value):  # rows of a record are not numbers in a row
                yield value
            for inner in value:
                yield from lists(inner)

    checked = 0
    for path in (ROOT / "results").glob("published_*.json"):
        checked += 1
        assert [len(x) for x in lists(json.loads(path.read_text())) if len(x) > 100] == [], path.name
        for x in lists(json.loads(path.read_text())):
            assert len(x) != 100 or all(isinstance(n, int) for n in x), f"{path.name}: 100 numbers that are no counts"
    assert checked >= 2


def test_no_published_file_or_feature_is_in_the_repository(examples):
    """Byte for byte against the examples on this machine, and their ids against every text."""
    part = layout.open_part(examples, "avspeech")
    published = {}
    for clip in part:
        for path in (*clip.pictures.values(), clip.sound):
            published.setdefault(path.stat().st_size, []).append(path)
    ids = {clip.speaker for clip in part}
    pattern = re.compile(r"[\w-]{11}")
    for path in files():
        if same_size := published.get(path.stat().st_size):
            own = hashlib.sha256(path.read_bytes()).digest()
            assert own not in {hashlib.sha256(other.read_bytes()).digest() for other in same_size}, path
        if path.suffix in (".npy", ".npz"):
            _check_arrays(path)
        if path.suffix in (".py", ".md", ".ipynb", ".json", ".csv", ".html") and path.stat().st_size < 5_000_000:
            words = set(pattern.findall(path.read_text(encoding="utf-8", errors="ignore")))
            assert not words & ids, f"{path}: {len(words & ids)} video ids"


def _check_arrays(path: Path) -> None:
    """No array in the repository has a row per published clip and a column per feature."""
    with np.load(path, allow_pickle=False) as loaded:
        arrays = dict(loaded) if hasattr(loaded, "keys") else {"": loaded}
    for array in arrays.values():
        assert not (array.ndim == 2 and array.shape[1] in (128, 256) and array.shape[0] in range(800, 1305)), path
