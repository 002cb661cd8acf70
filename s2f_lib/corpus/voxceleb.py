"""VoxCeleb: list what a copy on your disk holds, without moving or changing it.

Layouts: ``wav/id10001/<video>/00001.wav`` (VoxCeleb1), ``aac/id00012/<video>/00001.m4a`` and ``mp4/...`` (VoxCeleb2),
``unzippedFaces/<name>/1.6/<video>/<n>.jpg`` (the VGGFace crops of VoxCeleb1), and ``vox1_meta.csv``, tab separated.
Names of people serve to find the face folder and do not enter the manifest.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

from s2f_lib.corpus.manifest import safe_name
from s2f_lib.corpus.steps import Row, inside

__all__ = ["list_clips", "read_meta"]

ENDINGS = {"wav": ".wav", "aac": ".m4a", "mp4": ".mp4"}
SCALE = "1.6"  # the face crops' width, in face widths


def read_meta(path: str | Path) -> dict[str, dict[str, str]]:
    """Speaker id -> {"name", "sex", "country", "set"} from ``vox1_meta.csv`` or the VoxCeleb2 table.

    Five names end in "." there and have no "." as a folder; it is taken off.

    Raises
    ------
    ValueError
        If it is not a tab- or comma-separated table with the columns of VoxCeleb.
    """
    text = Path(path).read_text(encoding="utf-8-sig")
    lines = text.splitlines()
    separator = "\t" if lines and "\t" in lines[0] else ","
    table = csv.DictReader(lines, delimiter=separator, skipinitialspace=True)
    names = {(column or "").strip().lower(): column for column in table.fieldnames or ()}
    speaker = next((names[n] for n in names if n.endswith("id") and n.startswith("voxceleb")), None)
    sex = names.get("gender")
    if speaker is None or sex is None:
        raise ValueError(
            f"{path} is no VoxCeleb table: its columns are {list(names)}; wanted 'VoxCeleb1 ID' and 'Gender'"
        )
    words = {"m": "male", "f": "female"}
    found = {}
    for row in table:
        name = (row.get(names.get("vggface1 id", ""), "") or "").strip()
        found[row[speaker].strip()] = {
            "name": name.removesuffix("."),
            "sex": words.get(row[sex].strip().lower(), ""),
            "country": (row.get(names.get("nationality", ""), "") or "").strip(),
            "set": (row.get(names.get("set", ""), "") or "").strip(),
        }
    return found


def list_clips(root: str | Path, meta: dict[str, dict[str, str]] | None = None) -> Iterator[Row]:
    """Rows for all utterances below a folder, in the order of their names.

    A row has ``sound`` (path below `root`) and ``video`` (VoxCeleb2 mp4) or ``picture`` (a face crop of the same video:
    the one in the middle of the utterance's share of the crops), and the labels ``sex`` and ``country`` as the
    publishers give them. Files reached through links, or with names that cannot be ids, are listed as "failed".

    Raises
    ------
    ValueError
        If the folder has none of the layouts.
    """
    root, meta = Path(root), meta or {}
    kinds = [kind for kind in ("wav", "aac", "mp4") if (root / kind).is_dir()]
    if not kinds:
        raise ValueError(
            f"{root} holds none of wav/, aac/, mp4/; unpack VoxCeleb so that {root}/wav/id10001/... exists"
        )
    kind = next(k for k in ("wav", "mp4", "aac") if k in kinds)
    for speaker in _folders(root / kind):
        for video in _folders(speaker):
            files = sorted(path for path in video.iterdir() if path.suffix == ENDINGS[kind])
            pictures = _pictures(root, meta.get(speaker.name, {}), video.name)
            for place, file in enumerate(files):
                yield _row(root, kind, file, place / len(files), pictures, meta.get(speaker.name, {}))


def _row(root: Path, kind: str, file: Path, share: float, pictures: list[Path], about: dict) -> Row:
    """One utterance."""
    speaker, video = file.parent.parent.name, file.parent.name
    row = {"speaker_id": speaker, "video_id": f"{speaker}-{video}", "split": "", "status": "ok", "reason": ""}
    row |= {
        "clip_id": f"{speaker}-{video}-{file.stem}",
        "sex": about.get("sex", ""),
        "country": about.get("country", ""),
    }
    row |= {"sound": file.relative_to(root).as_posix(), "video": "", "picture": ""}
    try:
        for name in (speaker, video, file.stem):
            safe_name(name)
        inside(root, row["sound"])
    except ValueError as error:
        safe = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in row["clip_id"])[:80]
        told = {"status": "failed", "reason": "unsafe name", "detail": str(error)[:160]}
        return row | {"clip_id": safe, "speaker_id": "", "video_id": "", "sound": ""} | told
    if kind == "mp4":
        row["video"] = row["sound"]
    elif pictures:
        row["picture"] = pictures[int(share * len(pictures))].relative_to(root).as_posix()
    elif (root / "mp4" / speaker / video / f"{file.stem}.mp4").is_file():
        row["video"] = f"mp4/{speaker}/{video}/{file.stem}.mp4"
    else:
        row |= {"status": "skipped", "reason": "no picture"}
    return row


def _pictures(root: Path, about: dict, video: str) -> list[Path]:
    """Face crops of a video, in the order of their numbers; links are left out."""
    faces = root / "unzippedFaces"
    if not about.get("name") or not faces.is_dir():
        return []
    try:
        folder = inside(faces, f"{about['name']}/{SCALE}/{video}")
    except ValueError:
        return []
    if not folder.is_dir():
        return []
    found = [faces / about["name"] / SCALE / video / name for name in os.listdir(folder) if name.endswith(".jpg")]
    return sorted((p for p in found if not p.is_symlink()), key=lambda path: (len(path.stem), path.stem))


def _folders(path: Path) -> list[Path]:
    """Real folders (no links) below a folder, in order."""
    return sorted(p for p in path.iterdir() if p.is_dir() and not p.is_symlink())
