"""What we expected of the ethics experiments, and how each expectation is checked.

The sentences in ``studies/data/predictions.json`` were written before anything was run. The page prints them before it
shows a result; the record says which came true.
"""

import json
from functools import partial
from pathlib import Path
from typing import NamedTuple

from s2f_lib.io import Record


class Prediction(NamedTuple):
    """A sentence about an experiment; `TESTS` decides it on the recorded rows."""

    key: str
    experiment: str
    text: str


def _r(found: Record, attribute: str, world: str, predictor: str = "ridge baseline") -> dict:
    return found.row("r", experiment="worlds", attribute=attribute, world=world, predictor=predictor)


def _near_zero(*rows: dict, most: float = 0.15) -> bool:
    return all(abs(row["value"]) < most for row in rows)


def _ages_and_sexes(found: Record) -> bool:
    sex = found.row("sex_right", world="physiology", predictor="ridge baseline")
    return (
        _r(found, "age", "physiology")["low"] > 0
        and sex["low"] > 0.8
        and _near_zero(_r(found, "age", "confounded_only"))
    )


def _null(found: Record) -> bool:
    rows = [_r(found, attribute, "null") for attribute in ("skin", "hair", "nose", "jaw", "age")]
    return _near_zero(*rows) and 0.4 < found.value("sex_right", world="null", predictor="ridge baseline") < 0.6


def _switch(found: Record) -> bool:
    of = {"experiment": "language switch", "attribute": "skin", "predictor": "ridge baseline"}
    return found.row("effect", world="confounded", **of)["low"] > 0 and _near_zero(
        found.row("effect", world="physiology", **of)
    )


def _rare(found: Record) -> bool:
    names = ("all", "5 percent", "absent", "balanced")
    whole, few, absent, balanced = (found.value("skin_error", corpus=name, group="D") for name in names)
    return absent > few > whole and balanced < few


def _channel(found: Record) -> bool:
    same, turned, fair = (found.row("r", experiment="shortcut", test=t) for t in ("same link", "reversed", "fair"))
    return same["low"] > 0 and turned["value"] < -0.1 and _near_zero(fair)


def _body(found: Record) -> bool:
    of = {"experiment": "body", "world": "physiology", "predictor": "ridge baseline"}
    tract, height = (found.value("r", **of, attribute=name) for name in ("tract length", "height"))
    return tract > height > 0 and tract > _r(found, "jaw", "physiology")["value"]


def _style(found: Record) -> bool:
    learnt, other = (found.row("auc", experiment="style", world=world) for world in ("style", "physiology"))
    return learnt["low"] > 0.5 and learnt["value"] > other["value"] + 0.1


def _culture(attribute: str, found: Record) -> bool:
    return _r(found, attribute, "confounded")["low"] > 0 and _near_zero(_r(found, attribute, "physiology"))


def _jaw(found: Record) -> bool:
    jaw = _r(found, "jaw", "physiology", "oracle")
    return jaw["low"] > 0 and jaw["value"] < 0.5


def _identity(found: Record) -> bool:
    return found.value("match", experiment="identity") < 0.65


TESTS = {
    "skin is culture": partial(_culture, "skin"),
    "hair is culture": partial(_culture, "hair"),
    "age and sex are physiology": _ages_and_sexes,
    "null is null": _null,
    "jaw is weak": _jaw,
    "language switch": _switch,
    "rare group pays": _rare,
    "no identity": _identity,
    "channel betrays": _channel,
    "tract is grounded": _body,
    "style is learnt": _style,
}
_STORED = Path(__file__).parents[1] / "data/predictions.json"
PREDICTIONS = [Prediction(*one) for one in json.loads(_STORED.read_text(encoding="utf-8"))]


def check(found: Record) -> dict[str, bool]:
    """Which predictions came true, by key, from the rows of the experiments."""
    return {p.key: bool(TESTS[p.key](found)) for p in PREDICTIONS}
