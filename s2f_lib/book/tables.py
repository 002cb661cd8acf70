"""Tables of pages and documents, out of the records: which rows are shown, in which words and digits.

``data/lines.json`` chooses for a record what a reader is shown of it: words, measure, conditions, a format
and a chance level, see `Line`; ``data/columns.json`` holds the columns of two wider tables. A record that is in neither
is shown whole.
``tools/report`` puts these tables, and those that no page shows, into README and book.
"""

from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pandas as pd

from s2f_lib import hub, io
from s2f_lib.io.measures import MEASURES

NOT_RUN = "not run yet"
# Formats: factor and pattern. A share and an angle have their own; a line may ask for another, or give a pattern.
FORMS = {"share": (100, "{:.1f} %"), "deg": (1, "{:.1f}°"), "min": (1 / 60, "{:.1f} min"), "ms": (1000, "{:.0f} ms")}
DATA = Path(__file__).parent / "data"
_COLUMNS = io.read_json(DATA / "columns.json")
CONTESTANTS: dict[str, str] = _COLUMNS["contestants"]  # of results/published_ridge.json
CONTEST: dict[str, dict] = _COLUMNS["contest"]  # its columns
STUDY: dict[str, list] = _COLUMNS["study"]  # of results/loss_ablation.json: measure, conditions, format
LISTENERS: dict[str, dict] = _COLUMNS["listeners"]  # of results/voices.json
SCORECARD = ("claim of the paper", "published", "ours", "null", "oracle", "verdict")
MARK = "†"  # beside the verdict of a rule that was written or changed after its numbers
# With which weights a record was measured: where one of them is younger, it says so, see `caution`.
CHAIN = ("synthetic-vgg", "decoder-synthetic-vgg", "voice-encoder-synthetic")  # each learned from those before it
READER = "attributes-synthetic"  # reads sex, group and age off the decoded faces
MEASURED_WITH: dict[str, tuple[str, ...]] = {
    "face_pipeline": (*CHAIN[:2], "decoder-dlib", READER),
    **dict.fromkeys(("loss_ablation", "long_ablation"), (*CHAIN[:2], READER)),
    "published_ridge": CHAIN[2:],
    "voice_scaling": CHAIN,
    **dict.fromkeys(("voice_encoder", "evaluation_synthetic", "ethics", "neighbours"), (*CHAIN, READER)),
}


class Line(NamedTuple):
    """A row of a table: words, measure and conditions of the number, format, and its chance level.

    ``chance`` is a number, or the conditions of the row that holds it (with "measure" if that is another one).
    """

    words: str
    measure: str
    where: dict[str, Any] = MappingProxyType({})
    form: str = ""
    chance: float | dict[str, Any] | None = None

    def text(self, value: float | None) -> str:
        """A number in the format of this line."""
        return "–" if value is None else shown(value, self.form or MEASURES[self.measure].unit)


@cache
def lines() -> dict[str, tuple[Line, ...]]:
    """What is shown of each record that is not shown whole."""
    return {name: tuple(Line(*row) for row in rows) for name, rows in io.read_json(DATA / "lines.json").items()}


def shown(value: float, form: str = "") -> str:
    """A number in a format of `FORMS`, by a pattern, or with three significant digits, whole numbers whole.

    Examples
    --------
    >>> shown(0.359, "share"), shown(90, "min"), shown(0.98765), shown(1234567), shown(45.0)
    ('35.9 %', '1.5 min', '0.988', '1,234,567', '45')
    """
    if form in FORMS or "{" in form:
        factor, pattern = FORMS.get(form, (1, form))
        return pattern.format(factor * value)
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def markdown(head: tuple[str, ...], rows: list[list[str]], below: str) -> str:
    """A Markdown table with a line below."""
    body = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return "\n".join([body[0], "|---" * len(head) + "|", *body[1:], "", below])


def absent(name: str, command: str = "") -> str:
    """What stands where a record was not run."""
    return f"*`results/{name}.json`: {NOT_RUN}{f'; `{command}` writes it' if command else ''}.*"


def source(found: io.Record) -> str:
    """Where the numbers of a record come from."""
    seeds = f", seeds {', '.join(map(str, found.seeds))}" if found.seeds else ""
    return f"N = {found.n:,}{seeds}; recorded {found.date[:10]} on {found.device}, by `{found.command}`."


def selected(name: str, command: str = "", **conditions: Any):
    """Rows of a record (pandas.DataFrame), or, where it was not run, a line that says so and how to run it."""
    found = io.read_record(name)
    if found is not None:
        return found.select(**conditions)
    from IPython.display import Markdown

    return Markdown(absent(name, command))


def caution(name: str) -> str:
    """A warning in Markdown if a record is older than weights it depends on; "" if not, or if there is no record."""
    record = io.read_record(name)
    if record is None:
        return ""
    newer = [weights for weights in MEASURED_WITH.get(name, ()) if hub.describe(weights)["date"] > record.date]
    if not newer:
        return ""
    names = " and ".join(f"`{weights}`" for weights in newer)
    return (
        f"**Measured with earlier weights.** `results/{name}.json` is of {record.date[:10]}, {names} "
        f"{'are' if len(newer) > 1 else 'is'} younger. The numbers are those of the earlier network until this has run "
        f"again: `{record.command}`."
    )


def record_table(name: str) -> str:
    """A record as Markdown: one row per line, with intervals and chance where some have them, and its source."""
    found = io.read_record(name)
    if found is None:
        return absent(name)
    chosen = lines().get(name) or tuple(_line(row) for row in found.rows)
    have = [(line, row) for line in chosen for row in found.matching(measure=line.measure, **line.where)[:1]]
    spans, chances = any("low" in row for _, row in have), any(line.chance is not None for line, _ in have)
    head = ("measure", "value", *["95 % interval"] * spans, *["chance"] * chances)
    rows = [
        [
            line.words,
            line.text(row["value"]),
            *[interval(line, row)] * spans,
            *[line.text(_chance(line, found))] * chances,
        ]
        for line, row in have
    ]
    more = f"All numbers: `results/{name}.json`. " if len(rows) < len(found.rows) else ""
    below = more + source(found) + (f" {found.notes}" if found.notes else "")
    warning = caution(name)
    return (f"{warning}\n\n" if warning else "") + markdown(head, rows, below)


def _line(row: dict[str, Any]) -> Line:
    """A row of a record in the words of its measure and conditions."""
    where = {key: value for key, value in row.items() if key not in ("measure", "unit", *io.records.NUMBERS)}
    told = ", ".join(f"{key} {value}" for key, value in where.items())
    return Line(MEASURES[row["measure"]].words + (f" ({told})" if told else ""), row["measure"], where)


def interval(line: Line, row: dict[str, Any]) -> str:
    """Both ends in the format of the line, its unit once."""
    if "low" not in row:
        return "–"
    low, high = line.text(row["low"]), line.text(row["high"])
    return f"{low.removesuffix(' %').removesuffix('°')} to {high}"


def _chance(line: Line, found: io.Record) -> float | None:
    """The chance level of a line."""
    if not isinstance(line.chance, dict):
        return line.chance
    rows = found.matching(**{"measure": line.measure, **line.where, **line.chance})
    return rows[0]["value"] if rows else None


def encoder() -> pd.DataFrame | Any:
    """The shipped encoder beside what could be heard and what labels tell (pandas.DataFrame of "value [low, high]").

    From ``results/voice_encoder.json``; where it was not run, a line that says so.
    """
    found = io.read_record("voice_encoder")
    if found is None:
        return selected("voice_encoder", "python -m benchmarks.voice_encoder")
    table = {}
    for name in ("voice", "oracle", "demographics", "mean feature"):
        cells = {"angle (degrees)": with_interval(found.row("angle", predictor=name))}
        for k in (1, 5, 10):
            row = found.row("top_percent", predictor=name, k=k, split=None)
            cells[f"top {k} % (chance {k})"] = with_interval(row, 100)
        table[name] = cells
    return pd.DataFrame(table).T


def with_interval(row: dict[str, Any], factor: float = 1) -> str:
    """Value and interval as one text; two digits for what is below 1."""
    digits = 2 if factor == 1 and abs(row["value"]) < 1 else 1
    ends = [f"{factor * row[end]:.{digits}f}" for end in ("low", "high") if end in row]
    return f"{factor * row['value']:.{digits}f} [{', '.join(ends) or '–'}]"


def study(design: str = "loss_ablation") -> str:
    """Every variant of the record of a design, mean and standard deviation over seeds, as a Markdown table."""
    found = io.read_record(design)
    main = found.matching(experiment="main") if found else []
    if not main:
        return absent(design, f"s2f study ablation --design {design}")
    record = io.Record(main)
    targets = list(dict.fromkeys(row["target"] for row in record.matching(measure="reached")))
    head = [
        f"{column} {' / '.join(map('{:g}°'.format, targets))}" * (column == "clips to") or column for column in STUDY
    ]

    def cell(variant: str, measure: str, where: dict | str, form: str) -> str:
        if where == "at":
            return " / ".join(cell(variant, measure, {"target": target}, form) for target in targets)
        found = record.matching(variant=variant, measure=measure, **where)
        some = record.matching(variant=variant, measure="reached", **where) if measure == "clips_to_angle" else []
        if not found:
            of = record.value("runs", variant=variant)
            return f"{some[0]['value']:.0f} of {of:.0f}" if some and some[0]["value"] else "–"
        factor, row = 100 if MEASURES[measure].unit == "share" else 1, found[0]
        spread = f" ± {form.format(factor * row['sd'])}" if "sd" in row and "target" not in where else ""
        return form.format(factor * row["value"]) + spread

    names = list(dict.fromkeys(row["variant"] for row in main))
    rows = [[f"`{name}`", *(cell(name, *column) for column in STUDY.values())] for name in names]
    start = found.value("angle", experiment="start", people="test", aim="v_f")
    return markdown(("variant", *head), rows, f"Mean feature: {start:.2f}°; chance 10 % and 50 %. {source(found)}")


def findings(design: str = "loss_ablation") -> str:
    """What the record of a design answers, as a Markdown list."""
    from s2f_lib.studies.ablation import outcome

    found = io.read_record(design)
    said = outcome.findings(found) if found else []
    return "\n".join(f"- {sentence}" for sentence in said) or absent(design, f"s2f study ablation --design {design}")


def scorecard() -> str:
    """The table of README, intro and page 5, from ``results/scorecard.json``."""
    record = io.read_record("scorecard")
    if record is None:
        return absent("scorecard", "python -m tools.report")
    claims = record.tables["claims"]
    commands = list(dict.fromkeys(row["command"] for row in claims if row["command"]))
    letters = dict(zip(commands, "abcdefghijklmnopqrstuvwxyz"))
    cells = []
    for row in claims:
        command = f"({letters[row['command']]})" if row["command"] and row["ours"] != NOT_RUN else NOT_RUN
        claim = f"{row['claim']} ({row['where']})" if row["where"] != "–" else row["claim"]
        cells.append([claim, row["published"], row["ours"], row["null"], row["oracle"], verdict(row), command])
    said = counts(record)
    below = [
        f"{len(claims)} claims: {said}. Synthetic people unless a row says otherwise. *Null*: the same of an encoder "
        "or an answer that knows nothing about the face; where it passes the rule as well as we do, the verdict is "
        f"*void*. *Oracle*: an estimate of the most a voice tells. {MARK}: the rule was written or changed after its "
        "numbers were known, so it predicts nothing. Made by:",
        "",
    ]
    old = {row["command"] for row in claims if row["command"] and caution(row["record"])}
    later = "; the weights were trained again later, so these rows are of the earlier networks"
    below += [f"- ({letter}) `{command}`{later if command in old else ''}" for command, letter in letters.items()]
    return markdown((*SCORECARD, "made by"), cells, "\n".join(below))


def verdict(row: dict) -> str:
    """The verdict of a row of the scorecard, with a mark where its rule is no prediction."""
    return f"**{row['verdict']}**" + f" {MARK}" * bool(row["post_hoc"])


def counts(record: io.Record) -> str:
    """How many claims have which verdict."""
    return ", ".join(f"{row['value']:.0f} {row['verdict']}" for row in record.matching(measure="verdicts"))
