"""The paper's claims: one row of the scorecard each, with the rule that judges it in words.

``data/claims.json`` holds the rows, and the list of what changed in the verdicts. A verdict follows from a
rule that is printed with it, never from a person; the function of `tools.report.rules` that has the claim's key
applies it. ``post_hoc`` says where a rule was written or changed after its numbers were known, as the history of the
file shows; such a rule is no prediction.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.report import rules
from tools.report.rules import Judged, Records


@dataclass(frozen=True)
class Claim:
    """One row: what the paper says, where, its number, and how we judge it.

    ``record`` names the record whose command the row shows; ``post_hoc`` says why the rule is no prediction ("" where
    it was written before its numbers and kept).
    """

    key: str
    claim: str
    where: str
    published: str
    record: str
    rule: str
    post_hoc: str = ""

    @property
    def judge(self) -> Callable[[Records], Judged]:
        """The function that applies the rule."""
        return getattr(rules, self.key)


_STORED = json.loads(Path(__file__).with_name("data").joinpath("claims.json").read_text(encoding="utf-8"))
CLAIMS = tuple(Claim(**stored) for stored in _STORED["claims"])
# What changed in the verdicts: key, date, before, after, why. What was first measured is no change.
CHANGES = tuple(tuple(change) for change in _STORED["changes"])
