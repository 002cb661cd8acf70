import json

import pytest

from s2f_lib import io
from s2f_lib.evaluate import claims, scorecard

GOOD = {
    "angle_deg_6_s": 30.0,
    "angle_deg_mean_feature": 45.0,
    "angle_deg_sex_alone": 40.0,
    "angle_deg_demographics": 25.0,
    "angle_deg_perfect_listener": 28.0,
    "top10_percent": 0.5,
    "top10_percent_3s": 0.4,
    "top10_percent_chance": 0.1,
    "top10_percent_sex_alone": 0.2,
    "top10_percent_demographics": 0.9,
    "top10_percent_perfect_listener": 0.6,
    "angle_gain_6s_over_3s": 1.0,
    "top10_gain_6s_over_3s": 0.1,
    "angle_gain_over_sex_alone": 10.0,
    "top10_gain_over_sex_alone": 0.3,
}
ENDS = {
    "angle_deg_6_s": [29.0, 31.0],
    "top10_percent": [0.45, 0.55],
    "angle_gain_6s_over_3s": [0.5, 1.5],
    "top10_gain_6s_over_3s": [0.05, 0.15],
    "angle_gain_over_sex_alone": [9.0, 11.0],
    "top10_gain_over_sex_alone": [0.25, 0.35],
}


def records(changes=None, ends=None):
    metrics = GOOD | (changes or {})
    record = {"metrics": metrics, "intervals": ENDS | (ends or {}), "command": "python -m x", "n": 1000}
    return claims.Records(lambda name: record if name == "evaluation_synthetic" else None)


def verdict(key, **arguments):
    claim = next(c for c in claims.CLAIMS if c.key == key)
    return scorecard.judge(claim, records(**arguments))["verdict"]


def test_verdicts_follow_the_numbers():
    assert verdict("angle") == "holds"
    no_gain = {"angle_gain_over_sex_alone": [-0.1, 1.0], "top10_gain_over_sex_alone": [-0.01, 0.1]}
    assert verdict("angle", ends=no_gain) == "partly"
    assert verdict("angle", ends=no_gain | {"angle_deg_6_s": [44.0, 46.0]}) == "no"
    assert verdict("retrieval") == "holds"
    assert verdict("retrieval", ends=no_gain) == "partly"
    assert verdict("retrieval", ends=no_gain | {"top10_percent": [0.09, 0.2]}) == "no"
    assert verdict("longer") == "holds"
    assert verdict("longer", ends={"top10_gain_6s_over_3s": [-0.01, 0.1]}) == "partly"
    assert verdict("longer", ends={"angle_gain_6s_over_3s": [-0.1, 2.0]}) == "no"


def judged(judge, **metrics):
    """The verdict of a rule on numbers that stand in every record."""
    return judge(claims.Records(lambda name: {"metrics": metrics, "intervals": {}, "n": 400, "command": "c"}))[1]


def test_without_batch_normalisation_both_measures_must_stand_at_chance():
    keys = ("final_angle_deg", "top10_percent", "face_sex_right")
    full = {f"full.{key}": value for key, value in zip(keys, (65.0, 18.0, 0.87))}

    def without(top10, sex):
        rest = {f"no_batch_norm.{key}": value for key, value in zip(keys, (66.5, top10, sex))}
        return judged(claims.batch_norm, start_angle_deg=66.4, **full, **rest)

    assert without(10.0, 0.5) == "holds"
    assert without(10.0, 0.8) == without(14.0, 0.5) == "partly"
    assert without(19.0, 0.87) == "no"


def test_rules_of_the_published_files_and_of_avspeech():
    def adjusted(found):
        numbers = {"craniofacial_median_adjusted_s2f_07": 0.1, "craniofacial_median_s2f_07": 0.2}
        return judged(claims.craniofacial_published, craniofacial_significant_adjusted_s2f_07=found, **numbers)

    assert [adjusted(found) for found in (7, 6, 0)] == ["holds", "partly", "no"]

    def found_first_tenth(share):
        return judged(claims.avspeech, angle_deg_6_s=46.0, angle_deg_mean_feature=50.0, top10_percent=share)

    assert [found_first_tenth(share) for share in (0.43, 0.30, 0.15)] == ["holds", "partly", "no"]


def test_a_missing_record_is_not_tested_and_says_so():
    row = scorecard.judge(next(c for c in claims.CLAIMS if c.key == "loss"), records())
    assert row["verdict"] == "not tested"
    assert row["ours"] == "not run yet"


def test_keys_are_unique_and_every_row_has_a_rule():
    assert len({c.key for c in claims.CLAIMS}) == len(claims.CLAIMS)
    assert all(c.rule and c.published for c in claims.CLAIMS)


def test_written_record_and_table_agree(tmp_path, monkeypatch):
    monkeypatch.setenv("S2F_RESULTS", str(tmp_path))
    assert "not run yet" in scorecard.markdown()
    io.write_record("evaluation_synthetic", command="s2f evaluate", n=1000, metrics=GOOD, intervals=ENDS, seconds=1.0)
    record = scorecard.write()
    assert json.loads((tmp_path / "scorecard.json").read_text()) == record
    counted = sum(record["metrics"][v.replace(" ", "_")] for v in claims.VERDICTS)
    assert counted == record["metrics"]["claims"] == len(claims.CLAIMS)
    table = scorecard.markdown()
    for row in record["rows"]:
        assert row["claim"] in table
        assert row["ours"] in table
    assert "`s2f evaluate`" in table


def test_the_scorecard_is_written_once_with_its_rows(tmp_path, monkeypatch):
    def killed(*_, **__):
        raise OSError("killed")

    monkeypatch.setenv("S2F_RESULTS", str(tmp_path))
    monkeypatch.setattr(io, "atomic_write", killed)  # the second writing, if there were one
    assert scorecard.write()["rows"] == scorecard.rows()


def test_the_stored_scorecard_is_what_the_records_say():
    """Prose and numbers agree: the committed scorecard is the one the committed records give."""
    record = io.read_record("scorecard")
    if record is None:
        pytest.skip("results/scorecard.json: not run yet")
    assert record["rows"] == scorecard.rows()


def test_published_rows_come_from_the_paper():
    assert "45.75" in next(c for c in claims.CLAIMS if c.key == "angle").published
    assert "10.92" in next(c for c in claims.CLAIMS if c.key == "rank").published
    ranks = {"recall_at_rank_1": 0.0, "top_percent_recall_1": 10.0, "median_true_rank": 550.0}
    ours, found = claims.rank_of_5000(claims.Records(lambda name: {"metrics": ranks, "intervals": {}}))
    assert found == "no"
    assert "0 are first and 10 in the top 1 %" in ours
