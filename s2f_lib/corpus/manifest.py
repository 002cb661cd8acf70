"""The list of a corpus: one row per clip, with what became of it and why."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping

from s2f_lib.corpus import storage

__all__ = ["COLUMNS", "STATUSES", "count", "read", "safe_name", "summary_line", "write"]

COLUMNS = ("clip_id", "speaker_id", "video_id", "split", "status", "reason")  # always there, in this order
STATUSES = ("ok", "skipped", "failed", "waiting")  # made / left out for a reason / error / not tried yet
NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")


def safe_name(text: str, what: str = "name") -> str:
    """Give a name back if it may become part of a file name; letters, digits, "_" and "-" only.

    Ids come from lists and archives that others made. One with "/", "..", a NUL byte or foreign letters never reaches
    the disk.

    Raises
    ------
    ValueError
        With the name, shortened.

    Examples
    --------
    >>> safe_name("-Example_0A")
    '-Example_0A'
    >>> safe_name("../../etc/passwd", "video_id")
    Traceback (most recent call last):
    ...
    ValueError: video_id '../../etc/passwd' may not be a file name: letters, digits, '_' and '-' only, at most 100
    """
    if not isinstance(text, str) or not NAME.fullmatch(text):
        shown = text if len(str(text)) < 60 else str(text)[:57] + "..."
        raise ValueError(f"{what} {shown!r} may not be a file name: letters, digits, '_' and '-' only, at most 100")
    return text


def write(path: storage.Name, rows: Iterable[Mapping[str, object]]) -> storage.Place:
    """Write rows as CSV, whole or not at all; further columns follow the usual ones in order of appearance.

    Raises
    ------
    ValueError
        If two rows have one `clip_id`, or a status is unknown.
    """
    rows = list(rows)
    name, times = next(iter(Counter(row["clip_id"] for row in rows).most_common(1)), ("", 0))
    if times > 1:
        raise ValueError(f"clip {name!r} is in the list {times} times; every clip has one row")
    unknown = {row["status"] for row in rows} - set(STATUSES)
    if unknown:
        raise ValueError(f"unknown status {unknown}; there are {', '.join(STATUSES)}")
    columns = list(dict.fromkeys([*COLUMNS, *(key for row in rows for key in row)]))
    with storage.atomic_write(path, "w", newline="") as file:
        table = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    return storage.at(path)


def read(path: storage.Name) -> list[dict[str, str]]:
    """Read a manifest; every value is text, ids are checked to be safe names.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is none, if a column lacks, or if a row is not whole.
    """
    path = storage.at(path)
    if not path.exists():
        raise FileNotFoundError(f"no manifest at {path}; is this a folder that a data_scripts command made?")
    with path.open("r", encoding="utf-8", newline="") as file:
        table = csv.DictReader(file)
        missing = [column for column in COLUMNS if column not in (table.fieldnames or ())]
        if missing:
            raise ValueError(f"{path} is no manifest: it lacks the columns {', '.join(missing)}")
        rows = list(table)
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise ValueError(f"{path}, line {number}: {len(table.fieldnames)} values are wanted")
        safe_name(row["clip_id"], f"{path}, line {number}: clip_id")
    return rows


def count(rows: Iterable[Mapping[str, str]]) -> Counter:
    """Clips by (status, reason)."""
    return Counter((row["status"], row["reason"]) for row in rows)


def summary_line(verb: str, rows: Iterable[Mapping[str, str]]) -> str:
    """The last line of a command, whose numbers add up.

    >>> rows = [{"status": "ok", "reason": ""}, {"status": "skipped", "reason": "no face"}] * 2
    >>> summary_line("cropped", rows)
    'cropped 2 of 4 clips; skipped 2: 2 no face'
    """
    counts = count(rows)
    total = sum(counts.values())
    line = f"{verb} {sum(n for (status, _), n in counts.items() if status == 'ok')} of {total} clips"
    for status in STATUSES[1:]:
        reasons = Counter({reason: n for (key, reason), n in counts.items() if key == status})
        if reasons:
            listed = ", ".join(f"{n} {reason}".strip() for reason, n in reasons.most_common())
            line += f"; {status} {sum(reasons.values())}: {listed}"
    return line
