"""The whole evaluation on 56 people with stand-in networks: shapes, order of baselines, cache, record."""

import json

import numpy as np
import pytest

from s2f_lib import cli, io
from s2f_lib.audio import degrade
from s2f_lib.evaluate import command, dataset, study
from s2f_lib.metrics import similarity

ROWS = [{"measure": "angle", "value": 1.0}]


def test_baselines_are_ordered(small_study):
    table = study.similarity_table(small_study)["angle_deg"]
    assert table["mean feature"] < table["random pair"]
    assert table["another picture"] < table["random pair"]
    assert table["voice, 6 s"] < table["random pair"]
    assert (study.similarity_table(small_study)["n"] == 56).all()


def test_retrieval_table_says_chance_and_n(small_study):
    table = study.retrieval_table(small_study)
    assert table.loc["chance", "top10_percent"] == pytest.approx(5 / 56)
    assert table.loc["chance", "match_1_2"] == 0.5
    assert table.loc["mean feature (cosine)", "top10_percent"] == pytest.approx(5 / 56, abs=0.005)
    assert (table["n"] == 56).all()


def test_within_tables_compare_inside_groups_only(small_study):
    table = study.within_table(small_study)
    assert table.loc[("everybody", "voice"), "faces"] == 56
    assert table.loc[("same sex", "voice"), "faces"] == 28


def test_the_record_has_only_finite_numbers_and_ordered_intervals(small_study, tmp_path):
    rows = study.rows(small_study)
    path = io.write_record(tmp_path / "r.json", rows=rows, command="c", n=56, seconds=1)  # refuses what is not finite
    found = io.read_record(path)
    assert len(found.rows) > 150
    assert all(row["low"] <= row["value"] <= row["high"] for row in found.rows if "low" in row)
    voice = {"experiment": "retrieval", "metric": "cosine", "predictor": "voice", "seconds": 6}
    ranks = small_study.ranks["voice"]
    assert found.value("top_percent", k=10, within=None, **voice) == pytest.approx(ranks.top_percent(10))
    assert found.value("median_rank", within=None, **voice) == pytest.approx(ranks.median())
    assert found.value("match", k=2, within=None, experiment="retrieval", predictor="chance") == 0.5
    assert found.value("match", k=2, within="sex", **voice) <= 1
    assert found.value("agreement", label="sex", pair="assigned x S2F") <= 1
    others = small_study.answered_by("null encoder").labels["S2F"]["sex"]  # what strangers' voices drew
    right = float((others.to_numpy() == small_study.people["sex"].to_numpy()).mean())
    assert found.value("agreement", label="sex", pair="assigned x null encoder") == pytest.approx(right)
    angle = similarity.angle_deg(small_study.predictions["oracle"], small_study.v_f).mean()
    assert found.value("angle", experiment="similarity", predictor="oracle") == pytest.approx(angle)
    assert found.value("clip_angle", pair="two people", within="sex and decade") > 0
    assert [row["n"] for row in found.matching(measure="angle", experiment="corruptions")] == [8] * 15


def test_features_come_from_the_cache_the_second_time(small_study, stand_ins, monkeypatch):
    from s2f_lib.people import speech

    def refuse(*_, **__):
        raise AssertionError("synthesised again")

    monkeypatch.setattr(speech, "stream", refuse)
    again = dataset.voice_features(stand_ins[1], small_study.population, 1, workers=1)[:, 0]
    np.testing.assert_array_equal(again, small_study.v_s_other)
    with pytest.raises(AssertionError, match="again"):
        dataset.voice_features(stand_ins[1], small_study.population, workers=1, language="de")


def test_encoding_does_not_change_the_encoder(stand_ins):
    encoder = stand_ins[1]
    encoder.train()
    before = dataset.fingerprint(encoder)
    dataset.encode(encoder, np.zeros((2, 96_000), np.float32))
    assert encoder.training
    assert dataset.fingerprint(encoder) == before
    encoder.eval()


def test_a_wrong_pair_of_networks_is_refused(stand_ins):
    class Wide(type(stand_ins[1])):
        def __init__(self):
            super().__init__(dim=7)

    with pytest.raises(ValueError, match="7 dimensions"):
        study.evaluation(stand_ins[0], Wide().eval(), *stand_ins[2:], 16, train_n=56, workers=1)


def test_short_clips_are_repeated_from_the_beginning():
    x = np.arange(96_000, dtype=np.float32)[None]
    cut = degrade.first_seconds(2.5)(x)
    assert cut.shape == x.shape
    np.testing.assert_array_equal(cut[0, 40_000:80_000], x[0, :40_000])


def test_command_explains_missing_weights(capsys):
    assert cli.main(["evaluate", "--weights", "no-such-weights"]) == 2
    assert "no-such-weights" in capsys.readouterr().err
    assert cli.main(["evaluate", "--people", "5"]) == 2
    assert "at least 100" in capsys.readouterr().err


def test_record_goes_where_it_is_asked(tmp_path):
    options = command.parser().parse_args(["--out", str(tmp_path / "evaluation_small.json")])
    path = command.write(options, 5, ROWS, "", 1.0)
    record = json.loads(path.read_text())
    assert path.parent == tmp_path
    assert record["command"].startswith("s2f evaluate --corpus synthetic")
    assert str(tmp_path) not in record["command"]


def command_and_seeds(tmp_path, *typed):
    options = command.parser().parse_args([*typed, "--out", str(tmp_path / "evaluation_small.json")])
    record = json.loads(command.write(options, 5, ROWS, "", 1.0).read_text())
    return record["command"].removesuffix(" --out results/evaluation_small.json"), record["seeds"]


def test_the_record_names_the_command_that_made_it(tmp_path):
    usual = "s2f evaluate --corpus synthetic --people 1000 --seed 9000 --world physiology"
    usual += " --weights voice-encoder-synthetic"
    assert usual + " --out results/evaluation_synthetic.json" == io.read_record("evaluation_synthetic").command
    assert command_and_seeds(tmp_path) == (usual, [9000, 3000])
    assert command_and_seeds(tmp_path, "--workers", "8", "--quiet")[0] == usual
    other = ("--decoder", "mine", "--train-people", "500")
    assert command_and_seeds(tmp_path, *other)[0] == usual.replace(
        " --weights voice-encoder-synthetic", " --train-people 500 --weights voice-encoder-synthetic --decoder mine"
    )


def test_the_record_of_a_folder_names_the_folder_and_no_seeds(tmp_path):
    typed = ("--corpus", "data/avspeech", "--weights", "runs/x/encoder.safetensors")
    assert command_and_seeds(tmp_path, *typed) == (f"s2f evaluate {' '.join(typed)}", [])


SOUND = (0.1 * np.sin(np.arange(96_000) * 2 * np.pi * 220 / 16_000)[None]).astype(np.float32)


@pytest.mark.parametrize("change", degrade.standard_set(), ids=lambda c: c.name)
def test_changes_keep_shape_and_range_and_repeat(change):
    once = change(SOUND)
    assert once.shape == SOUND.shape
    assert np.abs(once).max() <= 1
    np.testing.assert_array_equal(once, change(SOUND))


def test_a_name_tells_other_lengths_apart():
    """The name is the key of the cache: two changes of one name would be heard once."""
    assert degrade.truncate(2.0).name == degrade.truncate(2.0, 6.0).name == "only the first 2 s"
    assert degrade.truncate(2.0, shortest=3.0).name != degrade.truncate(2.0).name


def test_noise_has_the_level_it_says():
    noisy = degrade.noise(10.0)(SOUND)
    measured = 10 * np.log10((SOUND**2).mean() / ((noisy - SOUND) ** 2).mean())
    assert measured == pytest.approx(10, abs=0.1)


def test_a_shift_of_pitch_moves_the_peak_by_so_many_semitones():
    spectrum = np.abs(np.fft.rfft(degrade.pitch_shift(12.0)(SOUND)[0]))
    assert spectrum.argmax() / 6 == pytest.approx(440, abs=1)


def test_a_whisper_has_no_pitch():
    """The tone's share of all power falls from everything to little."""

    def share(x):
        power = np.abs(np.fft.rfft(x[0])) ** 2
        return power[1315:1326].sum() / power.sum()  # 220 Hz, 1/6 Hz bins

    assert share(SOUND) > 0.99
    assert share(degrade.whisper()(SOUND)) < 0.2


def test_probes_without_speech_hold_nothing_of_the_clip():
    np.testing.assert_array_equal(degrade.without_speech("noise")(SOUND), degrade.without_speech("noise")(0 * SOUND))


def test_durations_are_heard_at_their_own_length(small_study, stand_ins):
    table = study.duration_table(small_study, stand_ins[1], 8, seconds=(2.0, 6.0, 9.0))
    assert table.index.tolist() == [2.0, 6.0, 9.0]
    assert (table["n"] == 8).all()
    assert (table["angle_low"] <= table["angle_deg"]).all()
    sound = np.arange(192_000, dtype=np.float32)[None].repeat(3, axis=0)
    assert degrade.truncate(9.0)(sound).shape == (3, 144_000)
    repeated = degrade.truncate(2.0)(sound)
    assert repeated.shape == (3, 96_000)
    np.testing.assert_array_equal(repeated[:, 32_000:64_000], sound[:, :32_000])
    with pytest.raises(ValueError, match="positive"):
        degrade.truncate(0.0)
