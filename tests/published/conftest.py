"""A miniature of the authors' repository, with drawn patterns in place of faces and tones in place of voices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from s2f_lib.published import layout

AVSPEECH = [f"made_up-{i // 2:03d}_{i:03d}.000000-{i + 6:03d}.000000" for i in range(12)]  # two clips of each video
VOXCELEB = [f"{i // 2 % 2}014Made_Up_Jr._{i // 2}_made_up-{i:03d}_{i:07d}" for i in range(12)]  # two of each speaker


def make_tree(root: Path, part: str, names: list[str], empty: bool = False) -> Path:
    """The folders of one part below ``root``, in the authors' layout; ``empty`` files hold their own name only."""
    import soundfile
    from PIL import Image

    folder, kinds = root / layout.PARTS[part].upstream, tuple(layout.KINDS)
    for kind in kinds:
        (folder / layout.KINDS[kind]).mkdir(parents=True)
    (folder / layout.SOUND_FOLDER).mkdir(parents=True)
    for number, name in enumerate(names):
        if empty:
            files = [folder / layout.KINDS[kind] / f"{name}.jpg" for kind in kinds]
            for file in (*files, folder / layout.SOUND_FOLDER / f"{name}.wav"):
                file.write_text(str(file))
            continue
        rng = np.random.default_rng(number)
        for kind in kinds:
            pixels = rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((64, 64)).save(folder / layout.KINDS[kind] / f"{name}.jpg")
        tone = 0.1 * np.sin(np.arange(16_000) * (0.05 + 0.01 * number))
        soundfile.write(folder / layout.SOUND_FOLDER / f"{name}.wav", tone, 16_000)
    return folder


@pytest.fixture
def write_tree():
    """`make_tree`, for tests that want another number of clips."""
    return make_tree


@pytest.fixture
def examples():
    """The published examples where they are on this machine; otherwise the test is skipped."""
    folder = layout.locate()
    if folder is None or layout.part_folder(folder, "avspeech") is None:
        pytest.skip("the published examples are not on this machine")
    return folder


@pytest.fixture
def authors(tmp_path):
    """A small copy of the authors' repository: both parts, a page of ranks, and pictures nobody asked for."""
    root = tmp_path / "authors"
    make_tree(root, "avspeech", AVSPEECH)
    make_tree(root, "voxceleb", VOXCELEB)
    (root / "figures/avspeech_res/1CC11031ACC0C630.png").write_bytes(b"not wanted")
    (root / "figures/landmark").mkdir()
    (root / "figures/landmark/stat.txt").write_text("Corr: 0.156")
    (root / "supplemental/retrieve").mkdir(parents=True)
    (root / "supplemental/retrieve/index.html").write_text("<html>Actual rank: 140/5000</html>")
    (root / "index.html").write_text("<html>the project page</html>")
    return root
