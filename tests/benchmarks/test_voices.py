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
    names = ("voice-encoder-synthetic", "voice-encoder-strangers", "speaker-feature-synthetic")
    plain, strangers, variant = ({"encoder": name} for name in names)
    for corpus in ("published", "published, half to report"):
        p, s, v = (record.value("sex_right", corpus=corpus, **who) for who in (plain, strangers, variant))
        pitch, authors = (
            record.value("sex_right", corpus=corpus, baseline=name)
            for name in ("threshold on pitch", "the authors' pictures")
        )
        assert p <= pitch + 0.01
        assert p < s < v < authors
        ahead = record.interval("sex_right", corpus=corpus, **strangers)[0] > pitch
        assert ahead == (corpus == "published")  # on all clips beyond chance, on half of them not
        assert pitch + 0.03 < v
    espeak, own = ({"corpus": name} for name in ("espeak", "own"))
    assert 0.6 < record.value("sex_right", **espeak, **plain) < 0.72
    gap = record.value("sex_right", **own, **strangers) - record.value("sex_right", **espeak, **strangers)
    assert 0 < gap < 0.06
    for measure, most in (("age_r", 0.12), ("top_percent", 0.05)):
        assert 0 < record.value(measure, **own, **plain) - record.value(measure, **own, **strangers) < most
    assert record.value("age_r", **own, **variant) < record.value("age_r", **own, **strangers)
    assert all(record.value("age_r", corpus="published", **who) < 0.2 for who in (plain, strangers, variant))
    levels = [record.value("clip_angle", level_db=level, **plain) for level in (-20, -40, -60)]
    assert levels == sorted(levels)
    speech = record.value("angle_from_average", sound="speech", **plain)
    assert record.value("clip_angle", change="mp3", **plain) > speech
    for who in (strangers, variant):
        assert record.value("clip_angle", level_db=-60, **who) < 3
        assert record.value("angle_from_average", sound="white noise", **who) < 0.5 * speech
