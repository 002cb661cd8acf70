"""The list of a corpus: one row per clip, with what became of it and why."""

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from s2f_lib.corpus import storage

Row = dict[str, object]

COLUMNS = ("clip_id", "speaker_id", "video_id", "split", "status", "reason")  # always there, in this order
STATUSES = ("ok", "skipped", "failed", "waiting")  # made / left out, for good / error / not had yet
FORMULA = re.compile(r"'*(?:[=+@\t\r]|-.*[^\w.-])", re.DOTALL)  # an id or a number may begin with "-"
NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")


def safe_name(text: str, what: str = "name") -> str:
    """Give a name back if it may become part of a file name; letters, digits, "_" and "-" only.

    Ids come from lists and archives that others made. One with "/", "..", a NUL byte or foreign letters never reaches
    the disk.

    Raises ValueError, whose message has the name, shortened.

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


def new(clip_id: str, speaker_id: str = "", video_id: str = "", **more: object) -> Row:
    """A row in the usual order: "ok", in no split, unless `more` says something else."""
    usual = {"clip_id": clip_id, "speaker_id": speaker_id, "video_id": video_id}
    return usual | {"split": "", "status": "ok", "reason": ""} | more


def write(path: storage.PathLike, rows: Iterable[Mapping[str, object]]) -> storage.Location:
    """Write rows as CSV, whole or not at all; further columns follow the usual ones in order of appearance.

    A list or a `Table` is gone through twice and never held in memory. Text that a spreadsheet would take for a formula
    ("=", "+" or "@" at its beginning, or "-" where it is neither an id nor a number) is written with a quote before it,
    which `read` takes off again.

    Raises ValueError if two rows have one `clip_id`, or a status is unknown.
    """
    rows = list(rows) if iter(rows) is rows else rows
    columns, seen = dict.fromkeys(COLUMNS), set()
    for row in rows:
        if row["clip_id"] in seen:
            raise ValueError(f"clip {row['clip_id']!r} is in the list twice; every clip has one row")
        if row["status"] not in STATUSES:
            raise ValueError(f"unknown status {row['status']!r}; there are {', '.join(STATUSES)}")
        seen.add(row["clip_id"])
        columns.update(dict.fromkeys(row))
    with storage.atomic_write(path, "w", newline="") as file:
        table = csv.DictWriter(file, list(columns), restval="", lineterminator="\n")
        table.writeheader()
        for row in rows:
            risky = {name for name, value in row.items() if isinstance(value, str) and FORMULA.match(value)}
            table.writerow({name: f"'{value}" if name in risky else value for name, value in row.items()})
    return storage.resolve(path)


class Table:
    """The rows of a manifest, read from the file as often as they are asked for; every value is text.

    Raises FileNotFoundError or ValueError if there is none, if a column lacks, if a row is not whole or there twice, or
    an id is no safe name.
    """

    def __init__(self, path: storage.PathLike):
        self.path = storage.resolve(path)
        if not self.path.exists():
            raise FileNotFoundError(f"no manifest at {self.path}; is this a folder that a data_scripts command made?")

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[dict[str, str]]:
        with self.path.open("r", encoding="utf-8-sig", newline="") as file:
            table, seen = csv.DictReader(file), set()  # of hashes: a list may have millions of rows
            try:
                missing = [column for column in COLUMNS if column not in (table.fieldnames or ())]
                if missing:
                    raise ValueError(f"{self.path} is no manifest: it lacks the columns {', '.join(missing)}")
                for number, row in enumerate(table, start=2):
                    if None in row or None in row.values():
                        raise ValueError(f"{self.path}, line {number}: {len(table.fieldnames)} values are wanted")
                    if row["status"] not in STATUSES:
                        raise ValueError(f"{self.path}, line {number}: unknown status {row['status'][:40]!r}")
                    clip = safe_name(row["clip_id"], f"{self.path}, line {number}: clip_id")
                    if hash(clip) in seen:
                        raise ValueError(f"{self.path}: clip {clip!r} is in the list twice; every clip has one row")
                    seen.add(hash(clip))
                    yield {
                        key: value.removeprefix("'") if FORMULA.match(value) else value for key, value in row.items()
                    }
            except (csv.Error, UnicodeDecodeError) as error:
                raise ValueError(f"{self.path} is no manifest, or a damaged one: {error}") from error


def read(path: storage.PathLike) -> list[dict[str, str]]:
    """All rows of a manifest at once; see `Table`. ValueError if a clip is there twice."""
    return list(Table(path))


def unique(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows, each with a `clip_id` of its own: one whose id was there before is "skipped" under another."""
    seen: set[str] = set()
    for row in rows:
        if row["clip_id"] in seen:
            digest = hashlib.sha256(f"{row['clip_id']}:{len(seen)}".encode()).hexdigest()[:12]
            again = {"status": "skipped", "reason": "twice in the list"} if row["status"] == "ok" else {}
            row = {**row, "clip_id": f"{row['clip_id'][:80]}_{digest}", **again}
        seen.add(row["clip_id"])
        yield row


def summary_line(verb: str, rows: Iterable[Mapping[str, str]]) -> str:
    """The last line of a command, whose numbers add up.

    >>> rows = [{"status": "ok", "reason": ""}, {"status": "skipped", "reason": "no face"}] * 2
    >>> summary_line("cropped", rows)
    'cropped 2 of 4 clips; skipped 2: 2 no face'
    """
    counts = Counter((row["status"], row["reason"]) for row in rows)
    total = sum(counts.values())
    line = f"{verb} {sum(n for (status, _), n in counts.items() if status == 'ok')} of {total} clips"
    for status in STATUSES[1:]:
        reasons = Counter({reason: n for (key, reason), n in counts.items() if key == status})
        if reasons:
            listed = ", ".join(f"{n} {reason}".strip() for reason, n in reasons.most_common())
            line += f"; {status} {sum(reasons.values())}: {listed}"
    return line
