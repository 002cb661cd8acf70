"""What we expected of the ethics experiments, written before they were run, and how each expectation is checked.

The page prints these sentences before it shows a result; the record says which came true.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from s2f_lib.io import Record


@dataclass(frozen=True)
class Prediction:
    """A sentence about an experiment, and the test on the recorded rows that decides it."""

    key: str
    experiment: str
    text: str
    test: Callable[[Record], bool]


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
    tract, height = (
        found.value("r", experiment="body", world="physiology", attribute=name) for name in ("tract length", "height")
    )
    return tract > height > 0 and tract > _r(found, "jaw", "physiology")["value"]


def _style(found: Record) -> bool:
    learnt, other = (found.row("auc", experiment="style", world=world) for world in ("style", "physiology"))
    return learnt["low"] > 0.5 and learnt["value"] > other["value"] + 0.1


PREDICTIONS = (
    Prediction(
        "skin is culture",
        "worlds",
        "Skin follows the voice where language follows the group, and not where it does not.",
        lambda found: _r(found, "skin", "confounded")["low"] > 0 and _near_zero(_r(found, "skin", "physiology")),
    ),
    Prediction(
        "hair is culture",
        "worlds",
        "So does hair colour, which the paper mentions as a correlation; no arrow leads from hair to voice.",
        lambda found: _r(found, "hair", "confounded")["low"] > 0 and _near_zero(_r(found, "hair", "physiology")),
    ),
    Prediction(
        "age and sex are physiology",
        "worlds",
        "Sex and age follow the voice in physiology, and not in confounded_only.",
        _ages_and_sexes,
    ),
    Prediction(
        "null is null",
        "worlds",
        "Nothing follows the voice in the null world.",
        _null,
    ),
    Prediction(
        "jaw is weak",
        "worlds",
        "The jaw follows the voice of physiology a little, well below 0.5 even for the oracle.",
        lambda found: (jaw := _r(found, "jaw", "physiology", "oracle"))["low"] > 0 and jaw["value"] < 0.5,
    ),
    Prediction(
        "language switch",
        "switch",
        "In the confounded world the same person gets another skin when only the language changes.",
        _switch,
    ),
    Prediction(
        "rare group pays",
        "groups",
        "People of a group that is rare or absent in training are predicted worse; balanced sampling repairs a part.",
        _rare,
    ),
    Prediction(
        "no identity",
        "identity",
        "Among people of the same sex, decade and group the right face is found hardly above chance.",
        lambda found: found.value("match", experiment="identity") < 0.65,
    ),
    Prediction(
        "channel betrays",
        "shortcut",
        "A listener trained where the recording betrays the group draws skin from the recording: reversed link, "
        "reversed skin.",
        _channel,
    ),
    Prediction(
        "tract is grounded",
        "body",
        "The length of the vocal tract is heard far better than any measure of the face, in every world where "
        "individual arrows exist; height is heard a little.",
        _body,
    ),
    Prediction(
        "style is learnt",
        "body",
        "A way of speaking shared by a subculture puts the subculture's glasses on the face.",
        _style,
    ),
)


def check(found: Record) -> dict[str, bool]:
    """Which predictions came true, by key, from the rows of the experiments."""
    return {p.key: bool(p.test(found)) for p in PREDICTIONS}
