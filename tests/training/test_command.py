"""The command: which people it may hear, which frozen layers belong to their features."""

import json
import types

import numpy as np
import pytest

from s2f_lib import cli, hub, training
from s2f_lib.config import SEEDS
from s2f_lib.training import people_set
from s2f_lib.training.sources import ArraySource


def features_of(name, checksum="abc"):
    """A source that says whose features it has."""
    return types.SimpleNamespace(about={"recogniser": {"name": name, "checksum": checksum}})


def test_another_world_does_not_go_on_with_the_run_of_the_first(clips, tmp_path, monkeypatch, capsys):
    def source(which, workers, progress, as_magnitudes):
        return ArraySource(clips.waveforms, clips.v_f, about=which.about)

    monkeypatch.setattr(people_set, "source", source)
    small = {"encoder_changes": json.dumps({"channels": [4] * 9, "hidden": 8}), "max_steps": 1, "batch_size": 4}
    words = ["--loss", "normalized", "--out", str(tmp_path)]
    words += [word for name, value in small.items() for word in ("--set", f"{name}={value}")]
    assert cli.main(["train", *words]) == 0
    assert cli.main(["train", *words, "--people", "8000", "--world", "null"]) == 2
    assert "other data, with people = 512, not 8000" in capsys.readouterr().err
    assert cli.main(["train", *words, "--people", "8000", "--world", "null", "--restart"]) == 0


@pytest.mark.parametrize("seed", [SEEDS["recogniser"], SEEDS["decoder"], SEEDS["test"], people_set.VALIDATION_SEED])
def test_people_kept_for_something_else_are_not_trained_on(seed, monkeypatch, capsys):
    monkeypatch.setattr(people_set, "source", None)
    assert cli.main(["train", "--population-seed", str(seed)]) == 2
    assert f"--population-seed {seed}: these people are kept for" in capsys.readouterr().err


def test_a_set_of_people_says_who_they_are_and_whose_features_they_have(monkeypatch):
    sound, targets = np.zeros((6, 96_000), np.int16), people_set.FaceTargets(np.ones((6, 4), np.float16), None)
    monkeypatch.setattr(people_set, "voices", lambda *arguments: sound)
    monkeypatch.setattr(people_set, "face_targets", lambda *arguments: targets)
    recogniser = types.SimpleNamespace(name="r", checksum="abc")
    about = people_set.source(people_set.PeopleSet(3, 2, seed=5, world="null"), recogniser).about
    assert about["recogniser"] == {"name": "r", "checksum": "abc"}
    assert (about["people"], about["clips"], about["seed"], about["world"]) == (3, 2, 5, "null")
    json.dumps(about)


def test_the_layers_are_those_of_the_recogniser_that_made_the_features():
    checksum = hub.describe("synthetic-vgg")["sha256"]
    layers = training.layers_for(features_of("synthetic-vgg", checksum), training.LossConfig())
    assert (layers["f_vgg"].in_features, layers["f_vgg"].out_features) == (4096, 1000)
    assert "f_dec" in layers
    assert training.layers_for(types.SimpleNamespace(), training.LossConfig(0, 1, 0)) == {}, "none is needed"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (features_of("vgg-face"), "vgg-face, which no face decoder reads: .* --loss no_decoder, or train one"),
        (
            features_of("synthetic-vgg", "an older file"),
            "with SHA-256 an older fil, the hub has .*; extract them again",
        ),
        (types.SimpleNamespace(about={"kind": "downloaded"}), "do not say which recogniser .*build_shards --overwrite"),
    ],
)
def test_features_of_another_recogniser_never_meet_the_wrong_layers(source, message):
    with pytest.raises(ValueError, match=message):
        training.layers_for(source, training.LossConfig())


def test_a_decoder_of_another_recogniser_is_refused():
    with pytest.raises(ValueError, match="decoder-synthetic-vgg reads features of synthetic-vgg, not of vgg-face"):
        training.frozen_layers("vgg-face")
