"""What we expected of the ethics experiments, written before they were run, and how each expectation is checked.

The page prints these sentences before it shows a result; the record says which came true.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Prediction:
    """A sentence about an experiment, and the test on the recorded numbers that decides it."""

    key: str
    experiment: str
    text: str
    test: Callable[[Mapping[str, float], Mapping[str, tuple[float, float]]], bool]


def _above(name: str, level: float = 0.0) -> Callable:
    return lambda metrics, ends: ends[name][0] > level


def _near_zero(*names: str, most: float = 0.15) -> Callable:
    return lambda metrics, ends: all(abs(metrics[name]) < most for name in names)


def _both(*tests: Callable) -> Callable:
    return lambda metrics, ends: all(test(metrics, ends) for test in tests)


PREDICTIONS = (
    Prediction(
        "skin_is_culture",
        "worlds",
        "Skin follows the voice where language follows the group, and not where it does not.",
        _both(_above("skin_r_confounded"), _near_zero("skin_r_physiology")),
    ),
    Prediction(
        "hair_is_culture",
        "worlds",
        "So does hair colour, which the paper mentions as a correlation; no arrow leads from hair to voice.",
        _both(_above("hair_r_confounded"), _near_zero("hair_r_physiology")),
    ),
    Prediction(
        "age_and_sex_are_physiology",
        "worlds",
        "Sex and age follow the voice in physiology, and not in confounded_only.",
        _both(_above("age_r_physiology"), _above("sex_right_physiology", 0.8), _near_zero("age_r_confounded_only")),
    ),
    Prediction(
        "null_is_null",
        "worlds",
        "Nothing follows the voice in the null world.",
        lambda metrics, ends: (
            all(abs(metrics[f"{a}_r_null"]) < 0.15 for a in ("skin", "hair", "nose", "jaw", "age"))
            and 0.4 < metrics["sex_right_null"] < 0.6
        ),
    ),
    Prediction(
        "jaw_is_weak",
        "worlds",
        "The jaw follows the voice of physiology a little, well below 0.5 even for the perfect listener.",
        _both(
            _above("jaw_r_physiology_perfect"),
            lambda metrics, ends: metrics["jaw_r_physiology_perfect"] < 0.5,
        ),
    ),
    Prediction(
        "language_switch",
        "switch",
        "In the confounded world the same person gets another skin when only the language changes.",
        _both(_above("language_switch_effect"), _near_zero("language_switch_effect_physiology")),
    ),
    Prediction(
        "rare_group_pays",
        "groups",
        "People of a group that is rare or absent in training are predicted worse; balanced sampling repairs a part.",
        lambda metrics, ends: (
            metrics["skin_error_d_absent"] > metrics["skin_error_d_5_percent"] > metrics["skin_error_d_all"]
            and metrics["skin_error_d_balanced"] < metrics["skin_error_d_5_percent"]
        ),
    ),
    Prediction(
        "no_identity",
        "identity",
        "Among people of the same sex, decade and group the right face is found hardly above chance.",
        lambda metrics, ends: metrics["identity_match_1_2"] < 0.65,
    ),
    Prediction(
        "channel_betrays",
        "shortcut",
        "A listener trained where the recording betrays the group draws skin from the recording: reversed link, "
        "reversed skin.",
        _both(
            _above("skin_r_shortcut_same_link"),
            lambda metrics, ends: metrics["skin_r_shortcut_reversed"] < -0.1,
            _near_zero("skin_r_shortcut_fair"),
        ),
    ),
    Prediction(
        "tract_is_grounded",
        "body",
        "The length of the vocal tract is heard far better than any measure of the face, in every world where "
        "individual arrows exist; height is heard a little.",
        lambda metrics, ends: (
            metrics["vtl_r_physiology"] > metrics["height_r_physiology"] > 0
            and metrics["vtl_r_physiology"] > metrics["jaw_r_physiology"]
        ),
    ),
    Prediction(
        "style_is_learnt",
        "body",
        "A way of speaking shared by a subculture puts the subculture's glasses on the face.",
        _both(
            _above("style_auc_style", 0.5),
            lambda metrics, ends: metrics["style_auc_style"] > metrics["style_auc_physiology"] + 0.1,
        ),
    ),
)


def check(metrics: Mapping[str, float], ends: Mapping[str, tuple[float, float]]) -> dict[str, bool]:
    """Which predictions came true, by key."""
    return {p.key: bool(p.test(metrics, ends)) for p in PREDICTIONS}
