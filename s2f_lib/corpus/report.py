"""How many clips survive each step, why the others do not, and whether some groups are lost more than others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from s2f_lib.corpus import manifest

__all__ = ["ORDER", "funnel", "needed", "survival"]

ORDER = ("listed", "download_avspeech", "crop_faces", "extract_features")


def funnel(rows: Sequence[Mapping[str, str]]):
    """Table (pandas.DataFrame): clips left after each step, share of the list, and the reasons of the loss.

    The losses and the clips left add up to the list.
    """
    import pandas as pd

    left, table = len(rows), []
    table.append({"step": "listed", "left": left, "share": 1.0, "lost": 0, "reasons": ""})
    steps = list(dict.fromkeys([*ORDER[1:], *sorted({row.get("lost_at") or "" for row in rows})]))
    early = Counter(r["reason"] for r in rows if r["status"] in ("skipped", "failed") and not r.get("lost_at"))
    for step, reasons in [("read list", early)] + [
        (step, Counter(row["reason"] for row in rows if row.get("lost_at") == step)) for step in steps if step
    ]:
        lost = sum(reasons.values())
        left -= lost
        told = ", ".join(f"{n} {reason}" for reason, n in reasons.most_common())
        table.append({"step": step, "left": left, "share": left / max(1, len(rows)), "lost": lost, "reasons": told})
    waiting = sum(row["status"] == "waiting" for row in rows)
    if waiting:
        table.append({"step": "not tried yet", "left": left - waiting, "share": (left - waiting) / len(rows)})
        table[-1] |= {"lost": waiting, "reasons": ""}
    return pd.DataFrame(table).set_index("step")


def survival(rows: Sequence[Mapping[str, str]], label: str = "sex"):
    """Table (pandas.DataFrame): listed, left and share of clips by a label ("sex", "country"), where labels exist."""
    import pandas as pd

    counts: dict[str, list[int]] = {}
    for row in rows:
        value = row.get(label) or "no label"
        listed = counts.setdefault(value, [0, 0])
        listed[0] += 1
        listed[1] += row["status"] == "ok"
    table = pd.DataFrame(counts, index=["listed", "left"]).T
    return table.assign(share=table["left"] / table["listed"])


def needed(clips: int, clips_per_s: float, workers: Sequence[int] = (1, 8, 64), clip_bytes: float = 150_000.0):
    """Table (pandas.DataFrame): days and storage for many clips, from a measured rate per core, by number of cores.

    A simulation: it takes rates to add up over cores, and knows no host that slows you down.
    """
    import pandas as pd

    days = [clips / (clips_per_s * n) / 86_400 for n in workers]
    return pd.DataFrame({"days": days, "GB": clips * clip_bytes / 1e9}, index=pd.Index(workers, name="cores"))


def read(folder: str | Path) -> list[dict[str, str]]:
    """Manifest of the last step that a folder holds."""
    return manifest.read(Path(folder) / "manifest.csv")
