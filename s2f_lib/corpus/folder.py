"""A corpus, opened by folder, by address or by name."""

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from s2f_lib import io
from s2f_lib.corpus import manifest, splits, storage

SHARD = {"name": str, "split": str, "clips": int, "bytes": int, "sha256": str}  # what corpus.json says of each
DEFAULT = {"people": 60, "world": "physiology", "seed": 0, "pictures": 2, "clips": 2, "size": 96}  # "synthetic"


class Corpus:
    """A folder made by ``data_scripts``, on this disk or at an address (``s3://bucket/folder``).

    Attributes
    ----------
    info : dict
        ``corpus.json``: kind, settings, shards, and the recogniser that made the features where that is known.
    manifest : Table
        One row (dict) per clip: clip_id, speaker_id, video_id, split, status, reason, and what else is known.
    splits : dict
        "train", "validation", "test" -> speaker ids.

    Raises
    ------
    FileNotFoundError, ValueError
        If the folder holds no corpus, an unfinished one, or one whose splits share a speaker.
    """

    def __init__(self, folder: storage.PathLike):
        self.folder = storage.resolve(folder)
        path = self.folder / "corpus.json"
        if not path.exists():
            raise FileNotFoundError(
                f"no corpus in {self.folder} (corpus.json is missing); make one with s2f corpus make_synthetic, or "
                "finish s2f corpus build_shards"
            )
        self.info = _info(path)
        self.manifest = manifest.Table(self.folder / "manifest.csv")
        self.splits = splits.load(self.folder / "splits.json")
        splits.check(self.splits, (row for row in self.manifest if row["status"] == "ok"))

    def __len__(self) -> int:
        return sum(row["status"] == "ok" for row in self.manifest)

    def source(self, split: str = "train", window: int = 16):
        """Batches of a split for `s2f_lib.training`; see `ShardSource`."""
        from s2f_lib.corpus.stream import ShardSource

        chosen = self._shards(split)
        speakers = {speaker: i for i, speaker in enumerate(sorted(itertools.chain(*self.splits.values())))}
        paths = [(self.folder / "shards" / shard["name"], shard["clips"], shard["sha256"]) for shard in chosen]
        return ShardSource(paths, speakers, window, self.about(split))

    def about(self, split: str = "train") -> dict:
        """What a run remembers of a split: kind, recogniser if known, number of clips, one SHA-256 over all shards."""
        chosen = self._shards(split)
        told = {key: self.info[key] for key in ("kind", "recogniser") if key in self.info}
        content = hashlib.sha256("".join(shard["sha256"] for shard in chosen).encode()).hexdigest()
        return told | {"clips": sum(shard["clips"] for shard in chosen), "content": content}

    def clips(self, split: str = "train", endings: tuple[str, ...] | None = None) -> Iterator[dict]:
        """Clips of a split, one after the other: {"clip_id", "wav": int16, "jpg": uint8, "json": ..., ...}.

        ShardError for a damaged shard.
        """
        from s2f_lib.corpus import shards

        for shard in self._shards(split):
            path, seen = self.folder / "shards" / shard["name"], 0
            for key, sample in shards.read_samples(path, endings, shard["sha256"]):
                yield {"clip_id": key} | sample
                seen += 1
            if seen != shard["clips"]:
                raise shards.ShardError(f"{path} holds {seen} clips, corpus.json says {shard['clips']}")

    def summary(self):
        """Table (pandas.DataFrame): speakers, clips, hours and megabytes of each split."""
        import pandas as pd

        good = (row for row in self.manifest if row["status"] == "ok")
        told = ((row["split"], row["speaker_id"], float(row.get("seconds") or 6.0)) for row in good)
        splits_of = pd.DataFrame(told, columns=["split", "speaker", "seconds"]).groupby("split")
        table = splits_of.agg(speakers=("speaker", "nunique"), clips=("speaker", "size"), hours=("seconds", "sum"))
        table = table.reindex(splits.SPLITS, fill_value=0)
        sizes = [sum(shard["bytes"] for shard in self._shards(name)) for name in splits.SPLITS]
        return table.assign(hours=(table["hours"] / 3600).round(2), MB=np.round(np.divide(sizes, 1e6), 1))

    def _shards(self, split: str) -> list[dict]:
        if split not in splits.SPLITS:
            raise ValueError(f"no split {split!r}; there are {', '.join(splits.SPLITS)}")
        return [shard for shard in self.info["shards"] if shard["split"] == split]


def _info(path: storage.Location) -> dict:
    """``corpus.json``, if it lists shards as it should."""
    info = io.read_json(path)
    try:
        told = all(isinstance(shard[key], kind) for shard in info["shards"] for key, kind in SHARD.items())
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if not told:
        raise ValueError(f"{path} is damaged: a shard lacks its name, split, clips, bytes or sha256")
    return info


def open(name: str | Path) -> Corpus:
    """Open a corpus by its folder or address.

    "synthetic" is a small one (60 people), made in the cache folder on first use (about a minute).
    """
    if str(name) != "synthetic":
        return Corpus(name)
    from s2f_lib.corpus import synthetic

    folder = io.cache_dir() / "corpora" / "synthetic-{people}-{world}-{seed}".format(**DEFAULT)
    if not (folder / "corpus.json").exists():
        synthetic.make(folder, synthetic.SyntheticConfig(**DEFAULT), progress=False)
    return Corpus(folder)
