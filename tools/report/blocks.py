"""Tables that stand only in README and the Markdown pages of the book, out of the records.

Those that a notebook shows, too, are in `s2f_lib.book.tables`.
"""

from s2f_lib import hub, io
from s2f_lib.book.tables import (
    CONTEST,
    CONTESTANTS,
    LISTENERS,
    Line,
    absent,
    interval,
    lines,
    markdown,
    shown,
    source,
    with_interval,
)
from tools.report.claims import CLAIMS

WORLDS = ("physiology", "confounded", "confounded_only", "null")


def rules() -> str:
    """How the scorecard decides each verdict, and which rules were written or changed after the numbers were known."""
    rows = [[claim.claim, claim.rule, claim.post_hoc or "before its numbers"] for claim in CLAIMS]
    below = 'Anything else is "no"; a rule that the null passes as well as we do decides nothing: "void".'
    return markdown(("claim", "verdict", "the rule was written"), rows, below)


def contest() -> str:
    """Who picks the right face in ``results/published_ridge.json``, as a Markdown table with intervals."""
    found = io.read_record("published_ridge")
    if found is None:
        return absent("published_ridge")
    rows = []
    for key, words in CONTESTANTS.items():
        cells = [found.matching(experiment="contest", contestant=key, **where) for where in CONTEST.values()]
        if all(cells):
            rows.append(
                [words, *(with_interval(cell[0], 100 if cell[0]["measure"] == "top_percent" else 1) for cell in cells)]
            )
    return markdown(("contestant", *CONTEST), rows, "Chance: 0.5, 0.5 and 10 %. " + source(found))


def voices() -> str:
    """Who understands whose voices: the lines of ``results/voices.json`` by listener, as a Markdown table."""
    found = io.read_record("voices")
    if found is None:
        return absent("voices")

    def cell(line: Line, who: dict) -> str:
        row = next(iter(found.matching(measure=line.measure, **line.where, **who)), None)
        if row is None:
            return "–"
        return line.text(row["value"]) + (f" ({interval(line, row)})" if "low" in row else "")

    rows = [[line.words, *(cell(line, who) for who in LISTENERS.values())] for line in lines()["voices"]]
    constant = shown(found.value("sex_right", corpus="published", baseline="constant"), "share")
    below = f"Always the commoner label: {constant} of the published clips. {source(found)} {found.notes}"
    return markdown(("measure (95 % interval)", *LISTENERS), rows, below)


def errors() -> str:
    """Angle and share of right sex labels of the shipped encoder by sex, group and decade, as a Markdown table."""
    found = io.read_record("ethics")
    if found is None:
        return absent("ethics")
    rows = []
    for row in found.matching(measure="angle", experiment="groups", by=["sex", "group", "decade", "sex and group"]):
        right = found.value("sex_right", experiment="groups", by=row["by"], group=row["group"])
        line = Line(_people(row["by"], row["group"]), "angle")
        cells = [f"{row['n']:.0f}", line.text(row["value"]), interval(line, row), f"{100 * right:.0f} %"]
        rows.append([line.words, *cells])
    head = ("people", "N", "angle to the true feature", "95 % interval", "sex label right")
    return markdown(head, rows, source(found))


def _people(by: str, group: str) -> str:
    """Words for a group of people."""
    if by == "decade":
        return f"{max(18, int(group))} to {int(group) + 9} years"  # nobody is younger than 18
    if by == "sex and group":
        return ", group ".join(group.split())
    return f"group {group}" if by == "group" else group


def worlds() -> str:
    """What follows the voice in which world, ridge baseline, as a Markdown table."""
    found = io.read_record("ethics")
    if found is None:
        return absent("ethics")
    words = {"hair": "hair colour", "nose": "nose width", "jaw": "jaw width", "sex": "sex (share right)"}
    rows = []
    for attribute in ("skin", "hair", "nose", "jaw", "age", "sex"):
        of = {"experiment": "worlds", "attribute": attribute, "predictor": "ridge baseline"}
        measure = "sex_right" if attribute == "sex" else "r"
        values = [found.value(measure, world=world, **of) for world in WORLDS]
        rows.append([words.get(attribute, attribute), *(f"{value:.2f}" for value in values)])
    below = (
        "Ridge baseline: a ridge regression on statistics of the sound, 1,000 training and 500 test people in each "
        f"world; intervals are about 0.09 to either side. {source(found)}"
    )
    return markdown(("attribute of the drawn face", *WORLDS), rows, below)


def weights() -> str:
    """The weights that `hub.available` lists, as Markdown."""
    rows = [
        [f"`{e['name']}`", e["kind"], "" if e["size_mb"] is None else shown(e["size_mb"]), e["licence"], e["source"]]
        for e in hub.available()
    ]
    return markdown(("name", "what", "size (MB)", "licence", "source"), rows, "").strip()
