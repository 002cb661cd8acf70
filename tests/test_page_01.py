"""Page 1 takes a reader's own recording; the output of such a run stays in a temporary folder."""

from pathlib import Path

import numpy as np
import pytest

from s2f_lib import audio
from s2f_lib.book import pages


def run(tmp_path, recording, **parameters):
    papermill = pytest.importorskip("papermill")
    page, out = pages.find("01_data_preparation"), tmp_path / "out.ipynb"
    values = {"recording": str(recording), "people_shown": 18} | parameters
    done = papermill.execute_notebook(str(page), str(out), values, cwd=str(tmp_path), progress_bar=False)
    return "\n".join(o.get("text", "") for cell in done.cells for o in cell.get("outputs", []))


@pytest.mark.slow
def test_a_sound_file_without_a_picture(tmp_path):
    recording = audio.write(tmp_path / "short.wav", 0.3 * np.sin(np.arange(50_000) / 9))
    said = run(tmp_path, recording)
    assert "(96000,) (1, 2, 598, 257)" in said
    assert "no picture in this recording" in said


@pytest.mark.slow
def test_real_talking_heads(tmp_path):
    from s2f_lib.published.layout import locate

    videos = sorted((locate() or Path("nowhere")).glob("talking_heads/*.mp4"))
    if not videos:
        pytest.skip("no published examples with talking heads here; set S2F_PUBLISHED to their folder")
    said = run(tmp_path, videos[0].resolve(), start=0.5)
    assert "(96000,) (1, 2, 598, 257)" in said
    assert "\nok" in said, "the face is found"
