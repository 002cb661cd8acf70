"""The benchmark of the second synthesiser: who speaks, what is measured, and what happens without the program."""

import pytest

from benchmarks import espeak, second_engine
from s2f_lib import io


def test_without_the_program_it_says_so_and_measures_nothing(monkeypatch, capsys):
    monkeypatch.setattr(second_engine.espeak, "available", lambda: False)
    monkeypatch.setattr("sys.argv", ["second_engine"])
    second_engine.main()
    assert "apt-get install espeak-ng" in capsys.readouterr().out


@pytest.mark.skipif(not espeak.available(), reason="espeak-ng is not installed (optional)")
def test_both_engines_are_heard_and_sex_is_read_from_both(tmp_path):
    population = second_engine.speakers(24)
    assert len(population) == 24
    path = io.write_record(tmp_path / "r.json", rows=second_engine.measure(population), command="c", n=24, seconds=1)
    found = io.read_record(path)
    assert found.value("sex_right", engine="our own") > 0.75
    # how much is left of it is for the record to say: the weights decide
    assert found.value("sex_right", engine="espeak-ng") > 0.5
    for engine in ("espeak-ng", "our own"):
        low, high = found.interval("age_r", engine=engine)
        assert -1 <= low <= found.value("age_r", engine=engine) <= high <= 1
    assert found.value("sex_right", baseline="constant") < 0.75
