"""Shards out of pairs and features: the folder that training reads."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from s2f_lib import io
from s2f_lib.corpus import manifest, splits, storage, workers
from s2f_lib.corpus.manifest import Row
from s2f_lib.corpus.shards import decode, write_shard
from s2f_lib.corpus.steps import inside

CLIPS_PER_SHARD = 1000  # about 150 MB
FILES = {
    "flac": "pairs/{}.flac",
    "jpg": "pairs/{}.jpg",
    "v_f.npy": "features/{}.v_f.npy",
    "logits.npy": "features/{}.logits.npy",
}
KEPT = ("clip_id", "speaker_id", "video_id", "sex", "country", "seconds", "frame_at")  # of a row, in the shard's JSON


def build(
    pairs: str | Path,
    features: str | Path | None,
    speakers_of: dict[str, list[str]],
    out: storage.PathLike,
    *,
    clips_per_shard: int = CLIPS_PER_SHARD,
    sound: str = "flac",
    jobs: int = 1,
    scheduler: str | None = None,
    overwrite: bool = False,
    progress: bool = True,
    about: dict | None = None,
) -> manifest.Table:
    """Write shards, manifest, splits and corpus.json; shards that are complete are kept.

    Parameters
    ----------
    pairs, features : str or Path
        Folders of `crop_faces` and `extract_features` (None: a corpus without features). The recogniser that the
        latter notes goes into corpus.json, with `about`.
    speakers_of : dict
        Splits, see `s2f_lib.corpus.splits`.
    out : str, Path or Address
        Folder, or any address that fsspec reaches (``s3://bucket/folder``; all workers must reach it too). A folder is
        locked while we work. An address is not: two runs at once write the same shards twice, to the same bytes.
    sound : {"flac", "wav"}
        WAV is twice as large, and training reads it with the standard library alone.

    Raises
    ------
    ValueError
        If a speaker or a video would be in two splits, or `out` holds shards of other clips or with other features.
    """
    if sound not in ("flac", "wav"):
        raise ValueError(f"sound must be 'flac' or 'wav', got {sound!r}")
    out, table = storage.resolve(out), manifest.Table(Path(features or pairs) / "manifest.csv")
    splits.check(speakers_of, (row for row in table if row["status"] == "ok"))
    rows = _Shared(table, {speaker: name for name, members in speakers_of.items() for speaker in members})
    shards = list(_plan(rows, clips_per_shard))
    made_by = _recogniser(features)
    plan = [sound, *([name, [row["clip_id"] for row in clips]] for name, clips in shards)]
    made_from = {"plan": hashlib.sha256(json.dumps(plan).encode()).hexdigest()} | made_by
    with storage.claimed(out, "plan.json", made_from, ("splits.json", "shards/*.tar"), overwrite):
        roots = [str(Path(folder).resolve()) for folder in (pairs, features) if folder]
        missing = [(name, clips) for name, clips in shards if not (out / "shards" / name).exists()]
        tasks = [(str(out), roots, name, clips, sound) for name, clips in missing]
        for _ in workers.run(_write, tasks, jobs=jobs, scheduler=scheduler, progress=progress, unit="shard"):
            pass
        sizes = [(name, len(clips)) for name, clips in shards]
        if not finish(out, rows, speakers_of, sizes, {"kind": "downloaded"} | (about or {}) | made_by):
            raise RuntimeError(f"not all shards are seen at {out}; all machines must see the same place")
    return manifest.Table(out / "manifest.csv")


@dataclass
class _Shared:
    """The rows of a manifest, each in its split, as often as they are gone through."""

    table: manifest.Table
    split_of: dict[str, str]

    def __iter__(self) -> Iterator[Row]:
        for row in self.table:
            yield {**row, "split": self.split_of.get(row["speaker_id"], "")}


def _plan(rows: Iterable[Row], size: int) -> Iterator[tuple[str, list[Row]]]:
    """Shards of each split; clips in the order of a hash, so that a shard is already mixed."""
    clips_of: dict[str, list[Row]] = {split: [] for split in splits.SPLITS}
    for row in rows:
        if row["status"] == "ok" and row["split"] in clips_of:
            clips_of[row["split"]].append({key: row[key] for key in KEPT if row.get(key)})
    for split, clips in clips_of.items():
        clips.sort(key=lambda row: hashlib.sha256(str(row["clip_id"]).encode()).digest())
        for number, first in enumerate(range(0, len(clips), size)):
            yield f"{split}-{number:06d}.tar", clips[first : first + size]


def _recogniser(features: str | Path | None) -> dict:
    """{"recogniser": {"name", "checksum"}} as `extract_features` notes it; {} where nothing is noted."""
    note = None if features is None else Path(features) / "step.json"
    settings = io.read_json(note).get("settings", {}) if note and note.exists() else {}
    known = "recogniser" in settings
    return {"recogniser": {"name": settings["recogniser"], "checksum": settings["checksum"]}} if known else {}


def _write(task: tuple) -> str:
    """One shard."""
    out, roots, name, clips, sound = task
    samples = ((str(row["clip_id"]), _sample(roots, row, sound)) for row in clips)
    write_shard(storage.resolve(out) / "shards" / name, samples)
    return name


def _sample(roots: list[str], row: Row, sound: str) -> dict[str, object]:
    """Everything that is known of a clip."""
    sample: dict[str, object] = {}
    for ending, pattern in FILES.items():
        root = roots[0] if pattern.startswith("pairs") else roots[-1]
        path = inside(root, pattern.format(manifest.safe_name(str(row["clip_id"]))))
        if path.exists():
            sample[ending] = path.read_bytes()
    if "flac" not in sample or "jpg" not in sample:
        raise ValueError(f"the pair of {row['clip_id']} is missing below {roots[0]}; run crop_faces again")
    if sound == "wav":
        sample = {"wav": decode("flac", sample.pop("flac")), **sample}
    return sample | {"json": dict(row)}


def finish(
    folder: storage.Location, rows: Iterable[Row], speakers_of: dict, shards: Iterable[tuple[str, int]], about: dict
) -> bool:
    """Write splits and manifest and, when every shard (name, number of clips) is there, ``corpus.json``.

    Gives whether they are all there.
    """
    splits.save(folder / "splits.json", speakers_of)
    manifest.write(folder / "manifest.csv", rows)
    paths = {name: (folder / "shards" / name, clips) for name, clips in shards}
    if not all(path.exists() for path, _ in paths.values()):
        return False
    made = [
        {"name": name, "split": name.split("-")[0], "clips": clips, **storage.measure(path)}
        for name, (path, clips) in paths.items()
    ]
    with storage.atomic_write(folder / "corpus.json", "w") as file:
        json.dump({**about, "shards": made}, file, indent=1)
        file.write("\n")
    return True
