"""How many clips survive each step, why the others do not, and whether some groups are lost more than others."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

ORDER = ("listed", "download_avspeech", "crop_faces", "extract_features")


def funnel(rows: Iterable[Mapping[str, str]]):
    """Table (pandas.DataFrame): clips left after each step, share of the list, and the reasons of the loss.

    The losses, the clips that are still to be had, and the clips left add up to the list.
    """
    import pandas as pd

    listed, waiting, lost = 0, Counter(), defaultdict(Counter)
    for row in rows:
        listed += 1
        if row["status"] == "waiting":
            waiting[row["reason"]] += 1
        elif row["status"] != "ok":
            lost[row.get("lost_at") or "read list"][row["reason"]] += 1
    steps = ["read list", *dict.fromkeys([*ORDER[1:], *sorted(lost.keys() - {"read list"})])]
    left, table = listed, [{"step": "listed", "left": listed, "share": 1.0, "lost": 0, "reasons": ""}]
    for step, reasons in [*((step, lost[step]) for step in steps), *([("not had yet", waiting)] if waiting else [])]:
        left -= reasons.total()
        told = ", ".join(f"{n} {reason}" for reason, n in reasons.most_common())
        share = left / max(1, listed)
        table.append({"step": step, "left": left, "share": share, "lost": reasons.total(), "reasons": told})
    return pd.DataFrame(table).set_index("step")


def needed(clips: int, clips_per_s: float, workers: Sequence[int] = (1, 8, 64), clip_bytes: float = 150_000.0):
    """Table (pandas.DataFrame): days and storage for many clips, from a measured rate per core, by number of cores.

    A simulation: it takes rates to add up over cores, and knows no host that slows you down.
    """
    import pandas as pd

    days = [clips / (clips_per_s * n) / 86_400 for n in workers]
    return pd.DataFrame({"days": days, "GB": clips * clip_bytes / 1e9}, index=pd.Index(workers, name="cores"))
