"""Did it reproduce? One row per claim of the paper, drawn from the records, with a verdict by a stated rule.

``s2f report`` judges every claim, writes ``results/scorecard.json`` and refreshes the tables of README and book.
"""

import time
from collections import Counter

from s2f_lib import io
from s2f_lib.report.claims import CHANGES, CLAIMS, Claim
from s2f_lib.report.rules import VERDICTS, Judged, NotRun, Records
from s2f_lib.report.staleness import caution
from s2f_lib.report.tables import NOT_RUN, absent
from s2f_lib.report.tables import markdown as table

COMMAND = "s2f report"
HEAD = ("claim of the paper", "published", "ours", "null", "oracle", "verdict")
HEADLINES = {  # the rows of the introduction, in plain words
    "retrieval": "the true face is among the first 10 % of the gallery",
    "sex": "the drawn face has the sex of the speaker",
    "identity": "faces are averages, and show no individual",
    "individual": "face measures follow the voice beyond sex and age",
    "language": "the language spoken can change the face",
    "loss": "the full loss beats plain L1 on features",
}
MARK = "†"  # beside the verdict of a rule that was written or changed after its numbers


def judge(claim: Claim, records: Records) -> dict:
    """One row: what the claim says, our numbers, those of the null and the oracle, the verdict and its rule."""
    try:
        found = claim.judge(records)
        verdict = found.verdict
    except NotRun:
        found, verdict = Judged(NOT_RUN, "not tested"), "not tested"
    return {
        "key": claim.key,
        "claim": claim.claim,
        "where": claim.where,
        "published": claim.published,
        "ours": found.ours,
        "null": found.null,
        "oracle": found.oracle,
        "verdict": verdict,
        "rule": claim.rule,
        "post_hoc": claim.post_hoc,
        "record": claim.record,
        "command": records.command(claim.record),
        "n": records.n(claim.record),
    }


def rows() -> list[dict]:
    """Every claim judged from the records as they are now."""
    records = Records(io.read_record)
    return [judge(claim, records) for claim in CLAIMS]


def is_stale() -> bool:
    """Whether the stored scorecard differs from what the records say now."""
    record = io.read_record("scorecard")
    return record is None or record.tables["claims"] != rows()


def write() -> io.Record:
    """Judge every claim and write ``results/scorecard.json``; returns the record."""
    started = time.time()
    judged = rows()
    counts = Counter(row["verdict"] for row in judged)
    io.write_record(
        "scorecard",
        command=COMMAND,
        n=len(judged),
        rows=[{"measure": "verdicts", "verdict": verdict, "value": counts[verdict]} for verdict in VERDICTS],
        seconds=time.time() - started,
        notes="Verdicts follow from the rules in s2f_lib/report/rules.py and the records named in each row.",
        tables={"claims": judged},
        allow_dirty=True,  # it follows from the records alone, and a test compares it with them
    )
    return io.read_record("scorecard")


def markdown() -> str:
    """The table of README, intro and page 5, from ``results/scorecard.json``; one line where it was not written yet."""
    record = io.read_record("scorecard")
    if record is None:
        return absent("scorecard", COMMAND)
    claims = record.tables["claims"]
    commands = list(dict.fromkeys(row["command"] for row in claims if row["command"]))
    letters = dict(zip(commands, "abcdefghijklmnopqrstuvwxyz"))
    cells = []
    for row in claims:
        command = f"({letters[row['command']]})" if row["command"] and row["ours"] != NOT_RUN else NOT_RUN
        claim = f"{row['claim']} ({row['where']})" if row["where"] != "–" else row["claim"]
        cells.append([claim, row["published"], row["ours"], row["null"], row["oracle"], _verdict(row), command])
    counts = _counts(record)
    below = [
        f"{len(claims)} claims: {counts}. Synthetic people unless a row says otherwise. *Null*: the same of an encoder "
        "or an answer that knows nothing about the face; where it passes the rule as well as we do, the verdict is "
        f"*void*. *Oracle*: an estimate of the most a voice tells. {MARK}: the rule was written or changed after its "
        "numbers were known, so it predicts nothing. Made by:",
        "",
    ]
    old = {row["command"] for row in claims if row["command"] and caution(row["record"])}
    later = "; the weights were trained again later, so these rows are of the earlier networks"
    below += [f"- ({letter}) `{command}`{later if command in old else ''}" for command, letter in letters.items()]
    return table((*HEAD, "made by"), cells, "\n".join(below))


def _verdict(row: dict) -> str:
    return f"**{row['verdict']}**" + f" {MARK}" * bool(row["post_hoc"])


def _counts(record: io.Record) -> str:
    return ", ".join(f"{record.value('verdicts', verdict=v):.0f} {v}" for v in VERDICTS)


def headlines() -> str:
    """The rows that matter most, without who made them, for the introduction and the README."""
    record = io.read_record("scorecard")
    if record is None:
        return markdown()
    claims = {row["key"]: row for row in record.tables["claims"]}
    cells = []
    for key, words in HEADLINES.items():
        row = claims[key]
        cells.append([words, row["published"], row["ours"], row["null"], row["oracle"], _verdict(row)])
    counts = _counts(record)
    note = (
        f"{len(HEADLINES)} of {len(claims)} claims ({counts}). *Null*: an encoder or an answer that knows nothing of "
        "the face; where it passes the rule as well as we do, the verdict is *void*. *Oracle*: an estimate of the most "
        f"that a voice gives away. {MARK}: the rule was written or changed after its numbers were known."
    )
    return table(HEAD, cells, note)


def changes() -> str:
    """What changed in the verdicts and why, as a Markdown table."""
    words = {claim.key: claim.claim for claim in CLAIMS}
    rows = [[words[key], *change] for key, *change in CHANGES]
    return table(("claim", "changed on", "from", "to", "why"), rows, "").strip()
