"""Say how many clips each step kept, why the others were lost, and whether some groups are lost more than others.

    s2f corpus corpus_report data/avspeech/3_features data/avspeech/report

Reads the manifest of any step; the counts add up to the list it began with. Writes report.md and report.json.
"""

from __future__ import annotations

import json
import sys
from itertools import islice

from data_scripts import _common
from s2f_lib import io
from s2f_lib.corpus import manifest, report

LABELS = ("sex", "country", "language", "group")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; gives the exit status."""
    options = _common.parser("corpus_report", __doc__).parse_args(arguments)
    rows = manifest.Table(options.source / "manifest.csv")
    funnel = report.funnel(islice(rows, options.limit))
    text = "# What became of the clips\n\n" + _table(funnel)
    by_label = _survival(islice(rows, options.limit))
    for label, table in by_label.items():
        text += f"\n## By {label}, as labelled by the publishers\n\n" + _table(table)
    print(text)
    if options.dry_run:
        return 0
    with io.atomic_write(options.out / "report.md", "w") as file:
        file.write(text)
    with io.atomic_write(options.out / "report.json", "w") as file:
        tables = {"funnel": funnel, **by_label}
        json.dump({name: json.loads(table.to_json(orient="index")) for name, table in tables.items()}, file, indent=1)
    return 0


def _survival(rows) -> dict:
    """Tables (pandas.DataFrame) of the labels that there are: listed, left and share of clips by each value."""
    import pandas as pd

    counts: dict[str, dict[str, list[int]]] = {label: {} for label in LABELS}
    for row in rows:
        for label in LABELS:
            listed = counts[label].setdefault(row.get(label) or "no label", [0, 0])
            listed[0] += 1
            listed[1] += row["status"] == "ok"
    tables = {label: pd.DataFrame(found, index=["listed", "left"]).T for label, found in counts.items()}
    return {k: t.assign(share=t["left"] / t["listed"]) for k, t in tables.items() if set(t.index) - {"no label"}}


def _table(table) -> str:
    """A Markdown table."""
    lines = [
        "| " + " | ".join([table.index.name or "", *table.columns]) + " |",
        "|" + "---|" * (len(table.columns) + 1),
    ]
    for name, row in table.iterrows():
        values = [f"{v:.3f}" if isinstance(v, float) and v != int(v) else str(v) for v in row]
        lines.append("| " + " | ".join([str(name), *values]) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(_common.guarded(main, "s2f corpus corpus_report"))
