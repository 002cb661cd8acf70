"""What a page says of the GPU's records, and what it says without them."""

import json
from pathlib import Path

import pytest

from s2f_lib import io
from s2f_lib.training import costs, gpu_report
from s2f_lib.voice_encoder import preset

SPEED = {"device": "Card", "date": "2026-12-01T00:00:00Z"}


def test_without_a_record_it_says_so_and_gives_the_arithmetic():
    text = gpu_report.speed(None)
    assert text.startswith("not run yet: python -m benchmarks.gpu_training")
    least = 5_100_000 * 0.53e12 / 800e12 / 3600  # of the products alone
    told = float(text.split("less than ")[1].split(" hours")[0])
    assert least < told < 2 * least
    assert gpu_report.runs(None).empty
    assert gpu_report.curve(None).empty


def test_a_record_is_told_as_it_is():
    metrics = {"clips_per_s": 640.0, "batch_size": 128, "matmul_peak_share": 0.43, "hours_for_paper_schedule": 2.21}
    text = gpu_report.speed(SPEED | {"metrics": metrics})
    assert text == (
        "Card, 2026-12-01: 640 clips/s; batch 128; 43% of the measured matrix peak; "
        "the published schedule (5.1 million clips) would take 2.2 hours"
    )


def test_runs_and_curves_are_found_by_their_names():
    metrics = {
        "angle_deg": 60.0, "clips_seen": 1000, "standard_angle_deg": 63.0, "ablation_l1_top10_percent": 11.0,
        "validation_angle_deg_at_640_clips": 66.0, "validation_top10_percent_at_640_clips": 12.0,
        "validation_angle_deg_at_64_clips": 69.0, "standard_validation_angle_deg_at_640_clips": 68.0,
    }  # fmt: skip
    table = gpu_report.runs({"metrics": metrics})
    assert list(table.index) == ["paper's network", "standard network, as many clips", "shorter run: plain L1"]
    assert table.loc["standard network, as many clips", "angle (degrees)"] == 63.0
    curve = gpu_report.curve({"metrics": metrics})
    assert list(curve.index) == [64, 640]
    assert list(curve["angle (degrees)"]) == [69.0, 66.0]
    assert list(gpu_report.curve({"metrics": metrics}, "standard_")["angle (degrees)"]) == [68.0]


def test_slower_links_cost_more_and_a_measured_step_replaces_the_counted_one():
    counted = gpu_report.scaling(None)
    assert counted["exchange (ms)"].is_monotonic_increasing
    step, exchange = costs.step_floor(preset("paper"), 256, *gpu_report.CARD).seconds, counted["exchange (ms)"].iloc[1]
    assert counted["256 clips a card"].iloc[1] == f"{8 * step / (step + exchange / 1e3):.1f} to 8.0 times"
    measured = gpu_report.scaling(SPEED | {"metrics": {"clips_per_s": 640.0}})
    assert measured["256 clips a card"].iloc[0] == "8.0 to 8.0 times"  # 400 ms beside 2.3
    slow = measured["exchange (ms)"].iloc[2] / 1e3  # longer than 32 clips take: it cannot be hidden
    assert measured["32 clips a card"].iloc[2] == f"{8 * 0.05 / (0.05 + slow):.1f} to {8 * 0.05 / slow:.1f} times"


PAGE = Path(__file__).resolve().parents[2] / "book/03_voice_encoder.ipynb"


@pytest.mark.parametrize("recorded", [False, True])
def test_the_cells_of_the_page_work_with_and_without_records(recorded, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("S2F_RESULTS", str(tmp_path))
    if recorded:
        speed = {"clips_per_s": 640.0, "batch_size": 128, "hours_for_paper_schedule": 2.21}
        curve = {f"validation_angle_deg_at_{64 * i}_clips": 70.0 - i for i in range(1, 21)}
        for name, metrics in (("gpu_training", speed), ("gpu_run", curve | {"angle_deg": 50.0, "clips_seen": 1280})):
            io.write_record(name, command="python -m x", n=1, metrics=metrics, seconds=1, device="Card", notes="Told.")
    shown, names = [], {"io": io}
    names["display"] = shown.append
    cells = {cell["id"]: "".join(cell["source"]) for cell in json.loads(PAGE.read_text(encoding="utf-8"))["cells"]}
    for cell in ("cell-33", "gpu-runs"):
        *lines, last = cells[cell].splitlines()
        exec("\n".join(lines), names)
        shown.append(eval(last, names))
    text = capsys.readouterr().out
    if not recorded:
        assert text.count("not run yet: python -m benchmarks.gpu_training") == 2
        assert shown[-1].empty
        return
    assert "would take 2.2 hours" in text
    assert "Told." in text
    assert shown[0]["256 clips a card"].iloc[0] == "8.0 to 8.0 times"
    assert list(shown[1].index) == [64, 320, 576, 832, 1088]
    assert shown[2].loc["paper's network", "angle (degrees)"] == 50.0
