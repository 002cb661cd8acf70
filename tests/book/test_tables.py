"""Tables show the rows of the records, in the words and digits asked for."""

import pytest

from s2f_lib import io
from s2f_lib.book import tables
from tools.report import blocks, documents

ENCODERS = ("voice-encoder-synthetic", "voice-encoder-strangers", "speaker-feature-synthetic")


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setenv("S2F_RESULTS", str(tmp_path))
    return tmp_path


def write(name, rows, **changes):
    values = {"command": "s2f evaluate", "n": 1000, "seconds": 1}
    return io.write_record(name, rows=rows, **values | changes)


def test_absent_records_say_not_run_yet(results):
    for name, table in documents.TABLES.items():
        if name not in ("weights", "rules", "changes"):  # these follow from no record
            assert "not run yet" in table()
    assert "s2f study ethics" in tables.selected("ethics", "s2f study ethics").data


@pytest.mark.parametrize("name", tables.lines())
def test_every_line_shows_one_number_of_its_record(name):
    record = io.read_record(name)
    for line in tables.lines()[name]:
        for who in ({"encoder": name} for name in ENCODERS) if name == "voices" else ({},):
            found = record.matching(measure=line.measure, **line.where, **who)
            assert len(found) == 1, line


def test_a_record_without_lines_is_shown_whole(results):
    rows = [{"measure": "top_percent", "k": 10, "value": 0.46, "low": 0.43, "high": 0.49}]
    write("some_run", [*rows, {"measure": "rate", "what": "clips", "value": 1234.5}], seeds=[1], notes="Quiet.")
    table = tables.record_table("some_run")
    assert "| own face in the first k % of the gallery (k 10) | 46.0 % | 43.0 to 49.0 % |" in table
    assert "| per second (what clips) | 1,234 | – |" in table
    assert "N = 1,000, seeds 1; recorded" in table
    assert table.endswith("Quiet.")


def test_lines_have_words_a_format_and_a_chance_level(results):
    of = {"experiment": "similarity"}
    rows = [
        {"measure": "angle", **of, "predictor": "voice", "seconds": 6, "value": 31.26, "low": 30.5, "high": 32.0},
        {"measure": "angle", **of, "predictor": "random pair", "value": 80.8},
    ]
    write("evaluation_synthetic", rows)
    table = tables.record_table("evaluation_synthetic")
    assert "| angle to the true feature, 6 s | 31.3° | 30.5 to 32.0° | 80.8° |" in table
    assert "mean feature" not in table


def test_the_contest_and_the_study_are_those_of_their_records(results):
    of = {"experiment": "contest", "contestant": "best"}
    rows = [
        {"measure": "match", **of, "k": 2, "value": 0.817, "low": 0.807, "high": 0.827},
        {"measure": "match", **of, "k": 2, "within": "gender label", "value": 0.706},
        {"measure": "top_percent", **of, "k": 10, "value": 0.415},
    ]
    write("published_ridge", rows)
    assert "| likelihood head on a speaker feature | 0.82 [0.81, 0.83] | 0.71 [–] | 41.5 [–] |" in blocks.contest()
    assert "authors" not in blocks.contest()
    of = {"experiment": "main", "variant": "l1"}
    rows = [
        {"measure": "angle", "experiment": "start", "people": "test", "aim": "v_f", "value": 67.5},
        {"measure": "angle", **of, "seconds": 6, "value": 72.92, "sd": 1.06, "n": 5},
        {"measure": "runs", **of, "value": 5},
        {"measure": "learning_rate", **of, "value": 0.001},
        {"measure": "learned", **of, "value": 0},
        *({"measure": "reached", **of, "target": target, "value": reached} for target, reached in ((66, 5), (65, 3))),
        {"measure": "clips_to_angle", **of, "target": 66, "value": 2460.4, "sd": 20.0, "n": 5},
        {"measure": "top_percent", **of, "seconds": 6, "k": 10, "value": 0.127, "sd": 0.0076, "n": 5},
    ]
    write("loss_ablation", rows)
    assert "| rate | rates that work (octaves) | clips to 66° / 65° |" in tables.study()
    row = "| `l1` | 0.001 | – | 2,460 / 3 of 5 | – / – | – | – | 72.92 ± 1.06 | 12.7 ± 0.8 | – |"
    assert row in tables.study()
    question = {"experiment": "verdicts", "question": "L1 ends farther"}
    other = {**rows[1], "variant": "full_rederived", "value": 64.0}
    learned = {**rows[4], "variant": "full_rederived", "value": 1}
    answer = [{"measure": "confirmed", **question, "value": 1}, {"measure": "p", **question, "value": 0.008}]
    write("loss_ablation", [*rows, other, learned, *answer])
    assert tables.findings().startswith("- After as many clips plain L1 ends **farther**")
    assert "72.9° [nothing learned]" in tables.findings()
    assert tables.findings().endswith("(64.0°). (p = 0.008)")


def test_errors_are_by_group_and_worlds_by_attribute(results):
    rows = []
    for i, g in enumerate("ABCD"):
        of = {"experiment": "groups", "by": "group", "group": g, "n": 25}
        rows += [{"measure": "angle", **of, "value": 30.0 + i}, {"measure": "sex_right", **of, "value": 0.9}]
    for world in blocks.WORLDS:
        for attribute in ("skin", "hair", "nose", "jaw", "age", "sex"):
            of = {"experiment": "worlds", "attribute": attribute, "world": world, "predictor": "ridge baseline"}
            rows.append({"measure": "sex_right" if attribute == "sex" else "r", **of, "value": 0.1})
    write("ethics", rows)
    assert "| group D | 25 | 33.0° | – | 90 % |" in blocks.errors()
    assert "| skin | 0.10 | 0.10 | 0.10 | 0.10 |" in blocks.worlds()
    assert tables.selected("ethics", experiment="groups", group="D")["value"].tolist() == [33.0, 0.9]


def test_the_encoder_stands_beside_the_oracle(results):
    assert "not run yet" in tables.encoder().data
    rows = []
    for i, name in enumerate(("voice", "oracle", "demographics", "mean feature")):
        rows.append({"measure": "angle", "predictor": name, "value": 60.0 + i})
        rows += [{"measure": "top_percent", "predictor": name, "k": k, "value": (k + i) / 100} for k in (1, 5, 10)]
    rows[3] |= {"low": 0.09, "high": 0.11}
    write("voice_encoder", rows)
    table = tables.encoder()
    assert table.loc["voice", "top 10 % (chance 10)"] == "10.0 [9.0, 11.0]"
    assert table.loc["mean feature", "angle (degrees)"] == "63.0 [–]"
    assert table.loc["demographics", "top 5 % (chance 5)"] == "7.0 [–]"
