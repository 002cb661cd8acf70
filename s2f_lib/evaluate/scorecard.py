"""Did it reproduce? One row per claim of the paper, drawn from the records, with a verdict by a stated rule.

``s2f report --scorecard`` judges every claim, writes ``results/scorecard.json`` and fills the documents' tables.
"""

from __future__ import annotations

import time
from collections import Counter

from s2f_lib import io
from s2f_lib.evaluate.claims import CLAIMS, VERDICTS, Claim, NotRun, Records
from s2f_lib.evaluate.freshness import caution

COMMAND = "s2f report --scorecard"
NOT_RUN = "not run yet"


def judge(claim: Claim, records: Records) -> dict:
    """One row as a dict: key, claim, where, published, ours, verdict, rule, record, command, n."""
    try:
        ours, verdict = claim.judge(records)
    except NotRun:
        ours, verdict = NOT_RUN, "not tested"
    return {
        "key": claim.key,
        "claim": claim.claim,
        "where": claim.where,
        "published": claim.published,
        "ours": ours,
        "verdict": verdict,
        "rule": claim.rule,
        "record": claim.record,
        "command": records.command(claim.record),
        "n": records.n(claim.record),
    }


def rows() -> list[dict]:
    """Every claim judged from the records as they are now."""
    records = Records(io.read_record)
    return [judge(claim, records) for claim in CLAIMS]


def write() -> dict:
    """Judge every claim and write ``results/scorecard.json``; returns the record."""
    started = time.time()
    judged = rows()
    counts = Counter(row["verdict"] for row in judged)
    io.write_record(
        "scorecard",
        command=COMMAND,
        n=len(judged),
        metrics={"claims": len(judged)} | {verdict.replace(" ", "_"): counts[verdict] for verdict in VERDICTS},
        seconds=time.time() - started,
        notes="Verdicts follow from the rules in s2f_lib/evaluate/claims.py and the records named in each row.",
        extra={"rows": judged},
    )
    return io.read_record("scorecard")


def markdown() -> str:
    """The table of README, intro and page 5, from ``results/scorecard.json``; one line where it was not written yet."""
    record = io.read_record("scorecard")
    if record is None:
        return f"*`results/scorecard.json`: {NOT_RUN}; `{COMMAND}` writes it.*"
    commands = list(dict.fromkeys(row["command"] for row in record["rows"] if row["command"]))
    letters = dict(zip(commands, "abcdefghijklmnopqrstuvwxyz"))
    lines = ["| claim of the paper | published | ours | verdict | made by |", "|---|---|---|---|---|"]
    for row in record["rows"]:
        command = f"({letters[row['command']]})" if row["command"] else NOT_RUN
        claim = f"{row['claim']} ({row['where']})" if row["where"] != "–" else row["claim"]
        lines.append(f"| {claim} | {row['published']} | {row['ours']} | **{row['verdict']}** | {command} |")
    counts = ", ".join(f"{int(record['metrics'][v.replace(' ', '_')])} {v}" for v in VERDICTS)
    lines += ["", f"{len(record['rows'])} claims: {counts}. Synthetic people unless a row says otherwise. Made by:", ""]
    old = {row["command"] for row in record["rows"] if row["command"] and caution(row["record"])}
    later = "; the weights were trained again later, so these rows are of the earlier networks"
    lines += [f"- ({letter}) `{command}`{later if command in old else ''}" for command, letter in letters.items()]
    return "\n".join(lines)
