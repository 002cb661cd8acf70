"""A record that is older than the weights behind it says so, wherever it is shown."""

import pytest

from s2f_lib import blocks, hub, io
from s2f_lib.evaluate import freshness, scorecard

RECORD = {"name": "second_engine", "date": "2026-05-05T10:00:00Z", "command": "python -m again"}
EARLIER, LATER = "2026-05-05T09:59:59Z", "2026-05-05T10:00:01Z"


@pytest.fixture
def weights_of(monkeypatch):
    """Sets the date of all weights, beside one invented record."""
    monkeypatch.setattr(io, "read_record", lambda name: RECORD)
    return lambda date: monkeypatch.setattr(hub, "describe", lambda name: {"date": date})


@pytest.mark.parametrize("name", freshness.MEASURED_WITH)
def test_every_record_that_depends_on_weights_is_there_and_so_are_the_weights(name):
    assert io.read_record(name) is not None
    assert all(hub.describe(weights)["date"][:2] == "20" for weights in freshness.MEASURED_WITH[name])


def test_only_a_record_older_than_its_weights_warns(weights_of):
    weights_of(EARLIER)
    assert freshness.caution("second_engine") == ""
    weights_of(LATER)
    warning = freshness.caution("second_engine")
    for part in ("2026-05-05", "`voice-encoder-synthetic`", "python -m again"):
        assert part in warning
    assert freshness.caution("corpus") == ""  # depends on no weights


def test_a_decoder_trained_again_alone_makes_what_was_read_off_its_faces_old(monkeypatch):
    monkeypatch.setattr(io, "read_record", lambda name: RECORD)
    new = "decoder-synthetic-vgg"
    monkeypatch.setattr(hub, "describe", lambda name: {"date": LATER if name == new else EARLIER})
    old = {name for name in freshness.MEASURED_WITH if freshness.caution(name)}
    assert old == set(freshness.MEASURED_WITH) - {"published_ridge"}  # contest of features: nothing is decoded


def test_a_reader_trained_again_makes_old_what_it_read(monkeypatch):
    monkeypatch.setattr(io, "read_record", lambda name: RECORD)
    monkeypatch.setattr(hub, "describe", lambda name: {"date": LATER if name == freshness.READER else EARLIER})
    old = {name for name in freshness.MEASURED_WITH if freshness.caution(name)}
    assert old == set(freshness.MEASURED_WITH) - {"published_ridge", "voice_scaling"}  # these read no labels off faces


def test_no_record_no_warning(monkeypatch):
    monkeypatch.setattr(io, "read_record", lambda name: None)
    assert freshness.caution("second_engine") == ""


def test_tables_carry_the_warning(monkeypatch):
    monkeypatch.setattr(hub, "describe", lambda name: {"date": "2999-01-01"})
    assert blocks.record_table("second_engine").startswith("**Measured with earlier weights.**")
    assert scorecard.markdown().count("trained again later") == 3  # evaluation, ethics, losses; not the pictures
