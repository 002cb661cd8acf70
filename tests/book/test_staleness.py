"""A record that is older than the weights behind it says so, wherever it is shown."""

import pytest

from s2f_lib import hub, io
from s2f_lib.book import tables

RECORD = io.Record([], name="voice_encoder", date="2026-05-05T10:00:00Z", command="python -m again")
EARLIER, LATER = "2026-05-05T09:59:59Z", "2026-05-05T10:00:01Z"


@pytest.fixture
def weights_of(monkeypatch):
    """Sets the date of some weights (of all, without names), beside one invented record."""

    def dated(date, *names):
        there = {"date": date}
        monkeypatch.setattr(hub, "describe", lambda name: there if not names or name in names else {"date": EARLIER})

    monkeypatch.setattr(io, "read_record", lambda name: RECORD)
    return dated


def stale():
    return {name for name in tables.MEASURED_WITH if tables.caution(name)}


@pytest.mark.parametrize("name", tables.MEASURED_WITH)
def test_every_record_that_depends_on_weights_is_there_and_so_are_the_weights(name):
    assert io.read_record(name) is not None
    assert all(hub.describe(weights)["date"][:2] == "20" for weights in tables.MEASURED_WITH[name])


def test_only_a_record_older_than_its_weights_warns(weights_of):
    weights_of(EARLIER)
    assert tables.caution("voice_encoder") == ""
    weights_of(LATER)
    warning = tables.caution("voice_encoder")
    for part in ("2026-05-05", "`voice-encoder-synthetic`", "python -m again"):
        assert part in warning
    assert tables.caution("corpus") == ""  # depends on no weights


def test_a_decoder_trained_again_alone_makes_what_was_read_off_its_faces_old(weights_of):
    weights_of(LATER, "decoder-synthetic-vgg")
    assert stale() == set(tables.MEASURED_WITH) - {"published_ridge"}  # contest of features: nothing is decoded


def test_an_attribute_classifier_trained_again_makes_old_what_it_read(weights_of):
    weights_of(LATER, tables.READER)
    assert stale() == set(tables.MEASURED_WITH) - {"published_ridge", "voice_scaling"}  # these read no labels


def test_no_record_no_warning(monkeypatch):
    monkeypatch.setattr(io, "read_record", lambda name: None)
    assert tables.caution("voice_encoder") == ""


def test_tables_carry_the_warning(monkeypatch):
    monkeypatch.setattr(hub, "describe", lambda name: {"date": "2999-01-01"})
    assert tables.record_table("voice_encoder").startswith("**Measured with earlier weights.**")
    assert tables.scorecard().count("trained again later") == 3  # evaluation, ethics, losses; not the pictures
