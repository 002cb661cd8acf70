"""The GPU benchmarks, at sizes of a CPU: they give the rows that the report reads, and name their commands."""

import shlex

import pytest

from benchmarks import gpu_run, gpu_training
from s2f_lib import io


def test_speed_is_recorded_beside_what_bounds_it(tmp_path):
    typed = "--preset quick --batch-size 8 --steps 2 --eager"
    gpu_training.main([*shlex.split(typed), "--out", str(tmp_path / "speed.json")])
    record = io.read_record(tmp_path / "speed.json")
    assert record.command == f"python -m benchmarks.gpu_training {typed}"
    rate = record.value("rate", what="clips", step=None)
    assert record.value("headroom") == pytest.approx(record.value("rate", step="data pipeline") / rate)
    assert 0 < record.value("share_of_peak", of="matrix products") < 1
    assert record.value("share_of_peak", of="counted floor") > 0
    assert record.value("tflops") > 0


def test_a_run_is_tested_on_people_it_never_heard(tmp_path, monkeypatch):
    monkeypatch.setenv("S2F_HOME", str(tmp_path / "home"))
    typed = "--preset quick --loss normalized --people 8 --test-people 10 --steps 2 --rederive-at 0"
    where = ["--workers", "1", "--out", str(tmp_path / "run"), "--record", str(tmp_path / "run.json")]
    gpu_run.main([*shlex.split(typed), *where])
    record = io.read_record(tmp_path / "run.json")
    assert record.command == f"python -m benchmarks.gpu_run {typed}"
    assert record.value("clips_seen", run="quick") == 16
    assert 0 < record.value("angle", split="test") < 90
    assert record.value("angle", split="validation", clips=16) > 0
    assert 0 <= record.value("top_percent", k=10, split="test") <= 1
