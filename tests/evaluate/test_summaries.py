import numpy as np
import pytest

from s2f_lib import io
from s2f_lib.evaluate import summaries


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setenv("S2F_RESULTS", str(tmp_path))
    return tmp_path


def test_absent_records_say_not_run_yet(results):
    for table in summaries.TABLES.values():
        assert "not run yet" in table()
    assert summaries.from_record("ethics", ".*").empty


def test_numbers_are_those_of_the_record(results):
    metrics = {name: 0.25 for name, *_ in summaries.EVALUATION.values()}
    metrics |= {"angle_deg_6_s": 31.26, "angle_deg_random_pair": 80.8}
    io.write_record(
        "evaluation_synthetic",
        command="s2f evaluate",
        n=1000,
        metrics=metrics,
        intervals={"angle_deg_6_s": [30.5, 32.0]},
        seconds=1,
    )
    table = summaries.evaluation()
    assert "| angle to the true feature, 6 s | 31.3° | 30.5 to 32.0 | 80.8° |" in table
    assert "| face in the first 10 % of the gallery | 25.0 % | – | – |" in table
    assert "N = 1,000" in table
    found = summaries.from_record("evaluation_synthetic", r"angle_deg_(\w+)")
    assert found.loc["6_s", "high"] == 32.0
    assert np.isnan(found.loc["demographics", "low"])


def test_the_contest_and_the_study_are_those_of_their_records(results):
    metrics = {f"best_{name}": value for name, value in zip(summaries.CONTEST.values(), (0.817, 0.706, 41.5))}
    ends = {"best_match_1_2": [0.807, 0.827]}
    io.write_record("published_ridge", command="c", n=900, metrics=metrics, intervals=ends, seconds=1)
    row = "| likelihood head on a speaker feature | 0.82 [0.81 to 0.83] | 0.71 [–] | 41.5 [–] |"
    assert row in summaries.contest()
    assert "authors" not in summaries.contest()
    metrics = {"start_angle_deg": 67.5, "l1.seeds": 5, "l1.final_angle_deg": 72.92, "l1.final_angle_deg_sd": 1.06}
    io.write_record("loss_ablation", command="c", n=400, metrics=metrics, seconds=1)
    assert "| `l1` | 5 | 72.92 ± 1.06 | – | – | – |" in summaries.study()
    io.write_record("published_avspeech", command="c", n=1, metrics={"craniofacial_within_0_10": 11.0}, seconds=1)
    assert "of 12 | 11 | – | – |" in summaries.published()


def test_errors_are_by_group(results):
    metrics = {f"error_by_group_group_{g}_angle_deg": 30.0 + i for i, g in enumerate("abcd")}
    metrics |= {f"error_by_group_group_{g}_sex_right": 0.9 for g in "abcd"}
    metrics |= {f"error_by_group_group_{g}_n": 25 for g in "abcd"}
    metrics |= {f"{key}_{world}": 0.1 for key in summaries.WORLD_ROWS.values() for world in summaries.WORLD_COLUMNS}
    io.write_record("ethics", command="s2f study ethics", n=10, metrics=metrics, seconds=1)
    assert "| group D | 25 | 33.0° | – | 90 % |" in summaries.errors()
    assert "| skin | 0.10 | 0.10 | 0.10 | 0.10 |" in summaries.worlds()


def test_the_encoder_stands_beside_the_listeners(results):
    assert "not run yet" in summaries.encoder().data
    names = ("", "perfect_listener", "demographics", "mean_feature")
    metrics = {f"angle_deg_{name}".rstrip("_"): 60.0 + i for i, name in enumerate(names)}
    metrics |= {f"{name}_top{k}_percent".lstrip("_"): k + i for k in (1, 5, 10) for i, name in enumerate(names)}
    ends = {"top10_percent": [9.0, 11.0]}
    io.write_record("voice_encoder", command="c", n=10, metrics=metrics, intervals=ends, seconds=1)
    table = summaries.encoder()
    assert table.loc["voice", "top 10 % (chance 10)"] == "10.0 [9.0, 11.0]"
    assert table.loc["mean feature", "angle (degrees)"] == "63.0 [–]"
    assert table.loc["demographics", "top 5 % (chance 5)"] == "7.0 [–]"


def test_a_page_shows_the_record_or_how_to_make_it(results):
    missing = summaries.recorded("ethics", r"identity_(\w+)", "s2f study ethics")
    assert missing.data == "*`results/ethics.json`: not run yet; `s2f study ethics` writes it.*"
    io.write_record("ethics", command="c", n=10, metrics={"identity_match_1_2": 0.5, "skin_r": 0.1}, seconds=1)
    assert summaries.recorded("ethics", r"identity_(\w+)", "c").index.tolist() == ["match_1_2"]
