"""Pairs and features as the steps before `build` leave them, without a detector or a network."""

import numpy as np
import pytest

from s2f_lib import io
from s2f_lib.corpus import manifest, shards


@pytest.fixture(scope="session")
def pairs(tmp_path_factory):
    """Folder of twelve clips of six speakers in the layout of `crop_faces` and `extract_features` at once."""
    pytest.importorskip("soundfile")
    folder, rows = tmp_path_factory.mktemp("pairs"), []
    for number in range(12):
        random, clip = np.random.default_rng(number), f"clip{number:02d}"
        contents = {
            f"pairs/{clip}.flac": random.integers(-9000, 9000, 48_000).astype(np.int16),
            f"pairs/{clip}.jpg": np.full((16, 16, 3), 20 * number, np.uint8),
            f"features/{clip}.v_f.npy": np.full(8, number, np.float16),
        }
        for name, value in contents.items():
            with io.atomic_write(folder / name) as file:
                file.write(shards.encode(name.partition(".")[2], value))
        speaker = f"s{number // 2}"
        rows.append({"clip_id": clip, "speaker_id": speaker, "video_id": f"v{speaker}", "split": "", "status": "ok"})
    manifest.write(folder / "manifest.csv", [{**row, "reason": ""} for row in rows])
    return folder


@pytest.fixture(scope="session")
def parts():
    """Speakers of each part: eight, two and two clips."""
    return {"train": ["s0", "s1", "s2", "s3"], "validation": ["s4"], "test": ["s5"]}
