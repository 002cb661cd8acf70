"""The benchmark of the second synthesiser: who speaks, what is measured, and what happens without the program."""

import pytest

from benchmarks import espeak, second_engine


def test_without_the_program_it_says_so_and_measures_nothing(monkeypatch, capsys):
    monkeypatch.setattr(second_engine.espeak, "available", lambda: False)
    monkeypatch.setattr("sys.argv", ["second_engine"])
    second_engine.main()
    assert "apt-get install espeak-ng" in capsys.readouterr().out


@pytest.mark.skipif(not espeak.available(), reason="espeak-ng is not installed (optional)")
def test_both_engines_are_heard_and_sex_is_read_from_both():
    population = second_engine.speakers(24)
    assert len(population) == 24
    metrics, intervals = second_engine.measure(population)
    assert metrics["own_sex_right"] > 0.75
    assert metrics["espeak_sex_right"] > 0.5  # how much is left of it is for the record to say: the weights decide
    for engine in ("espeak", "own"):
        low, high = intervals[f"{engine}_age_r"]
        assert -1 <= low <= metrics[f"{engine}_age_r"] <= high <= 1
    assert metrics["sex_majority"] < 0.75
