"""The audit's wiring on few people, with stand-in networks and with voices told as numbers instead of sound."""

import json

import numpy as np
import pytest

from s2f_lib import io
from s2f_lib.evaluate import baselines, dataset
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
    monkeypatch.setattr(baselines, "clip_features", told)
    return experiments.Context(recogniser, decoder, reader, train_n=112, test_n=112, workers=1, boosted=0)


def test_the_record_has_every_experiment(stage, monkeypatch, tmp_path):
    rng = np.random.default_rng(0)

    def voice_features(encoder, population, item=0, changes=(None,), **_):
        return np.abs(rng.normal(size=(len(population), len(changes), 96))).astype(np.float32)

    monkeypatch.setattr(dataset, "voice_features", voice_features)
    path = io.write_record(tmp_path / "r.json", rows=audit.run(stage, encoder=None), command="c", n=112, seconds=1)
    found = io.read_record(path)
    for world in experiments.WORLDS:
        for predictor in ("ridge baseline", "oracle"):
            of = {"experiment": "worlds", "world": world, "predictor": predictor}
            for attribute in ("skin", "hair", "nose", "jaw", "age"):
                assert "low" in found.row("r", attribute=attribute, **of)
            assert "low" in found.row("sex_right", **of)
    for measure, conditions in (
        ("effect", {"attribute": "skin", "world": "confounded", "predictor": "oracle"}),
        ("effect", {"attribute": "skin", "world": "physiology", "predictor": "oracle"}),
        ("top_percent_gain", {"against": "demographics"}),
        ("angle", {"experiment": "groups", "by": "group", "group": "D"}),
        ("sex_right", {"experiment": "groups", "by": "sex", "group": "female"}),
        ("skin_error", {"corpus": "5 percent", "group": "D"}),
        ("skin_error", {"corpus": "absent", "group": "D"}),
        ("r", {"experiment": "shortcut", "test": "reversed"}),
        ("r", {"experiment": "body", "attribute": "tract length", "world": "physiology", "predictor": "oracle"}),
        ("auc", {"experiment": "style", "world": "style"}),
    ):
        assert np.isfinite(found.value(measure, **conditions))
    checked = {row["prediction"] for row in found.matching(measure="came_true")}
    assert checked == {p.key for p in predictions.PREDICTIONS}
    assert found.value("match", experiment="identity") == pytest.approx(0.5, abs=0.15)  # the "encoder" says nothing
    low, high = found.interval("auc", experiment="identity")
    assert low < found.value("auc", experiment="identity") < high


def test_predictions_come_true_as_the_recorded_rows_say():
    found = io.read_record("ethics")
    for key, true in predictions.check(found).items():
        assert found.value("came_true", prediction=key) == true, key


def test_the_ear_that_is_told_the_tract_finds_it(stage):
    found = experiments.body(stage, "physiology")
    assert found["tract length"].low > 0.8
    assert found["height"].estimate < found["tract length"].estimate


def test_the_record_names_what_was_asked(tmp_path, monkeypatch):
    assert io.command_of(audit.parser(), audit.parser().parse_args([])) + " --out results/ethics.json" == audit.COMMAND
    monkeypatch.setattr(audit.hub, "load", lambda name: None)
    monkeypatch.setattr(audit, "run", lambda stage, encoder: [io.row("came_true", 1, prediction="x")])
    out = tmp_path / "ethics_small.json"
    assert audit.main(["--people", "200", "--weights", "mine", "--quiet", "--out", str(out)]) == 0
    command = json.loads(out.read_text())["command"]
    assert command == "s2f study ethics --people 200 --weights mine --out results/ethics_small.json"
