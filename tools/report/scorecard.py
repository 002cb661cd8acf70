"""Did it reproduce? One row per claim of the paper, drawn from the records, with a verdict by a stated rule.

``python -m tools.report`` judges every claim and writes ``results/scorecard.json``; the table of it is drawn by
`s2f_lib.book.tables.scorecard`.
"""

import time
from collections import Counter

from s2f_lib import io
from s2f_lib.book.tables import MARK, NOT_RUN, SCORECARD, absent, counts, markdown, verdict
from tools.report.claims import CHANGES, CLAIMS, Claim
from tools.report.rules import VERDICTS, Judged, NotRun, Records

COMMAND = "python -m tools.report"
HEADLINES = {  # the rows of the introduction, in plain words
    "retrieval": "the true face is among the first 10 % of the gallery",
    "sex": "the drawn face has the sex of the speaker",
    "identity": "faces are averages, and show no individual",
    "individual": "face measures follow the voice beyond sex and age",
    "language": "the language spoken can change the face",
    "loss": "the full loss beats plain L1 on features",
}


def judge(claim: Claim, records: Records) -> dict:
    """One row: what the claim says, our numbers, those of the null and the oracle, the verdict and its rule."""
    try:
        found = claim.judge(records)
        grade = found.verdict
    except NotRun:
        found, grade = Judged(NOT_RUN, "not tested"), "not tested"
    return {
        "key": claim.key,
        "claim": claim.claim,
        "where": claim.where,
        "published": claim.published,
        "ours": found.ours,
        "null": found.null,
        "oracle": found.oracle,
        "verdict": grade,
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
        notes="Verdicts follow from the rules in tools/report/rules.py and the records named in each row.",
        tables={"claims": judged},
        allow_dirty=True,  # it follows from the records alone, and a test compares it with them
    )
    return io.read_record("scorecard")


def headlines() -> str:
    """The rows that matter most, without who made them, for the introduction and the README."""
    record = io.read_record("scorecard")
    if record is None:
        return absent("scorecard", COMMAND)
    claims = {row["key"]: row for row in record.tables["claims"]}
    cells = []
    for key, words in HEADLINES.items():
        row = claims[key]
        cells.append([words, row["published"], row["ours"], row["null"], row["oracle"], verdict(row)])
    note = (
        f"{len(HEADLINES)} of {len(claims)} claims ({counts(record)}). *Null*: an encoder or an answer that knows "
        "nothing of the face; where it passes the rule as well as we do, the verdict is *void*. *Oracle*: an estimate "
        f"of the most that a voice gives away. {MARK}: the rule was written or changed after its numbers were known."
    )
    return markdown(SCORECARD, cells, note)


def changes() -> str:
    """What changed in the verdicts and why, as a Markdown table."""
    words = {claim.key: claim.claim for claim in CLAIMS}
    rows = [[words[key], *change] for key, *change in CHANGES]
    return markdown(("claim", "changed on", "from", "to", "why"), rows, "").strip()
