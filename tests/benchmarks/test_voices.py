"""What strangers' voices are scored by: labels on drawn faces, and a threshold on pitch beside them."""

import numpy as np
import pytest

from benchmarks import voices
from s2f_lib import io


def test_a_pulse_train_has_its_own_pitch():
    pytest.importorskip("parselmouth")
    time = np.arange(32_000) / 16_000
    tone = sum(np.sin(2 * np.pi * 140 * k * time) / k for k in range(1, 8)) * 0.1
    assert voices.median_pitch(tone) == pytest.approx(140, abs=1)
    assert voices.median_pitch(np.zeros(32_000)) == 0


def test_the_best_threshold_tries_every_cut_and_none():
    score, truth = np.array([1.0, 2, 3, 4, 5]), np.array([False, True, False, True, True])
    assert voices.best_threshold(score, truth) == 0.8
    assert voices.best_threshold(-score, ~truth) == 0.8
    assert voices.best_threshold(score, np.ones(5, bool)) == 1.0


def test_rows_count_right_labels_by_label():
    female, age = np.tile([True, True, False, False], 10), np.tile([20.0, 30, 40, 50], 10)
    who = voices.Voices(np.zeros((40, 1)), female, age, np.arange(40))
    rows = voices.scores({"corpus": "own"}, who, np.tile([0.9, 0.4, 0.2, 0.1], 10), np.tile([21.0, 29, 42, 55], 10))
    value = {(row["measure"], row.get("label")): row["value"] for row in rows}
    assert value["sex_right", None] == 0.75
    assert value["auc", None] == 1.0
    assert value["agreement", "female"] == 0.5
    assert value["agreement", "male"] == 1.0
    assert value["age_r", None] == pytest.approx(np.corrcoef([20, 30, 40, 50], [21, 29, 42, 55])[0, 1])


def test_what_the_model_card_says_of_real_voices_is_what_was_measured():
    record = io.read_record("voices")
    plain, variant = ({"encoder": name} for name in ("voice-encoder-synthetic", "speaker-feature-synthetic"))
    for corpus in ("published", "published, half to report"):
        share = {name: record.value("sex_right", corpus=corpus, **who) for name, who in (("p", plain), ("v", variant))}
        pitch, authors = (
            record.value("sex_right", corpus=corpus, baseline=name)
            for name in ("threshold on pitch", "the authors' pictures")
        )
        assert share["p"] <= pitch + 0.01
        assert pitch + 0.03 < share["v"] < authors
    assert record.value("age_r", corpus="published", **plain) < 0.2
    assert record.value("age_r", corpus="own", **variant) < record.value("age_r", corpus="own", **plain)
    levels = [record.value("clip_angle", level_db=level, **plain) for level in (-20, -40, -60)]
    assert levels == sorted(levels)
    assert record.value("clip_angle", change="mp3", **plain) > record.value(
        "angle_from_average", sound="speech", **plain
    )
