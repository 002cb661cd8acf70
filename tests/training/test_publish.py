"""A run becomes weights of the hub, with where they come from; synthetic sets are kept and checked."""

import json
import shlex
from dataclasses import replace

import numpy as np
import pytest
import torch

from s2f_lib import hub, training
from s2f_lib.training import checkpoint, command, features, log, publish, synthetic


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """An empty folder of the hub that knows one recogniser."""
    folder = tmp_path / "weights"
    folder.mkdir()
    entry = {"name": "synthetic-vgg", "kind": "k", "licence": "l", "source": "s", "builder": "a:b", "sha256": "abc"}
    (folder / "synthetic-vgg.json").write_text(json.dumps(entry))
    monkeypatch.setattr(hub, "WEIGHTS", folder)
    return folder


def test_a_shipped_run_loads_by_name_and_says_where_it_comes_from(clips, settings, tmp_path, weights):
    run = training.run(settings(evaluate_every=3), clips, validation=clips, out_dir=tmp_path / "run")
    path = publish.publish(tmp_path / "run", people=8, name="voice-test")
    again = hub.load("voice-test")
    with torch.no_grad():
        sound = torch.from_numpy(clips.waveforms[:2])
        assert torch.allclose(again(sound), run.encoder(sound), atol=0.02)
    entry = json.loads((weights / "voice-test.json").read_text())
    assert entry["clips_seen"] == 6 * 4
    assert [clips_seen for clips_seen, _, _ in entry["curve"]] == [12, 24]
    assert entry["recogniser_sha256"] == "abc"
    assert entry["settings"]["max_steps"] == 6
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(Exception, match="SHA-256"):
        hub.load("voice-test")


def test_weights_that_went_on_from_others_say_so_and_count_both(clips, settings, tmp_path, weights):
    training.run(settings(evaluate_every=3), clips, validation=clips, out_dir=tmp_path / "first")
    publish.publish(tmp_path / "first", people=8, name="voice-test")
    first = hub.describe("voice-test")
    further = settings(evaluate_every=3, max_steps=9, start_from="voice-test")
    training.run(further, clips, validation=clips, out_dir=tmp_path / "further")
    publish.publish(tmp_path / "further", people=9, name="voice-test", population_seed=7)
    entry = hub.describe("voice-test")
    assert entry["clips_seen"] == 6 * 4 + 9 * 4
    assert [clips_seen for clips_seen, _, _ in entry["curve"]] == [12, 24, 24 + 12, 24 + 24, 24 + 36]
    assert entry["started_from"]["sha256"] == first["sha256"]
    assert entry["started_from"]["command"] == first["command"]
    assert "--people 9 --population-seed 7 --clips 1" in entry["command"]
    assert "--set start_from=voice-test" in entry["command"]
    assert "start_from" not in first["command"]
    with pytest.raises(ValueError, match="put those weights"):  # the hub has moved on
        publish.publish(tmp_path / "further", people=9, name="voice-other", population_seed=7)


def test_what_is_shipped_is_the_checkpoint_and_not_the_log(clips, settings, tmp_path, weights):
    training.run(settings(evaluate_every=3), clips, validation=clips, out_dir=tmp_path)
    lines = log.RunLog(tmp_path, log.read(tmp_path))
    lines.add("train", 8, loss=1.0)
    lines.add("validation", 8, angle_deg=1.0, top10_percent=99.0)
    publish.publish(tmp_path, people=8, name="voice-test")
    entry = hub.describe("voice-test")
    assert (entry["steps"], entry["clips_seen"]) == (6, 24)
    assert [clips_seen for clips_seen, _, _ in entry["curve"]] == [12, 24]


def test_only_a_run_at_its_end_is_shipped(clips, settings, tmp_path, weights):
    training.run(settings(), clips, out_dir=tmp_path)
    state = checkpoint.load(tmp_path)
    checkpoint.save(tmp_path, state | {"step": 3})
    with pytest.raises(ValueError, match="at step 3 of 6; go on"):
        publish.publish(tmp_path, people=8, name="voice-test")
    assert not (weights / "voice-test.safetensors").exists()
    lost = state | {"step": 3, "waited": 2, "config": state["config"] | {"patience": 2}}
    checkpoint.save(tmp_path, lost)
    publish.publish(tmp_path, people=8, name="voice-test")
    assert hub.describe("voice-test")["steps"] == 3


def test_other_people_than_those_of_the_run_are_not_put_down(clips, settings, tmp_path, weights):
    clips.about = synthetic.PeopleSet(8, 2, seed=7, world="null").about
    training.run(settings(), clips, out_dir=tmp_path)
    with pytest.raises(ValueError, match="people 8, not 9; clips 2, not 1; seed 7, not 3000"):
        publish.publish(tmp_path, people=9, name="voice-test")
    publish.publish(tmp_path, people=8, clips=2, population_seed=7, name="voice-test")
    first, second = hub.describe("voice-test")["command"].split(" && ")
    assert "--people 8 --population-seed 7 --clips 2 --world null" in first
    assert second.endswith("--people 8 --population-seed 7 --clips 2")


def test_a_run_of_older_code_is_shipped_with_what_is_said_of_it(clips, settings, tmp_path, weights):
    clips.about = synthetic.PeopleSet(8, 1).about
    training.run(settings(), clips, out_dir=tmp_path)
    state = checkpoint.load(tmp_path)
    del state["data"]
    checkpoint.save(tmp_path, state)
    publish.main([str(tmp_path), "--people", "30000", "--population-seed", "3002", "--name", "voice-test"])
    assert "--people 30000 --population-seed 3002 --clips 1" in hub.describe("voice-test")["command"]


@pytest.mark.parametrize("loss", ["paper", "l1", {"weight_contrastive": 50.0, "weight_decoder": 0.0}])
def test_the_command_makes_the_settings_again(loss):
    changes = {"seed": 3, "encoder": "quick", "augment": ("noise",), "max_steps": 7}
    config = training.make_config("synthetic-standard", loss, **changes)
    first, _ = publish._command(config, synthetic.PeopleSet(8, 1)).split(" && ")
    options = command._parser().parse_args(shlex.split(first)[2:])
    changes = dict(command._assignment(text) for text in options.set)
    made = training.make_config(options.preset, changes.pop("loss", options.loss), seed=options.seed, **changes)
    assert made == config


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="train first"):
        publish.load_run(tmp_path)


def test_voices_are_spoken_once_kept_and_checked(tmp_path):
    which = synthetic.PeopleSet(people=3, clips=2, seed=5)
    sound = synthetic.voices(which, tmp_path, workers=1)
    assert sound.shape == (6, 96_000)
    assert sound.dtype == np.int16
    assert which.speaker.tolist() == [0, 0, 1, 1, 2, 2]
    stamp = (tmp_path / "voices.npy").stat().st_mtime_ns
    again = synthetic.voices(which, tmp_path, workers=1)
    assert np.array_equal(again, sound)
    assert (tmp_path / "voices.npy").stat().st_mtime_ns == stamp
    with pytest.raises(features.StaleFeatures, match="delete its folder"):
        synthetic.voices(replace(which, seed=6), tmp_path, workers=1)


def test_features_of_another_renderer_are_refused(tmp_path, monkeypatch):
    from s2f_lib.people import render

    which, recogniser = synthetic.PeopleSet(people=2, clips=1, seed=5), hub.load("synthetic-vgg")
    kept = synthetic.face_targets(which, recogniser, tmp_path, workers=1)
    again = synthetic.face_targets(which, recogniser, tmp_path, workers=1)
    assert np.array_equal(again.v_f, kept.v_f)
    original = render.render_wild

    def changed(change):
        def render_wild(*arguments, **options):
            picture, points = original(*arguments, **options)
            return np.clip(change(picture.astype(int)), 0, 255).astype(np.uint8), points

        return render_wild

    noise = np.random.default_rng(0).integers(-2, 3, (recogniser.image_size, recogniser.image_size, 3))
    monkeypatch.setattr(render, "render_wild", changed(lambda picture: picture + noise))  # another machine, and worse
    assert np.array_equal(synthetic.face_targets(which, recogniser, tmp_path, workers=1).v_f, kept.v_f)
    monkeypatch.setattr(render, "render_wild", changed(lambda picture: 0.7 * picture))
    with pytest.raises(features.StaleFeatures, match="another version of the renderer; delete the file"):
        synthetic.face_targets(which, recogniser, tmp_path, workers=1)


def test_an_interrupted_set_goes_on_where_it_was(tmp_path):
    which = synthetic.PeopleSet(people=3, clips=1, seed=5)
    whole = np.array(synthetic.voices(which, tmp_path / "whole", workers=1))
    broken = tmp_path / "broken"
    broken.mkdir()
    partial = np.lib.format.open_memmap(broken / "voices.partial.npy", "w+", dtype=np.int16, shape=(3, 1, 96_000))
    partial[:2, 0] = whole[:2]
    partial.flush()
    (broken / "voices.progress.json").write_text('{"people": 2}')
    assert np.array_equal(synthetic.voices(which, broken, workers=1), whole)
    assert sorted(p.name for p in broken.iterdir()) == ["voices.npy"]


def test_nobody_is_in_two_parts():
    seeds = [synthetic.PeopleSet().seed, synthetic.VALIDATION_SEED]
    from s2f_lib.config import SEEDS

    assert len({*seeds, SEEDS["test"], SEEDS["recogniser"], SEEDS["decoder"]}) == 5
