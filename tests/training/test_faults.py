"""Company, kills, full disks and wrong words: every run's folder belongs to one run, and what is complete is kept."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch

from s2f_lib import cli, io, training
from s2f_lib.training import checkpoint, log, people_set
from s2f_lib.training.voice import VoiceTrainer

ROOT = Path(__file__).resolve().parents[2]


def test_a_second_training_in_the_same_folder_is_refused_and_changes_nothing(clips, settings, tmp_path):
    class Other(VoiceTrainer):
        def train_step(self, batch):
            super().train_step(batch)
            if self.step == 1:
                with pytest.raises(io.BusyError, match=r"another training writes in this folder.*choose another"):
                    training.run(settings(seed=1), clips, out_dir=tmp_path)

    Other(settings(), clips, folder=tmp_path).fit()
    assert json.loads((tmp_path / "config.json").read_text())["seed"] == 0
    assert checkpoint.load(tmp_path)["config"]["seed"] == 0
    steps = [line["step"] for line in [json.loads(text) for text in (tmp_path / log.NAME).read_text().splitlines()]]
    assert steps == sorted(steps) == [2, 4, 6]


def speak(folder, queue):
    """In a process of its own: the sound of a small set."""
    torch.set_num_threads(1)
    os.environ["S2F_HOME"] = str(folder)
    queue.put(np.array(people_set.voices(people_set.PeopleSet(20, 1, seed=5), workers=1)).tobytes())


@pytest.mark.slow
def test_two_that_want_the_same_voices_get_the_same_whole_sound(tmp_path):
    context = get_context("spawn")
    queue = context.Queue()
    both = [context.Process(target=speak, args=(tmp_path / "set", queue)) for _ in range(2)]
    for process in both:
        process.start()
    first, second = (np.frombuffer(queue.get(timeout=1000), np.int16).reshape(20, -1) for _ in both)
    for process in both:
        process.join()
    assert np.array_equal(first, second)
    assert np.abs(first).max(axis=1).min() > 0


def test_what_a_killed_write_left_is_taken_away_and_the_old_checkpoint_serves(clips, settings, tmp_path):
    training.run(settings(max_steps=3, schedule="constant"), clips, out_dir=tmp_path)
    killed = f"""
import os, torch
from s2f_lib.training import checkpoint
torch.save, real = lambda state, file: (file.write(b"half"), file.flush(), os.kill(os.getpid(), 9)), torch.save
checkpoint.save({str(tmp_path)!r}, {{}})
"""
    done = subprocess.run(
        [sys.executable, "-c", killed], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob(".*partial*"))) == 1
    run = training.run(settings(max_steps=6, schedule="constant"), clips, out_dir=tmp_path)
    assert run.curve("loss")[0].tolist() == [2, 3, 4, 6]
    io.files._swept.clear()
    checkpoint.save(tmp_path, checkpoint.load(tmp_path))
    assert not list(tmp_path.glob(".*partial*"))


def test_a_full_disk_keeps_the_checkpoint_before(clips, settings, tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    training.run(settings(max_steps=3, schedule="constant"), clips, out_dir=tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", full)
        with pytest.raises(OSError, match="the disk is full; free some space"):
            training.run(settings(max_steps=6, schedule="constant"), clips, out_dir=tmp_path)
    assert checkpoint.load(tmp_path)["step"] == 3
    assert training.run(settings(max_steps=6, schedule="constant"), clips, out_dir=tmp_path).lines[-1]["step"] == 6


def test_what_stops_the_write_of_a_checkpoint_is_not_hidden(tmp_path):
    """PyTorch's writer says "unexpected pos", whatever happened to its file."""
    resource = pytest.importorskip("resource")
    checkpoint.save(tmp_path, {"step": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(OSError, match="larger than this disk"):
            checkpoint.save(tmp_path, {"a": torch.zeros(2_000_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    class Interrupted:
        def __reduce__(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(tmp_path, {"a": torch.zeros(10), "b": Interrupted()})
    assert checkpoint.load(tmp_path)["step"] == 1
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.NAME]


@pytest.mark.parametrize("missing", ["config", "network", "optimizer", "step", "lines", "extra", "random"])
def test_a_checkpoint_that_lacks_something_is_named(clips, settings, tmp_path, missing):
    training.run(settings(max_steps=2), clips, out_dir=tmp_path)
    state = checkpoint.load(tmp_path)
    del state[missing]
    torch.save(state, tmp_path / checkpoint.NAME)
    with pytest.raises(ValueError, match=rf"checkpoint\.pt lacks .*{missing}.*; delete it to start"):
        training.run(settings(max_steps=2), clips, out_dir=tmp_path)


@pytest.mark.parametrize("content", [b"", b"half a file", [1], {"version": 1}])
def test_what_is_no_checkpoint_is_named(tmp_path, content):
    if isinstance(content, bytes):
        (tmp_path / checkpoint.NAME).write_bytes(content)
    else:
        torch.save(content, tmp_path / checkpoint.NAME)
    with pytest.raises(ValueError, match=r"checkpoint\.pt is (no |of version 1 ).*; delete it to start"):
        checkpoint.load(tmp_path)


def test_a_run_that_lost_patience_does_not_train_on(clips, settings, tmp_path):
    config = settings(max_steps=50, evaluate_every=1, patience=2, learning_rate=1e-12, schedule="constant")
    first = training.run(config, clips, validation=clips, out_dir=tmp_path)
    again = training.run(config, clips, validation=clips, out_dir=tmp_path)
    assert (first.stopped, again.stopped) == ("patience", "patience")
    assert again.lines == first.lines


def test_the_log_is_a_table_that_any_tool_draws(clips, settings, tmp_path):
    run = training.run(settings(), clips, validation=clips, out_dir=tmp_path)
    with open(tmp_path / log.TABLE, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [2, 4, 6]
    assert float(rows[-1]["loss"]) == run.final("loss", "train")
    assert float(rows[-1]["validation_angle_deg"]) == run.final("angle_deg")
    assert rows[0]["validation_angle_deg"] == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--preset", "fast"], "no preset 'fast'; it has"),
        (["--loss", "l3"], "no preset 'l3'; it has"),
        (["--set", "depth=3"], "TrainConfig has no setting depth"),
        (["--set", "max_steps"], "--set wants FIELD=VALUE"),
        (["--set", "learning_rate=Infinity"], "learning_rate must be a finite number"),
        (["--set", 'loss={"weight_l1": NaN}'], "weight_l1 must be a finite number"),
        (["--set", 'encoder_changes={"depth": 3}'], "EncoderConfig has no setting depth"),
        (["--set", "init_from=nothing"], "no weights named 'nothing'"),
        (["--set", "init_from=README.md"], "README.md is no weight file, or a damaged one"),
        (["--world", "moon"], "moon"),
        (["--people", "0"], "people must be at least 1, got 0"),
        (["--device", "abacus"], "no device is named 'abacus'"),
        (["--device", "cuda:99"], "cannot be trained on"),
        (["--corpus", "~/no/such/corpus"], "no/such/corpus"),
    ],
)
def test_a_wrong_word_is_one_line_before_anything_is_made(words, message, tmp_path, monkeypatch, capsys):
    def never(*arguments, **options):
        raise AssertionError("clips were made")

    monkeypatch.setattr(people_set, "source", never)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").write_text("no weights")
    assert cli.main(["train", *words]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("s2f train: ")
    assert message in line


@pytest.mark.parametrize("words", [["--threads", "-1"], ["--workers", "0"]])
def test_a_number_of_helpers_is_at_least_one(words, capsys):
    assert cli.main(["train", *words]) == 2
    assert "must be at least 1" in capsys.readouterr().err


def test_a_folder_that_cannot_be_used_is_refused_before_anything_is_made(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(people_set, "source", None)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "file").write_text("")
    assert cli.main(["train", "--out", "~/file/run"]) == 2
    assert f"{tmp_path}/file/run" in capsys.readouterr().err
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / checkpoint.NAME).write_bytes(b"")
    assert cli.main(["train", "--out", "~/run"]) == 2
    assert "is no checkpoint, or a damaged one" in capsys.readouterr().err


@pytest.mark.slow
def test_ctrl_c_says_what_is_kept_and_the_same_command_goes_on(tmp_path):
    words = ["train", "--loss", "normalized", "--people", "12", "--clips", "1", "--workers", "1", "--device", "cpu"]
    words += ["--out", str(tmp_path / "run"), "--set", "checkpoint_every=1", "--set", "batch_size=2"]
    command = [sys.executable, "-m", "s2f_lib", *words]
    environment = os.environ | {"S2F_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    interrupted = [*command, "--set", "max_steps=400", "--set", "schedule=constant"]
    process = subprocess.Popen(
        interrupted, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    deadline = time.monotonic() + 1000
    while not (tmp_path / "run" / checkpoint.NAME).exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 130, errors
    said = [line for line in errors.replace("\r", "\n").splitlines() if line.strip() and "it/s" not in line]
    assert "Traceback" not in errors
    step = checkpoint.load(tmp_path / "run")["step"]
    assert f"keeps step {step}; the same command goes on from there" in said[-1]
    ending = [*command, "--set", f"max_steps={step + 1}", "--set", "schedule=constant"]
    done = subprocess.run(ending, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=1000)
    assert done.returncode == 0, done.stderr
    assert f"for {step + 1} steps" in done.stdout
