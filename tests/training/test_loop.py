"""The loop: it learns, resumes bit for bit, stops with a reason, and shares work without changing the result."""

import json
import math
import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from s2f_lib import io, training, voice_encoder
from s2f_lib.training import checkpoint, log
from s2f_lib.training.loop import OutOfMemory, Trainer, TrainingError, learning_rate
from s2f_lib.training.sources import NOTE, ArraySource
from s2f_lib.training.voice import VoiceTrainer


def logged(folder):
    """The lines of a run's log."""
    return [json.loads(text) for text in (folder / log.NAME).read_text().splitlines()]


def weights_of(run):
    return {key: value.clone() for key, value in run.encoder.state_dict().items()}


def same(a, b):
    return all(torch.equal(a[key], b[key]) for key in a)


def test_it_learns_four_clips_by_heart(clips, settings):
    config = settings(max_steps=60, learning_rate=1e-2, random_start=False, start_from_mean=False)
    few = ArraySource(*(part[:4] for part in (clips.waveforms, clips.v_f, clips.logits, clips.speaker)))
    run = training.run(replace(config, encoder_changes={"channels": [8] * 9, "hidden": 16}), few, validation=few)
    losses = run.curve("loss")[1]
    assert losses[-1] < 0.1 * losses[0]


def test_the_seed_decides_everything(clips, settings):
    a, b = (training.run(settings(), clips) for _ in range(2))
    assert same(weights_of(a), weights_of(b))
    other = training.run(settings(seed=1), clips)
    assert not same(weights_of(a), weights_of(other))


def test_a_killed_run_goes_on_bit_for_bit(clips, settings, layers, tmp_path):
    config = settings("paper", max_steps=8, checkpoint_every=4, log_every=3, rederive_at=2)
    whole = training.run(config, clips, **layers, out_dir=tmp_path / "whole")

    class Killed(Exception):
        pass

    trainer = VoiceTrainer(config, clips, **layers, folder=tmp_path / "killed")
    step = trainer.train_step

    def dies_at_six(batch):
        if trainer.step == 6:
            raise Killed
        step(batch)

    trainer.train_step = dies_at_six
    with pytest.raises(Killed):
        trainer.fit()
    assert checkpoint.load(tmp_path / "killed")["step"] == 4
    torch.manual_seed(123)  # whatever happened in between must not matter
    again = training.run(config, clips, **layers, out_dir=tmp_path / "killed")
    assert same(weights_of(whole), weights_of(again))
    keep = lambda lines: [{k: v for k, v in line.items() if k not in ("seconds", "clips_per_s")} for line in lines]  # noqa: E731
    assert keep(whole.lines) == keep(again.lines) == keep(logged(tmp_path / "killed"))


def test_a_finished_run_is_not_run_again(clips, settings, tmp_path):
    first = training.run(settings(), clips, out_dir=tmp_path)
    again = training.run(settings(), clips, out_dir=tmp_path)
    assert same(weights_of(first), weights_of(again))
    assert again.lines == first.lines


def test_batch_norm_is_recalibrated_on_the_average_clip(clips, settings):
    """Four batches are all sixteen clips here: afterwards the first layer knows their mean, and no weight has moved."""
    config = settings(max_steps=8, seconds=6.0, random_start=False)
    plain, settled = training.run(config, clips), training.run(replace(config, recalibrate_bn_batches=4), clips)
    kept = {key for key, value in weights_of(plain).items() if torch.equal(value, weights_of(settled)[key])}
    assert kept == {key for key, _ in plain.encoder.named_parameters()}
    first = next(m for m in settled.encoder.modules() if isinstance(m, torch.nn.BatchNorm2d))
    seen = []
    first.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        settled.encoder(clips.take(np.arange(16))["waveform"])
    assert torch.allclose(first.running_mean, seen[0].mean(dim=(0, 2, 3)), rtol=1e-3, atol=1e-5)
    assert first.momentum == 0.1


def test_another_runs_folder_is_refused(clips, settings, tmp_path):
    training.run(settings(max_steps=2), clips, out_dir=tmp_path)
    with pytest.raises(ValueError, match="batch_size = 4, not 8"):
        training.run(settings(max_steps=2, batch_size=8), clips, out_dir=tmp_path)
    (tmp_path / checkpoint.NAME).write_bytes(b"half a file")
    with pytest.raises(ValueError, match="delete it"):
        training.run(settings(max_steps=2), clips, out_dir=tmp_path)


def test_a_run_does_not_go_on_with_other_clips(clips, settings, tmp_path):
    def of(world):
        told = {"people": 8, "world": world, "recogniser": {"name": "r", "checksum": "abc"}}
        return ArraySource(clips.waveforms, clips.v_f, about=told)

    first = training.run(settings(), of("physiology"), out_dir=tmp_path)
    assert json.loads((tmp_path / NOTE).read_text()) == of("physiology").about
    with pytest.raises(ValueError, match=r"other data, with world = 'physiology', not 'null'; .*--restart"):
        training.run(settings(), of("null"), out_dir=tmp_path)
    assert training.run(settings(), of("physiology"), out_dir=tmp_path).lines == first.lines
    assert training.run(settings(), clips, out_dir=tmp_path).lines == first.lines, (
        "arrays say nothing, so nothing differs"
    )
    assert checkpoint.load(tmp_path)["data"] == of("physiology").about
    assert json.loads((tmp_path / NOTE).read_text()) == of("physiology").about


def test_a_checkpoint_of_older_code_says_nothing_of_its_clips_and_is_taken(clips, settings, tmp_path):
    clips.about = {"people": 8}
    first = training.run(settings(), clips, out_dir=tmp_path)
    state = checkpoint.load(tmp_path)
    del state["data"], state["random"]
    checkpoint.save(tmp_path, state)
    assert training.run(settings(), clips, out_dir=tmp_path).lines == first.lines


def test_a_run_that_begins_again_forgets_the_one_before(clips, settings, tmp_path, monkeypatch):
    training.run(settings(), clips, out_dir=tmp_path)

    def killed(self, batch):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "train_step", killed)
        with pytest.raises(KeyboardInterrupt):
            training.run(settings(), clips, out_dir=tmp_path, resume=False)
    assert not VoiceTrainer(settings(), clips, folder=tmp_path).resume()


def test_a_loss_that_is_not_finite_names_term_and_clip(clips, settings, tmp_path):
    clips.v_f[11, 2] = np.nan
    with pytest.raises(TrainingError, match=r"term 'normalized', clip 11\..*learning_rate"):
        training.run(settings(max_steps=20, start_from_mean=False), clips, out_dir=tmp_path)
    assert not any(
        math.isnan(line["loss"])
        for line in [json.loads(text) for text in (tmp_path / log.NAME).read_text().splitlines()]
    )


def test_out_of_memory_names_a_batch_size(clips, settings, monkeypatch):
    def full(self, batch):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Trainer, "train_step", full)
    with pytest.raises(OutOfMemory, match=r"batch_size 4 of preset 'quick' needs about .* Set batch_size=\d+"):
        training.run(settings(), clips)


def test_it_ends_by_the_clock_and_is_scored_where_it_ended(clips, settings):
    run = training.run(settings(max_steps=10_000, max_seconds=1e-9, evaluate_every=5000), clips, validation=clips)
    assert run.stopped == "max_seconds"
    assert [line["kind"] for line in run.lines[-2:]] == ["train", "validation"]
    assert run.lines[-1]["step"] == 1


def test_it_stops_when_patience_is_lost(clips, settings):
    config = settings(max_steps=50, evaluate_every=1, patience=3, learning_rate=1e-12, schedule="constant")
    run = training.run(config, clips, validation=clips)
    assert run.stopped == "patience"
    assert run.lines[-1]["step"] < 20


def test_frozen_means_frozen(clips, settings, layers):
    before = {name: [p.clone() for p in layer.parameters()] for name, layer in layers.items()}
    trainer = VoiceTrainer(settings("paper"), clips, **layers)
    trainer.fit()
    for name, layer in (("f_dec", trainer.loss.f_dec), ("f_vgg", trainer.loss.f_vgg)):
        assert all(torch.equal(a, b) for a, b in zip(before[name], layer.parameters()))


def test_lambdas_are_derived_again_at_the_given_step(clips, settings, layers):
    run = training.run(settings("paper", rederive_at=3), clips, **layers)
    (line,) = [line for line in run.lines if line["kind"] == "rederived"]
    assert line["step"] == 3
    pulls = [line["weights"][term] * size for term, size in line["gradient_magnitudes"].items()]
    assert pulls == pytest.approx([pulls[0]] * 3, rel=1e-4)
    assert run.config.loss.weights() == line["weights"]


def test_a_run_starts_at_the_mean_face_and_fc1_stays_awake(clips, settings):
    trainer = VoiceTrainer(settings(max_steps=40, learning_rate=2e-3), clips)
    sound = torch.from_numpy(clips.waveforms[:4])
    with torch.no_grad():
        start = trainer.encoder(sound)
    assert torch.allclose(start, torch.from_numpy(clips.mean_feature).expand_as(start))
    trainer.fit()
    v_s = trainer.encoder.eval()(sound)
    assert v_s.std(dim=0).max() > 1e-3  # a collapsed network answers every voice alike


def test_a_run_goes_on_from_a_trained_encoder(clips, settings, tmp_path):
    first = training.run(settings(), clips).encoder
    file = tmp_path / "encoder.safetensors"
    voice_encoder.save(first, file, half=False)
    sound = torch.from_numpy(clips.waveforms[:4])
    with torch.no_grad():
        answer = first(sound)
    trainer = VoiceTrainer(settings(init_from=str(file)), clips)
    with torch.no_grad():
        assert torch.allclose(trainer.encoder.eval()(sound), answer, atol=1e-5)
    trainer.encoder.train()
    went_on = trainer.result(trainer.fit())
    assert went_on.lines[0]["kind"] == "started"
    assert went_on.lines[0]["sha256"] == io.sha256(file)
    with torch.no_grad():
        assert not torch.allclose(went_on.encoder(sound), answer, atol=1e-5)
    with pytest.raises(ValueError, match="hidden 8 instead of 12"):
        training.run(settings(init_from=str(file), encoder_changes={"channels": [4] * 9, "hidden": 12}), clips)


def test_the_learning_rate_of_the_paper():
    config = training.make_config("paper")
    assert (config.batch_size, config.beta1, config.epsilon, config.max_steps) == (8, 0.5, 1e-4, 637_500)
    assert learning_rate(config, 0) == 1e-3
    assert learning_rate(config, 10_000) == pytest.approx(0.95e-3)
    assert learning_rate(config, 637_499) == pytest.approx(3.8e-5, rel=0.01)  # paper.md 1.7
    assert not config.augment
    assert not config.random_start


@pytest.mark.parametrize("change", [{"mixed_precision": "bf16"}, {"gradient_checkpointing": True}])
def test_options_run_and_stay_close(clips, settings, change):
    plain, changed = training.run(settings(), clips), training.run(settings(**change), clips)
    assert changed.final("loss", "train") == pytest.approx(plain.final("loss", "train"), rel=0.05)


def test_augmented_clips_change_the_run_and_are_the_same_each_time(clips, settings):
    magnitude = {"encoder_changes": {"channels": [4] * 9, "hidden": 8, "input": "magnitude"}}
    augmented = magnitude | {"augment": ["channel", "no_speech"]}
    plain, changed, again = (training.run(settings(**change), clips) for change in (magnitude, augmented, augmented))
    assert np.isfinite(changed.curve("loss")[1]).all()
    assert changed.final("loss", "train") != plain.final("loss", "train")
    assert same(weights_of(changed), weights_of(again))


def test_wrong_settings_are_refused(settings):
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        settings(batch_size=0)
    with pytest.raises(ValueError, match="no such augmentation: pitch"):
        settings(augment=["pitch"])


TWO_PROCESSES = """
import json, sys
import numpy as np, torch
from s2f_lib import io, training, voice_encoder
from s2f_lib.training.sources import ArraySource
rng = np.random.default_rng(0)
clips = ArraySource((3000 * rng.standard_normal((8, 48_000))).astype(np.int16), rng.random((8, 6), dtype=np.float32))
changes = {"channels": [4] * 9, "hidden": 8, "batch_norm": False}
config = training.make_config("quick", "normalized", encoder_changes=changes, batch_size=4, max_steps=3, seconds=3.0)
run = training.run(config, clips, validation=clips)
from accelerate import PartialState
if PartialState().is_main_process:
    torch.save((PartialState().num_processes, run.encoder.state_dict()), sys.argv[1])
"""


@pytest.mark.slow
def test_two_processes_give_what_one_gives(tmp_path, monkeypatch):
    (tmp_path / "job.py").write_text(TWO_PROCESSES)
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    two = [sys.executable, *launcher, str(tmp_path / "job.py"), str(tmp_path / "2.pt")]
    root = Path(__file__).resolve().parents[2]
    subprocess.run(two, cwd=root, check=True, timeout=1000, env=_environment(root))
    monkeypatch.setattr(sys, "argv", ["job.py", str(tmp_path / "1.pt")])
    runpy.run_path(str(tmp_path / "job.py"), run_name="__main__")
    (n_one, a), (n_two, b) = (torch.load(tmp_path / f"{n}.pt") for n in (1, 2))
    assert (n_one, n_two) == (1, 2)
    for key in a:  # batch norm is off: each process would take the statistics of its own half
        assert torch.allclose(a[key], b[key], atol=2e-5), key


@pytest.mark.slow
def test_the_command_runs_in_two_processes_and_one_of_them_speaks(tmp_path):
    root = Path(__file__).resolve().parents[2]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    options = [
        "--loss",
        "normalized",
        "--people",
        "12",
        "--clips",
        "1",
        "--workers",
        "1",
        "--out",
        str(tmp_path / "run"),
    ]
    options += ["--set", "max_steps=1", "--set", "batch_size=4"]
    environment = _environment(root) | {"S2F_HOME": str(tmp_path / "home")}  # so the clips have to be made, by one
    command = [*launcher, "-m", "s2f_lib", "train", *options]
    done = subprocess.run(command, cwd=root, timeout=1000, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("trained 'quick' for 1 steps") == 1
    assert (tmp_path / "run" / "voice_encoder.safetensors").exists()


def _environment(root):
    import os

    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(root), "ACCELERATE_USE_CPU": "true"}
