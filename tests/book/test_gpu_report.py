"""What a page says of the GPU's records, and what it says without them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from s2f_lib import io
from s2f_lib.book import gpu_report
from s2f_lib.training.roofline import roofline
from s2f_lib.voice_encoder import preset

RATE = {"measure": "rate", "what": "clips", "preset": "paper", "value": 640.0}
SPEED = io.Record([RATE], device="Card", date="2026-12-01T00:00:00Z")


def test_without_a_record_it_says_so_and_gives_the_arithmetic():
    text = gpu_report.speed(None)
    assert text.startswith("not run yet: python -m benchmarks.gpu_training")
    least = 5_100_000 * 0.53e12 / 800e12 / 3600  # of the products alone
    said = float(text.split("less than ")[1].split(" hours")[0])
    assert least < said < 2 * least


def test_a_record_is_told_as_it_is():
    peak = {"measure": "share_of_peak", "of": "matrix products", "preset": "paper", "value": 0.43}
    assert gpu_report.speed(replace(SPEED, rows=[RATE, peak])) == (
        "Card, 2026-12-01: 640 clips/s; 43% of the measured matrix peak; "
        "the published schedule (5.1 million clips) would take 2.2 hours"  # 5,100,000 / 640 / 3600
    )


def test_slower_links_cost_more_and_a_measured_step_replaces_the_counted_one():
    counted = gpu_report.scaling(None)
    assert counted["exchange (ms)"].is_monotonic_increasing
    step, exchange = roofline(preset("paper"), 256, *gpu_report.CARD), counted["exchange (ms)"].iloc[1]
    assert counted["256 clips a card"].iloc[1] == f"{8 * step / (step + exchange / 1e3):.1f} to 8.0 times"
    measured = gpu_report.scaling(SPEED)
    assert measured["256 clips a card"].iloc[0] == "8.0 to 8.0 times"  # 400 ms beside 2.3
    slow = measured["exchange (ms)"].iloc[2] / 1e3  # longer than 32 clips take: it cannot be hidden
    assert measured["32 clips a card"].iloc[2] == f"{8 * 0.05 / (0.05 + slow):.1f} to {8 * 0.05 / slow:.1f} times"


PAGE = Path(__file__).resolve().parents[2] / "book/03_voice_encoder.ipynb"


@pytest.mark.parametrize("recorded", [False, True])
def test_the_cells_of_the_page_work_with_and_without_records(recorded, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("S2F_RESULTS", str(tmp_path))
    if recorded:
        of = {"measure": "angle", "run": "paper"}
        runs = [{**of, "split": "validation", "clips": 64 * i, "value": 70.0 - i} for i in range(1, 21)]
        runs.append({**of, "split": "test", "value": 50.0})
        runs.append({"measure": "top_percent", "run": "paper", "split": "test", "k": 10, "value": 0.2})
        for name, rows in (("gpu_training", [RATE]), ("gpu_run", runs)):
            io.write_record(name, command="python -m x", n=1, rows=rows, seconds=1, device="Card", notes="Quiet.")
    shown, names = [], {"io": io}
    names["display"] = shown.append
    cells = {cell["id"]: "".join(cell["source"]) for cell in json.loads(PAGE.read_text(encoding="utf-8"))["cells"]}
    for cell in ("cell-33", "gpu-runs"):
        exec(cells[cell].replace("gpu_report.scaling(gpu)", "display(gpu_report.scaling(gpu))"), names)
    text = capsys.readouterr().out
    if not recorded:
        assert text.count("not run yet: python -m benchmarks.gpu_") == 2
        assert len(shown) == 1
        return
    assert "would take 2.2 hours" in text
    assert "Quiet." in text
    assert shown[0]["256 clips a card"].iloc[0] == "8.0 to 8.0 times"
    assert [clips for _, clips in shown[1].index] == [64, 320, 576, 832, 1088]
    assert shown[2]["value"].tolist() == [50.0, 0.2]
