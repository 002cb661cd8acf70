"""The GPU benchmark, as far as a processor can tell: it works on a bare machine, keeps to its time, and goes on."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks import gpu_corpus, gpu_numerics, gpu_run, gpu_speed
from benchmarks.gpu_common import Session, Trial, make_trainer, random_clips
from benchmarks.gpu_worker import Failed, Worker
from s2f_lib import io, training
from s2f_lib.training import checkpoint, synthetic

ROOT = Path(__file__).resolve().parents[2]
ABSENT = "librosa soundfile av dlib IPython ipywidgets myst_nb face_recognition_models parselmouth nbformat".split()
BLOCKER = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {ABSENT}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""


@pytest.mark.slow
def test_every_part_works_on_a_bare_machine_and_records_nothing(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(BLOCKER)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    before = {path: path.stat().st_mtime_ns for path in (ROOT / "results").glob("*.json")}
    missing = [sys.executable, "-c", "import librosa"]
    assert subprocess.run(missing, env=environment, capture_output=True, check=False).returncode == 1
    command = [sys.executable, "-m", "benchmarks.gpu_training", "--dry-run"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "dry run: every part worked" in done.stdout
    assert "paper: goes on at step 1 of 3" in done.stdout
    assert "by python -m benchmarks.gpu_training --only run standard ablation" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in (ROOT / "results").glob("*.json")} == before


def test_without_a_gpu_it_says_so(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    from benchmarks import gpu_training

    with pytest.raises(SystemExit, match="no GPU here"):
        gpu_training.main(["--only", "floor", "--folder", str(tmp_path)])


# --- the sweep


@pytest.fixture
def session(tmp_path, monkeypatch):
    """A session with an hour left that writes its records into a folder of the test."""
    monkeypatch.setenv("S2F_RESULTS", str(tmp_path / "results"))
    return Session(tmp_path / "runs", 3600, dry=True)


def pretend(rates):
    """A machine whose rate follows from the trial: `rates` maps a field's value to a factor."""

    def measure(trial):
        rate = 100.0
        for value in (trial.batch_size, trial.channels_last and "last", trial.benchmark and "tried", trial.compile):
            rate *= rates.get(value, 1.0)
        if not rate:
            raise Failed("OutOfMemoryError")
        return rate, 1.0

    return measure


def test_only_what_pays_is_kept(session):
    rates = {"last": 1.3, "default": 2.0, "tried": 0.9, 128: 1.1, 256: 0.0, 64: 1.08, 8: 0.5, "reduce-overhead": 1.9}
    gpu_speed.sweep(session, gpu_speed.CHANGES, gpu_speed.PUBLISHED, pretend(rates))
    metrics = io.read_record("gpu_training")["metrics"]
    assert metrics["clips_per_s"] == pytest.approx(100 * 1.3 * 2.0 * 1.1)
    assert Trial(**session.state["trial"]) == Trial(128, True, False, "default")
    assert Trial(**session.state["run_trial"]).batch_size == 64  # within 5 % of the best, and half the batch
    assert metrics["hours_for_paper_schedule"] == pytest.approx(5_100_000 / 286 / 3600)
    assert metrics["clips_per_s_published_batch"] == pytest.approx(100 * 1.3 * 2.0 * 0.5)
    notes = io.read_record("gpu_training")["notes"]
    assert "cuDNN tries kernels: 257.4 clips/s, 1.0 GB, not kept." in notes
    assert "batch 256: OutOfMemoryError." in notes


def test_a_sweep_whose_time_is_over_keeps_what_it_has(session):
    def measure(trial):
        session.deadline = time.perf_counter() + (10 if trial.channels_last else 1000)
        return 100.0 + trial.channels_last * 50, 1.0

    gpu_speed.sweep(session, gpu_speed.CHANGES, gpu_speed.PUBLISHED, measure)
    record = io.read_record("gpu_training")
    assert record["metrics"]["clips_per_s"] == 150
    assert "compiled: time was over." in record["notes"]


def test_numbers_of_an_earlier_call_stay_in_the_record(session, tmp_path):
    session.keep("gpu_training", "floor", {"a": 1.0, "b": float("nan")}, n=1, notes=["one."])
    later = Session(tmp_path / "runs", 60)
    later.keep("gpu_training", "speed", {"c": 3.0}, n=2, notes=["two."])
    record = io.read_record("gpu_training")
    assert record["metrics"] == {"a": 1.0, "c": 3.0}
    assert record["command"] == "python -m benchmarks.gpu_training --only floor speed"
    assert record["notes"] == "one. two."


def test_the_profile_counts_every_kernel_once():
    times = {"sm90_xmma_fprop_implicit_gemm": 50.0, "triton_red_fused_native_batch_norm": 30.0, "memcpy": 20.0}
    shares = gpu_speed.kernel_shares(times)
    assert shares == {
        "profile_share_products": 0.5, "profile_share_compiled_passes": 0.3, "profile_share_other": 0.2,
    }  # fmt: skip


def test_a_worker_survives_what_its_jobs_do():
    with Worker() as worker:
        assert worker.ask(abs, -3, timeout=60) == 3
        with pytest.raises(Failed, match="ValueError: invalid literal"):
            worker.ask(int, "x", timeout=60)
        with pytest.raises(Failed, match="stopped after 1 s"):
            worker.ask(time.sleep, 60, timeout=1)
        with pytest.raises(Failed, match="died"):
            worker.ask(os._exit, 1, timeout=60)
        assert worker.ask(abs, -4, timeout=60) == 4


# --- numerics


def test_the_gradient_that_is_compared_reaches_every_layer():
    config = gpu_numerics.settings(True, batch_size=2, mixed_precision="no")
    loss, gradient = gpu_numerics.one_gradient(config, random_clips(4), gpu_numerics.layers())
    trainer = gpu_numerics.Trainer(config, random_clips(4), **gpu_numerics.layers())
    first = trainer.encoder.convs[0].weight.numel()
    assert np.isfinite(loss)
    assert gradient[:first].norm() > 0  # zero, if fc2 started at zero


# --- the corpus


@pytest.fixture(scope="module")
def recogniser():
    from s2f_lib import hub

    return hub.load("synthetic-vgg")


def test_the_corpus_is_that_of_the_library_and_goes_on(tmp_path, recogniser, monkeypatch):
    monkeypatch.setattr(gpu_corpus.speech, "CHUNK", 2)
    monkeypatch.setattr("s2f_lib.people.batch.PEOPLE_PER_TASK", 2)
    make = lambda deadline: gpu_corpus.make(tmp_path, "train", 6, recogniser, 1, deadline)  # noqa: E731
    heard = []
    original = gpu_corpus.speech.stream
    monkeypatch.setattr(
        gpu_corpus.speech, "stream", lambda part, *a, **k: heard.append(len(part)) or original(part, *a, **k)
    )
    clock = iter([0.0, 0.0, 2.0])  # at the start, and behind each pair of people
    with monkeypatch.context() as patch:
        patch.setattr(gpu_corpus, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
        assert make(1.0) == 4
    assert gpu_corpus.done(tmp_path, "train") == 4
    assert len(gpu_corpus.load(tmp_path, "train", 4)) == 4
    assert not gpu_corpus.complete(tmp_path, "train")
    with pytest.raises(ValueError, match="holds 4 clips, 6 are wanted"):
        gpu_corpus.load(tmp_path, "train")
    assert make(float("inf")) == 6
    assert gpu_corpus.complete(tmp_path, "train")
    assert heard == [6, 2]
    found = gpu_corpus.load(tmp_path, "train")
    truth = synthetic.source(synthetic.PeopleSet(6, 1), recogniser, folder=tmp_path / "library", workers=1)
    assert found.waveforms.dtype == np.int16
    assert np.abs(found.waveforms.astype(int) - truth.waveforms).max() <= 1
    assert np.allclose(found.v_f.astype(float), truth.v_f, atol=0.02)
    assert np.allclose(found.logits.astype(float), truth.logits, atol=0.02)
    with pytest.raises(ValueError, match="people 6 instead of 7"):
        gpu_corpus.make(tmp_path, "train", 7, recogniser, 1, float("inf"))


def test_no_set_shares_people_or_sentences_with_training():
    seeds = [seed for seed, _ in gpu_corpus.SETS.values()]
    assert len(set(seeds)) == 3
    assert [sentences for _, sentences in gpu_corpus.SETS.values()] == ["test", "test", "train"]


# --- the run


def config(**changes):
    small = {"encoder_changes": {"channels": [4] * 9, "hidden": 8}, "batch_size": 2, "max_steps": 4, "seconds": 3.0}
    return training.make_config("quick", "normalized", **(small | {"log_every": 1, "evaluate_every": 2} | changes))


def test_a_run_out_of_time_goes_on_bit_for_bit(tmp_path):
    clips, trial = random_clips(6), Trial(2)
    whole = make_trainer(trial, config(), clips, validation=clips, folder=tmp_path / "whole").fit()
    for _ in range(3):  # one step each, then the rest
        trainer = make_trainer(
            trial, config(), clips, kind=gpu_run.TimedTrainer, validation=clips, folder=tmp_path / "parts"
        )
        trainer.resume()
        trainer.deadline = 0.0
        with pytest.raises(gpu_run.OutOfTime):
            trainer.fit()
    assert checkpoint.load(tmp_path / "parts")["step"] == 3
    parts = make_trainer(trial, config(), clips, validation=clips, folder=tmp_path / "parts")
    parts.resume()
    again = parts.fit()
    assert all(
        torch.equal(a, b) for a, b in zip(whole.encoder.state_dict().values(), again.encoder.state_dict().values())
    )
    keep = lambda run: [{k: v for k, v in x.items() if k not in ("seconds", "clips_per_s")} for x in run.lines]  # noqa: E731
    assert keep(whole) == keep(again)


def test_the_plan_is_made_once(session, tmp_path):
    (tmp_path / "runs/corpus/train").mkdir(parents=True)
    (tmp_path / "runs/corpus/train/set.json").write_text('{"done": 5000}')
    session.dry = False
    session.state |= {
        "run_trial": {"batch_size": 64, "compile": "default"}, "gpu_training": {"metrics": {"clips_per_s": 640.0}},
    }  # fmt: skip
    plan = gpu_run.make_plan(session, 10.0, 3.0, 5e-4)
    assert plan.people == 5000
    assert plan.steps == int(0.9 * 640 * 600 / 64)
    assert plan.ablation_steps == int(0.9 * 640 * 60 / 64)
    (tmp_path / "runs/corpus/train/set.json").write_text('{"done": 9000}')
    later = Session(tmp_path / "runs", 60)
    assert gpu_run.make_plan(later, 99.0, 9.0, 1e-2) == plan


def test_the_main_run_derives_its_weights_and_the_ablation_differs_in_the_loss_alone(session):
    session.dry = False
    plan = gpu_run.Plan(Trial(64), 100, 2000, 200, 5e-4)
    main = gpu_run.run_settings(session, plan, plan.steps, gpu_run.RUNS["run"]["paper"])
    assert (main.encoder, main.batch_size, main.rederive_at, main.mixed_precision) == ("paper", 64, 100, "bf16")
    runs = {
        name: gpu_run.run_settings(session, plan, plan.ablation_steps, changes)
        for name, changes in gpu_run.RUNS["ablation"].items()
    }
    alike = [replace(c, loss=main.loss, rederive_at=0) for c in runs.values()]
    assert alike[0] == alike[1] == alike[2]
    assert runs["ablation_l1"].loss.weights() == {"l1": 1.0}
    assert runs["ablation_published"].rederive_at == 0
    assert runs["ablation_published"].loss.weights() == {"decoder": 1.0, "normalized": 0.025, "distill": 200.0}
    standard = gpu_run.run_settings(session, plan, plan.steps, gpu_run.RUNS["standard"]["standard"])
    assert replace(standard, encoder="paper") == main


def test_curves_are_counted_in_clips_and_every_run_has_its_name(session):
    plan = gpu_run.Plan(Trial(64), 100, 20, 2, 5e-4)
    lines = [
        {"kind": "validation", "step": 10, "angle_deg": 60.0, "top10_percent": 20.0},
        {"kind": "train", "step": 10, "clips_per_s": 640.0},
    ]
    gpu_run.keep(session, "run", "paper", plan, lines, {"finished": 0.0})
    gpu_run.keep(session, "standard", "standard", plan, lines, {"angle_deg": 61.0}, {"angle_deg": (60.0, 62.0)})
    record = io.read_record("gpu_run")
    assert record["metrics"]["validation_angle_deg_at_640_clips"] == 60.0
    assert record["metrics"]["standard_validation_top10_percent_at_640_clips"] == 20.0
    assert record["intervals"] == {"standard_angle_deg": [60.0, 62.0]}
    assert record["command"].endswith("--only run standard")
