"""Numbers that may leave the reader's disk: rows of a record, and the counts they follow from. Aggregates only.

Every row says of which pictures it is: ``reference`` (the true face, or F2F) and ``picture``, by the names of
`s2f_lib.published.layout` ("true", "f2f", "s2f_0", "s2f_07", "s2f_14").
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from s2f_lib import io


@dataclass
class Findings:
    """Rows, and tables of counts: label pairs (``confusion``) and histograms of ranks (``ranks``)."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    tables: dict[str, Any] = field(default_factory=dict)

    def add(self, measure: str, value: Any, **conditions: Any) -> None:
        """Store a number, with its interval if it has one."""
        self.rows.append(io.row(measure, value, **conditions))

    def count(self, table: str, counts: Any, **conditions: Any) -> None:
        """Store a matrix or a histogram."""
        self.tables.setdefault(table, []).append(conditions | {"counts": np.asarray(counts).tolist()})


RECORDS = {
    "avspeech": ("published_avspeech", "published_ridge"),
    "voxceleb": ("published_voxceleb", "published_vox_ridge"),
}


def recorded(part: str = "avspeech") -> tuple[io.Record, io.Record]:
    """What was recorded of a part: the record of the pictures, and that of the heads, or FileNotFoundError."""
    found = [io.read_record(name) for name in RECORDS[part]]
    if any(one is None for one in found):
        raise FileNotFoundError(
            f"the {part} part was not measured yet (no {' and '.join(RECORDS[part])} in {io.results_dir()}); with the "
            f"published examples fetched, run: s2f published measure --part {part}"
        )
    return found[0], found[1]


def counts(record: io.Record, table: str, **conditions: Any) -> np.ndarray:
    """The matrix or histogram of a table under these conditions; KeyError where there is not exactly one."""
    found = [one for one in record.tables[table] if conditions.items() <= one.items()]
    if len(found) != 1:
        raise KeyError(f"record {record.name!r} has {len(found)} entries of {table!r} for {conditions}, wanted one")
    return np.array(found[0]["counts"])
