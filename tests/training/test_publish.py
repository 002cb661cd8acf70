"""A run becomes weights of the hub, with where they come from; synthetic sets are kept and checked."""

import json

import numpy as np
import pytest
import torch

from s2f_lib import hub, io, training
from s2f_lib.training import checkpoint, log, people_set
from tools import publish

TYPED = "s2f train --people 8"


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """An empty folder of the hub, of a clone without uncommitted changes."""
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setattr(hub, "WEIGHTS", folder)
    monkeypatch.setattr(io, "current_commit", lambda: "0123456789ab")
    return folder


@pytest.fixture
def people(clips):
    """The clips, as those of eight synthetic people."""
    clips.about = people_set.PeopleSet(8, 2).about | {"recogniser": {"name": "synthetic-vgg", "checksum": "abc"}}
    return clips


def test_a_published_run_loads_by_name_and_says_where_it_comes_from(people, settings, tmp_path, weights):
    run = training.run(settings(evaluate_every=3), people, validation=people, out_dir=tmp_path / "run", command=TYPED)
    path = publish.publish_run(tmp_path / "run", name="voice-test")
    again = hub.load("voice-test")
    with torch.no_grad():
        sound = torch.from_numpy(people.waveforms[:2])
        assert torch.allclose(again(sound), run.encoder(sound), atol=0.02)
    entry = hub.describe("voice-test")
    assert entry["examples_seen"] == 6 * 4
    assert [seen for seen, _, _ in entry["curve"]] == [12, 24]
    assert entry["recogniser"] == {"name": "synthetic-vgg", "sha256": "abc"}
    assert (entry["data"]["people"], entry["data"]["clips"]) == (8, 2)
    assert entry["settings"]["max_steps"] == 6
    assert entry["commit"] == "0123456789ab"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(io.ChecksumError, match="SHA-256"):
        hub.load("voice-test")


def test_nothing_is_published_from_uncommitted_changes(people, settings, tmp_path, weights, monkeypatch):
    training.run(settings(), people, out_dir=tmp_path / "run", command=TYPED)
    monkeypatch.setattr(io, "current_commit", lambda: "0123456789ab+changes")
    with pytest.raises(ValueError, match=r"uncommitted changes.*commit first"):
        publish.publish_run(tmp_path / "run", name="voice-test")
    assert not list(weights.iterdir())


def test_an_entry_says_what_it_should_and_nothing_else(tmp_path, weights):
    facts = {"kind": "k", "licence": "l", "source": "s", "builder": "a:b"}
    with pytest.raises(ValueError, match="'people' is unknown"):
        publish.publish("tiny", {"w": torch.ones(2)}, {}, folder=tmp_path, people=3, **facts)
    with pytest.raises(ValueError, match="it lacks 'licence'"):
        publish.publish("tiny", {"w": torch.ones(2)}, {}, folder=tmp_path, **(facts | {"licence": ""}))
    with pytest.raises(ValueError, match="w cannot be stored in 16 bits"):
        publish.publish("tiny", {"w": torch.tensor([1e6])}, {}, folder=tmp_path, **facts)


def test_weights_that_went_on_from_others_say_so_and_count_both(people, settings, tmp_path, weights):
    training.run(settings(evaluate_every=3), people, validation=people, out_dir=tmp_path / "first", command=TYPED)
    publish.publish_run(tmp_path / "first", name="voice-test")
    first = hub.describe("voice-test")
    further = settings(evaluate_every=3, max_steps=9, init_from="voice-test")
    people.about = people.about | {"people": 9, "seed": 7}
    command = f"{TYPED} --set init_from=voice-test --out {tmp_path / 'further'}"
    training.run(further, people, validation=people, out_dir=tmp_path / "further", command=command)
    publish.publish_run(tmp_path / "further", name="voice-test")
    entry = hub.describe("voice-test")
    assert entry["examples_seen"] == 6 * 4 + 9 * 4
    assert [seen for seen, _, _ in entry["curve"]] == [12, 24, 24 + 12, 24 + 24, 24 + 36]
    assert entry["init_from"]["sha256"] == first["sha256"]
    assert entry["init_from"]["command"] == first["command"]
    typed = f"{TYPED} --set init_from=voice-test --out runs/further"  # no folder of this machine
    assert entry["command"] == f"{typed} && python -m tools.publish runs/further --name voice-test"
    assert first["command"] == f"{TYPED} && python -m tools.publish runs/first --name voice-test"
    with pytest.raises(ValueError, match="put those weights"):  # the hub has moved on
        publish.publish_run(tmp_path / "further", name="voice-other")


def test_what_is_published_is_the_checkpoint_and_not_the_log(people, settings, tmp_path, weights):
    training.run(settings(evaluate_every=3), people, validation=people, out_dir=tmp_path, command=TYPED)
    lines = log.RunLog(tmp_path, [json.loads(text) for text in (tmp_path / log.NAME).read_text().splitlines()])
    lines.add("train", 8, loss=1.0)
    lines.add("validation", 8, angle_deg=1.0, top10_percent=99.0)
    publish.publish_run(tmp_path, name="voice-test")
    entry = hub.describe("voice-test")
    assert (entry["steps"], entry["examples_seen"]) == (6, 24)
    assert [seen for seen, _, _ in entry["curve"]] == [12, 24]


def test_only_a_run_at_its_end_is_published(people, settings, tmp_path, weights):
    training.run(settings(), people, out_dir=tmp_path, command=TYPED)
    state = checkpoint.load(tmp_path)
    checkpoint.save(tmp_path, state | {"step": 3})
    with pytest.raises(ValueError, match="at step 3 of 6; go on"):
        publish.publish_run(tmp_path, name="voice-test")
    assert not (weights / "voice-test.safetensors").exists()
    checkpoint.save(tmp_path, state | {"step": 3, "stopped": "patience"})
    publish.publish_run(tmp_path, name="voice-test")
    assert hub.describe("voice-test")["steps"] == 3


def test_only_a_run_on_synthetic_people_is_published(clips, settings, tmp_path, weights):
    for about in ({}, {"kind": "downloaded", "recogniser": {"name": "r", "checksum": "c"}}):
        clips.about = about
        training.run(settings(), clips, out_dir=tmp_path, resume=False)
        with pytest.raises(ValueError, match="not trained on synthetic people alone"):
            publish.publish_run(tmp_path, name="voice-test")


def test_a_run_that_does_not_say_how_it_was_made_is_not_published(people, settings, tmp_path, weights):
    training.run(settings(), people, out_dir=tmp_path)
    with pytest.raises(ValueError, match="does not say how it can be made again"):
        publish.publish_run(tmp_path, name="voice-test")


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="train first"):
        publish.load_run(tmp_path)


def test_voices_are_spoken_once_and_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("S2F_HOME", str(tmp_path))
    which = people_set.PeopleSet(people=3, clips=2, seed=5)
    sound = people_set.voices(which, workers=1)
    assert sound.shape == (6, 96_000)
    assert sound.dtype == np.int16
    assert which.speaker.tolist() == [0, 0, 1, 1, 2, 2]
    (file,) = tmp_path.rglob("voices.npy")
    stamp = file.stat().st_mtime_ns
    again = people_set.voices(which, workers=1)
    assert np.array_equal(again, sound)
    assert file.stat().st_mtime_ns == stamp


def test_another_version_of_synthesiser_or_renderer_is_another_set(tmp_path, monkeypatch):
    from s2f_lib.people import fingerprint

    monkeypatch.setenv("S2F_HOME", str(tmp_path))
    which, recogniser = people_set.PeopleSet(people=2, clips=1, seed=5), hub.load("synthetic-vgg")
    kept = people_set.face_targets(which, recogniser, workers=1)
    assert kept.v_f.shape == (2, 4096)
    assert np.array_equal(people_set.face_targets(which, recogniser, workers=1).logits, kept.logits)
    people_set.voices(which, workers=1)
    for name in ("face_key", "voice_key"):
        monkeypatch.setattr(fingerprint, name, lambda population: ["another version"])
    people_set.face_targets(which, recogniser, workers=1)
    people_set.voices(which, workers=1)
    assert len([*tmp_path.rglob("voices.npy")]) == len([*tmp_path.rglob("v_f.npy")]) == 2


def test_an_interrupted_set_goes_on_where_it_was(tmp_path, monkeypatch):
    from s2f_lib.people import speech

    which, real, begun = people_set.PeopleSet(people=3, clips=1, seed=5), speech.stream, []

    def stream(population, *arguments, **options):
        begun.append(len(population))
        for part in real(population, *arguments, **options):
            yield from (part[i : i + 1] for i in range(1 if len(begun) == 1 else len(part)))
            if len(begun) == 1:
                raise KeyboardInterrupt

    monkeypatch.setenv("S2F_HOME", str(tmp_path / "whole"))
    whole = np.array(people_set.voices(which, workers=1))
    monkeypatch.setenv("S2F_HOME", str(tmp_path / "parts"))
    monkeypatch.setattr(speech, "stream", stream)
    monkeypatch.setattr(people_set, "NOTE_EVERY", 1)
    with pytest.raises(KeyboardInterrupt):
        people_set.voices(which, workers=1)
    assert np.array_equal(people_set.voices(which, workers=1), whole)
    assert begun == [3, 2]


def test_nobody_is_in_two_parts():
    seeds = [people_set.PeopleSet().seed, people_set.VALIDATION_SEED]
    from s2f_lib.config import SEEDS

    assert len({*seeds, SEEDS["test"], SEEDS["recogniser"], SEEDS["decoder"]}) == 5
