"""Verdicts follow from rows by stated rules; a rule that a null passes decides nothing."""

import json

import pytest

from s2f_lib import io
from s2f_lib.book import tables
from s2f_lib.published import paper
from tools.report import claims, rules, scorecard


def numbers(value, low=None, high=None):
    return {"value": value} | ({} if low is None else {"low": low, "high": high})


SIMILARITY, COSINE = {"experiment": "similarity"}, {"experiment": "retrieval", "metric": "cosine"}
FIRST = (("recall_at", 0.0), ("top_percent", 0.1))
VOICE = {"predictor": "voice", "seconds": 6}
NULL = {"predictor": "null encoder"}


def evaluation(changes=None):
    """Rows of a good encoder: nearer than sex alone, found more often, longer clips help."""
    values = {
        "angle": numbers(30.0, 29.0, 31.0),
        "gain over sex": numbers(10.0, 9.0, 11.0),
        "gain over 3 s": numbers(1.0, 0.5, 1.5),
        "top": numbers(0.5, 0.45, 0.55),
        "top over sex": numbers(0.3, 0.25, 0.35),
        "top over 3 s": numbers(0.1, 0.05, 0.15),
        "null": numbers(50.0, 49.0, 51.0),
        "null over 3 s": numbers(0.0, -0.1, 0.1),
        "null top": numbers(0.1, 0.08, 0.12),
    } | (changes or {})
    angles = {"mean feature": 45.0, "sex alone": 40.0, "sex and decade": 35.0, "demographics": 25.0, "oracle": 28.0}
    tops = {"chance": 0.1, "sex alone": 0.2, "demographics": 0.9, "oracle": 0.6}
    return [
        {"measure": "angle", **SIMILARITY, **VOICE, **values["angle"]},
        *({"measure": "angle", **SIMILARITY, "predictor": name, "value": x} for name, x in angles.items()),
        {"measure": "angle", **SIMILARITY, **NULL, **values["null"]},
        {"measure": "angle_gain", **SIMILARITY, **NULL, "against": "null encoder, 3 s", **values["null over 3 s"]},
        {"measure": "top_percent", **COSINE, **NULL, "k": 10, **values["null top"]},
        {"measure": "angle_gain", **SIMILARITY, **VOICE, "against": "sex alone", **values["gain over sex"]},
        {"measure": "angle_gain", **SIMILARITY, **VOICE, "against": "voice, 3 s", **values["gain over 3 s"]},
        {"measure": "top_percent", **COSINE, **VOICE, "k": 10, **values["top"]},
        {"measure": "top_percent", **COSINE, **VOICE, "seconds": 3, "k": 10, "value": 0.4},
        *({"measure": "top_percent", **COSINE, "predictor": name, "k": 10, "value": x} for name, x in tops.items()),
        {"measure": "top_percent_gain", **COSINE, **VOICE, "against": "sex alone", "k": 10, **values["top over sex"]},
        {"measure": "top_percent_gain", **COSINE, **VOICE, "against": "voice, 3 s", "k": 10, **values["top over 3 s"]},
    ]


def judge(key, rows, record="evaluation_synthetic"):
    """One row of the scorecard, when a record holds these rows and there is no other."""
    found = io.Record(rows, n=1000, command="s2f evaluate")
    claim = next(c for c in claims.CLAIMS if c.key == key)
    return scorecard.judge(claim, rules.Records(lambda name: found if name == record else None))


def test_verdicts_follow_the_numbers():
    def verdict(key, **changes):
        return judge(key, evaluation(changes))["verdict"]

    within = {"gain over sex": numbers(0.4, -0.1, 1.0), "top over sex": numbers(0.05, -0.01, 0.1)}
    assert verdict("angle") == "holds"
    assert verdict("angle", **within) == "partly"
    assert verdict("angle", **within, angle=numbers(45.0, 44.0, 46.0)) == "no"
    assert verdict("retrieval") == "holds"
    assert verdict("retrieval", **within) == "partly"
    assert verdict("retrieval", **within, top=numbers(0.15, 0.09, 0.2)) == "no"
    assert verdict("longer") == "holds"
    assert verdict("longer", **{"top over 3 s": numbers(0.05, -0.01, 0.1)}) == "partly"
    assert verdict("longer", **{"gain over 3 s": numbers(1.0, -0.1, 2.0)}) == "no"
    assert verdict("angle", null=numbers(30.0, 29.0, 31.0)) == "void"
    assert verdict("retrieval", **{"null top": numbers(0.5, 0.45, 0.55)}) == "void"
    assert verdict("retrieval", **{"null top": numbers(0.13, 0.11, 0.15)}) == "holds"


def test_a_rule_that_the_null_passes_is_void():
    assert rules.Judged("", "holds", null_grade="holds").verdict == "void"
    assert rules.Judged("", "partly", null_grade="holds").verdict == "void"
    assert rules.Judged("", "holds", null_grade="partly").verdict == "holds"
    assert rules.Judged("", "no", null_grade="no").verdict == "no"


def test_neighbours_prove_nothing_where_an_untrained_encoder_has_them_too():
    def rows(space, p):
        of = {"experiment": "map", "space": space}
        return [
            {"measure": measure, **of, "label": label, "value": value}
            for label in ("sex", "decade", "group")
            for measure, value in (("purity", 0.9), ("purity_shuffled", 0.5), ("p", p))
        ]

    assert judge("clusters", rows("v_s", 0.001) + rows("untrained", 0.2))["verdict"] == "holds"
    assert judge("clusters", rows("v_s", 0.001) + rows("untrained", 0.001))["verdict"] == "void"
    assert judge("clusters", rows("v_s", 0.2) + rows("untrained", 0.2))["verdict"] == "no"


def test_among_people_of_one_sex_and_decade_the_oracles_gain_is_the_measure():
    def rows(value, low, null=0.5):
        of = {"measure": "match", **COSINE, "within": "sex and decade", "k": 2}
        oracle = {**of, "predictor": "oracle", "value": 0.6}
        return [
            {**of, **VOICE, **numbers(value, low, value + 0.02)},
            oracle,
            {**of, **NULL, **numbers(null, null - 0.02)},
        ]

    row = judge("alike", rows(0.56, 0.54))
    assert row["verdict"] == "holds"
    assert "60.0 % of the oracle's gain" in row["ours"]
    assert (row["null"], row["oracle"]) == ("50.0 %", "60.0 %")
    assert judge("alike", rows(0.56, 0.54, null=0.56))["verdict"] == "void"
    assert judge("alike", rows(0.53, 0.51))["verdict"] == "partly"
    assert judge("alike", rows(0.53, 0.49))["verdict"] == "no"


def test_without_batch_normalisation_both_measures_must_stand_at_chance():
    def rows(variant, angle, top, sex):
        of = {"experiment": "main", "variant": variant}
        return [
            {"measure": "angle", **of, "seconds": 6, "value": angle},
            {"measure": "top_percent", **of, "k": 10, "seconds": 6, "value": top},
            {"measure": "sex_right", **of, "value": sex},
        ]

    start = {"measure": "angle", "experiment": "start", "people": "test", "aim": "v_f", "value": 66.4}

    def without(default, he):
        found = [*rows("l2", 64.0, 0.18, 0.87), start, *rows("no_norm_l2", 66.5, *default), *rows("he_l2", 65.0, *he)]
        return judge("batch_norm", found, "loss_ablation")["verdict"]

    assert without((0.10, 0.5), (0.10, 0.5)) == "holds"
    assert without((0.10, 0.5), (0.18, 0.87)) == without((0.14, 0.8), (0.14, 0.8)) == "partly"
    assert without((0.19, 0.87), (0.19, 0.87)) == "no"
    assert judge("batch_norm", [start], "loss_ablation")["verdict"] == "not tested"


def test_rules_of_the_published_files_and_of_avspeech():
    def adjusted(found):
        of = {"experiment": "craniofacial", "reference": "f2f", "picture": "s2f_07"}
        rows = [{"measure": "median_r", **of, "how": how, "value": 0.1} for how in ("pooled", "adjusted")]
        rows.append({"measure": "significant", **of, "how": "adjusted", "value": found})
        rows += [{"measure": "r", **of, "how": "random", "value": r} for r in (0.05, -0.06, 0.01)]
        return judge("individual_published", rows, "published_avspeech")["verdict"]

    assert [adjusted(found) for found in (7, 6, 0)] == ["holds", "partly", "no"]

    def found_first_tenth(share):
        rows = [
            {"measure": "angle", **SIMILARITY, **VOICE, "value": 46.0},
            {"measure": "angle", **SIMILARITY, "predictor": "mean feature", "value": 50.0},
            {"measure": "top_percent", **COSINE, **VOICE, "k": 10, "value": share},
        ]
        return judge("avspeech", rows, "evaluation_avspeech")["verdict"]

    assert [found_first_tenth(share) for share in (0.43, 0.30, 0.15)] == ["holds", "partly", "no"]


def test_published_rows_come_from_the_paper():
    published = {claim.key: claim.published for claim in claims.CLAIMS}
    for seconds, key in ((6, "angle"), (3, "longer"), (6, "longer"), (6, "avspeech")):
        assert f"{paper.SIMILARITY[seconds]['angle_deg'][0]}°" in published[key]
    for percent, key in ((10, "retrieval"), (1, "rank"), (10, "avspeech")):
        assert f"{paper.RETRIEVAL[6, 'cosine'][percent]} %" in published[key]
    of = {"experiment": "printed ranks", "gallery": 5000}
    rows = [
        {"measure": "recall_at", **of, "k": 1, "value": 0.0},
        {"measure": "top_percent", **of, "k": 1, "value": 0.1},
    ]
    row = judge("rank", [*rows, {"measure": "median_rank", **of, "value": 550.0}], "published_avspeech")
    assert row["verdict"] == "no"
    assert "0 are first and 10 in the top 1 %" in row["ours"]


def test_a_missing_record_is_not_tested_and_says_so():
    row = judge("loss", evaluation())
    assert (row["verdict"], row["ours"]) == ("not tested", "not run yet")


def test_an_ambiguous_number_is_an_error_and_not_untested():
    twice = [*evaluation(), {"measure": "angle", **SIMILARITY, **VOICE, "corpus": "other", "value": 20.0}]
    with pytest.raises(KeyError, match="2 rows"):
        judge("angle", twice)


def test_keys_are_unique_and_every_change_is_of_a_claim():
    keys = [c.key for c in claims.CLAIMS]
    assert len(set(keys)) == len(keys)
    assert all(c.rule and c.published for c in claims.CLAIMS)
    last = {key: after for key, _, _, after, _ in claims.CHANGES}
    verdicts = {row["key"]: row["verdict"] for row in scorecard.rows()}
    assert {key: verdicts[key] for key in last} == last  # the list of changes ends at what the scorecard says


def test_written_record_and_table_agree(tmp_path, monkeypatch):
    monkeypatch.setenv("S2F_RESULTS", str(tmp_path))
    assert "not run yet" in tables.scorecard()
    io.write_record("evaluation_synthetic", command="s2f evaluate", n=1000, rows=evaluation(), seconds=1.0)
    record = scorecard.write()
    assert json.loads((tmp_path / "scorecard.json").read_text())["tables"]["claims"] == scorecard.rows()
    assert sum(record.value("verdicts", verdict=v) for v in rules.VERDICTS) == len(claims.CLAIMS)
    assert not scorecard.is_stale()
    table = tables.scorecard()
    for row in record.tables["claims"]:
        assert f"| {row['ours']} | {row['null']} | {row['oracle']} |" in table
    assert "**holds** †" in table
    assert "`s2f evaluate`" in table
    io.write_record(
        "evaluation_synthetic", command="c", n=9, rows=evaluation({"angle": numbers(45, 44, 46)}), seconds=1.0
    )
    assert scorecard.is_stale()


def test_the_stored_scorecard_is_what_the_records_say():
    """Prose and numbers agree: the committed scorecard is the one the committed records give."""
    assert not scorecard.is_stale()
