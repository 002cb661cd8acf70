"""The page "Try it" against torch: the same face from the same voice, its time, its size, and what it asks for.

    python -m benchmarks.browser

Needs node, and Chromium for what is measured in a browser; both work from files, without a network. The networks are
exported first where they are not (about a minute). Writes results/browser.json.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "browser"))
COMMAND = "python -m benchmarks.browser"
CLIPS, FILES = 32, 8  # synthetic voices: compared with torch; given to Chromium as files of other rates
RATES = (44_100, 48_000)  # Hz


def numbers(weights: Path, folder: Path) -> list[dict]:
    """Node against torch on the same clips: the face, the landmarks, the 1,000 numbers, and time of one core."""
    import reference

    clips = reference.voices(CLIPS)
    theirs, ours = reference.by_torch(clips), reference.by_node(clips, weights, folder)
    size = ours.image.shape[-1]
    apart = 255 * np.abs(theirs.image - ours.image)
    moved = size * np.linalg.norm(theirs.landmarks - ours.landmarks, axis=-1)
    turned = reference.degrees(theirs.first, ours.first)
    seconds = np.array(ours.face_ms) / 1000
    return [
        {"measure": "pixel_error", "statistic": "worst", "value": apart.max(), "n": CLIPS},
        {"measure": "pixel_error", "statistic": "mean", "value": apart.mean(), "n": CLIPS},
        {"measure": "landmark_pixels", "statistic": "worst", "value": moved.max(), "n": CLIPS},
        {"measure": "clip_angle", "against": "torch", "statistic": "worst", "value": turned.max(), "n": CLIPS},
        {"measure": "duration", "part": "face", "statistic": "median", "value": np.median(seconds), "n": CLIPS},
        {"measure": "duration", "part": "face", "statistic": "worst", "value": seconds.max(), "n": CLIPS},
        {"measure": "duration", "part": "weights", "value": ours.loading_ms / 1000},
    ]


def resampling(visit, folder: Path) -> list[dict]:
    """Angle between what the encoder makes of a file as Chromium reads it, and as the library does."""
    import reference
    from try_it_page import recording

    from s2f_lib import audio

    rows = []
    for rate in RATES:
        pairs = []
        for i, clip in enumerate(reference.voices(FILES)):
            path = recording(folder / f"voice_{rate}_{i}.wav", clip, rate)
            if visit.give(path) != f"Here is {path.name}.":
                raise RuntimeError(f"the page did not hear {path.name}")
            wave, read = visit.numbers("wave").astype(np.float32), audio.load(path)
            pairs += [wave, read * (wave @ read) / (read @ read)]  # at the same level
        heard = reference.by_torch(np.stack(pairs).astype(np.float32))
        for features, values in (("f_dec", heard.first), ("v_s", heard.v_s)):
            worst = reference.degrees(values[0::2], values[1::2]).max()
            row = {"measure": "clip_angle", "against": "library", "rate": rate, "features": features}
            rows.append(row | {"statistic": "worst", "value": worst, "n": FILES})
    return rows


def in_chromium(weights: Path, folder: Path) -> list[dict]:
    """What a page from a folder does: size, first text, requests while it records and draws, its own resampling."""
    import reference
    from test_browser import FIRST_TEXT
    from try_it_page import Visit, microphone_of, recording, write_page

    page = write_page(folder, weights)
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    voice = recording(folder / "microphone.wav", reference.voices(1)[0], 48_000)
    with microphone_of(voice) as browser, Visit(browser, page) as visit:
        first_text = visit.tab.evaluate(FIRST_TEXT) / 1000
        visit.asked.clear()
        visit.tab.click(".s2f-record")
        visit.tab.wait_for_function("document.querySelector('.s2f-status').textContent === 'Here is your recording.'")
        asked = [address for address in visit.asked if not address.startswith("blob:")]
        rows = resampling(visit, folder)
    rows.append({"measure": "requests", "value": len(asked)})
    rows.append({"measure": "size", "part": "page, scripts and weights", "value": size})
    rows.append({"measure": "duration", "part": "first text", "value": first_text})
    return rows


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    import reference
    from test_browser import CHROMIUM

    from s2f_lib import io
    from s2f_lib.book import web

    if reference.NODE is None or CHROMIUM is None:
        raise SystemExit("this needs node and Chromium; see CONTRIBUTING.md")
    io.refuse_uncommitted(io.results_dir() / "browser.json")
    start, weights = time.monotonic(), web.export_web()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "page")
        folder.mkdir()
        rows = numbers(weights, Path(temporary)) + in_chromium(weights, folder)
    read = web.header(weights)["page"]["axes"]
    n = read["sex"]["synthetic"]["n"]
    rows.append({"measure": "sex_right", "corpus": "synthetic", "value": read["sex"]["synthetic"]["share"], "n": n})
    rows.append({"measure": "age_mae", "corpus": "synthetic", "value": read["age"]["synthetic"]["error"], "n": n})
    path = io.write_record(
        "browser",
        rows=[{key: float(v) if key == "value" else v for key, v in row.items()} for row in rows],
        command=COMMAND,
        n=CLIPS,
        seeds=[reference.SEED],
        seconds=time.monotonic() - start,
        notes="Times are processor times of one core in node; pixels are of 255, landmarks in pixels of 112. Size: the "
        "page without the theme that all pages share. Requests: while a voice is recorded and its face drawn.",
    )
    print(path)


if __name__ == "__main__":
    main()
