"""What is measured: the name, unit and words of every number in a record, and whether more of it is better.

One name means one thing in every record. A share is stored as a share in [0, 1] and shown in per cent; angles are in
degrees, times in seconds. Where several faces are equally near, every retrieval number is the expectation over a random
order of them. All are in ``data/measures.csv``; a measure with a ``k`` has it as per cent of the gallery, as a rank, or
as the number of faces in a lineup.
"""

from pathlib import Path
from typing import NamedTuple

from s2f_lib.io.files import read_table


class Measure(NamedTuple):
    """Unit ("" for a plain number), words for a table, and "more" or "less" for what is better ("" for neither)."""

    unit: str
    words: str
    better: str = ""


TABLE = Path(__file__).parent / "data" / "measures.csv"
MEASURES: dict[str, Measure] = {
    row["measure"]: Measure(row["unit"], row["words"], row["better"]) for row in read_table(TABLE)
}
