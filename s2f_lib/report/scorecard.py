"""Did it reproduce? One row per claim of the paper, drawn from the records, with a verdict by a stated rule.

``python -m s2f_lib.evaluate.scorecard --write`` judges every claim, writes ``results/scorecard.json`` and refreshes
the tables of README and book; without ``--write`` it prints the table.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from s2f_lib import io
from s2f_lib.evaluate.claims import CLAIMS, VERDICTS, Claim, NotRun, Records
from s2f_lib.evaluate.freshness import caution

COMMAND = "python -m s2f_lib.evaluate.scorecard --write"
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


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or write the record and refresh the documents that show it."""
    parser = argparse.ArgumentParser(prog="python -m s2f_lib.evaluate.scorecard", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write results/scorecard.json and refresh the documents")
    if parser.parse_args(arguments).write:
        write()
        from s2f_lib import blocks  # the book's room is above this one: only the command reaches up to it

        blocks.main()
    else:
        for row in rows():
            print(f"{row['verdict']:10s} {row['claim']}\n{'':10s} published: {row['published']}; ours: {row['ours']}")
        return 0
    print(markdown())
    return 0


if __name__ == "__main__":
    sys.exit(main())
