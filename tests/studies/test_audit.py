"""The audit's wiring on few people, with stand-in networks and with voices told as numbers instead of sound."""

import json

import numpy as np
import pytest

from s2f_lib import cli, io
from s2f_lib.evaluate import acoustic, data
from s2f_lib.studies.ethics import audit, experiments, predictions

LANGUAGES = ("en", "de", "es", "fr", "zh", "hi", "sw", "tr")


def told(population, item=0, *, changes=(None,), language=None, **_):
    """The true voice parameters, the language and which change was made: what a very good ear would hear."""
    table = population.table()
    names = [c for c in table.columns if c.startswith("voice_") and c != "voice_idiolect"]
    voice = np.log(np.maximum(table[names].to_numpy(float), 1e-4))
    spoken = np.full(len(table), language) if language else table["language"].to_numpy(str)
    one_hot = (spoken[:, None] == np.array(LANGUAGES)).astype(float)
    heard = [np.column_stack([voice, one_hot, np.full(len(table), float(i))]) for i in range(len(changes))]
    return np.stack(heard, axis=1)


@pytest.fixture
def stage(stand_ins, monkeypatch):
    recogniser, _, decoder, reader = stand_ins
    monkeypatch.setattr(acoustic, "hear", told)
    return experiments.Stage(recogniser, decoder, reader, train_n=112, test_n=112, workers=1, boosted=0)


def test_the_record_has_every_number_the_issue_names(stage, monkeypatch):
    rng = np.random.default_rng(0)

    def voice_features(encoder, population, item=0, changes=(None,), **_):
        return np.abs(rng.normal(size=(len(population), len(changes), 96))).astype(np.float32)

    monkeypatch.setattr(data, "voice_features", voice_features)
    metrics, ends = audit.run(stage, encoder=None)
    for world in experiments.WORLDS:
        for name in ("skin_r", "hair_r", "nose_r", "jaw_r", "age_r", "sex_right"):
            for listener_name in ("", "_perfect"):
                assert f"{name}_{world}{listener_name}" in ends
    for name in (
        "language_switch_effect",
        "language_switch_effect_physiology",
        "identity_gain_over_demographics",
        "identity_match_1_2",
        "error_by_group_group_d_angle_deg",
        "error_by_group_sex_female_sex_right",
        "skin_error_d_5_percent",
        "skin_error_d_absent",
        "skin_r_shortcut_reversed",
        "vtl_r_physiology",
        "style_auc_style",
    ):
        assert name in metrics, name
    assert all(np.isfinite(v) for v in metrics.values())
    assert {f"prediction_{p.key}" for p in predictions.PREDICTIONS} <= set(metrics)
    assert metrics["identity_match_1_2"] == pytest.approx(0.5, abs=0.15)  # the "encoder" above says nothing
    low, high = ends["identity_auc_alike"]
    assert low < metrics["identity_auc_alike"] < high
    assert all(low < high for low, high in ends.values())


def test_the_ear_that_is_told_the_tract_finds_it(stage):
    found = experiments.body(stage, "physiology")
    assert found["vtl_r"].low > 0.8
    assert found["height_r"].estimate < found["vtl_r"].estimate


def test_the_record_names_what_was_asked(tmp_path, monkeypatch):
    assert io.command_of(audit.parser(), audit.parser().parse_args([])) + " --out results/ethics.json" == audit.COMMAND
    monkeypatch.setattr(audit.hub, "load", lambda name: None)
    monkeypatch.setattr(audit, "run", lambda stage, encoder: ({"prediction_x": 1}, {}))
    out = tmp_path / "ethics_small.json"
    assert audit.main(["--people", "200", "--weights", "mine", "--quiet", "--out", str(out)]) == 0
    command = json.loads(out.read_text())["command"]
    assert command == "s2f study ethics --people 200 --weights mine --out results/ethics_small.json"


def test_command_explains_missing_weights(capsys):
    assert cli.main(["study", "ethics", "--quiet", "--weights", "nobodys"]) == 2
    assert "nobodys" in capsys.readouterr().err
