"""VoxCeleb: list what a copy on your disk holds, without moving or changing it.

Layouts: ``wav/id10001/<video>/00001.wav`` (VoxCeleb1), ``aac/id00012/<video>/00001.m4a`` and ``mp4/...`` (VoxCeleb2),
``unzippedFaces/<name>/1.6/<video>/<n>.jpg`` (the VGGFace crops of VoxCeleb1), and ``vox1_meta.csv``, tab separated.
Names of people serve to find the face folder and do not enter the manifest.
"""

import contextlib
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from s2f_lib.corpus.manifest import Row, new, safe_name, unique
from s2f_lib.corpus.steps import inside, short

KINDS = ("wav", "mp4", "aac")  # folders, the first that is there
ENDINGS = (".wav", ".flac", ".m4a", ".aac", ".mp3", ".mp4", ".mkv", ".webm")  # in any of them, in any case
SCALE = "1.6"  # the face crops' width, in face widths
SEXES = {"m": "male", "f": "female"}


class Speakers(dict):
    """Speaker id -> {"name", "sex", "country", "set"}; ``left_out`` counts the lines of the table that were no row."""

    def __init__(self) -> None:
        super().__init__()
        self.left_out: Counter = Counter()


def read_meta(path: str | Path) -> Speakers:
    """Speaker id -> {"name", "sex", "country", "set"} from ``vox1_meta.csv`` or the VoxCeleb2 table.

    Five names end in "." there and have no "." as a folder; it is taken off. Every line stands for itself: a quote, a
    blank or a short line takes no other one along.

    Raises ValueError if it is not a tab- or comma-separated table with the columns of VoxCeleb.
    """
    lines = re.sub("\r\n?", "\n", _text(Path(path).read_bytes())).removesuffix("\n").split("\n")
    head = next((line for line in lines if line.strip()), "")
    separator = "\t" if "\t" in head else ","
    names = {name.strip().strip('"').lower(): index for index, name in enumerate(head.split(separator))}
    speaker = next((names[n] for n in names if n.endswith("id") and n.startswith("voxceleb")), None)
    if speaker is None or "gender" not in names:
        raise ValueError(
            f"{path} is no VoxCeleb table: its columns are {list(names)[:9]}; wanted 'VoxCeleb1 ID' and 'Gender'"
        )
    found = Speakers()
    for line in lines[lines.index(head) + 1 :] if head else ():
        values = [value.strip().strip('"').strip() for value in line.split(separator)]
        told = {name: values[index] for name, index in names.items() if index < len(values)}
        if not line.strip():
            found.left_out["blank line"] += 1
        elif speaker >= len(values) or not values[speaker] or "gender" not in told:
            found.left_out["short line"] += 1
        elif values[speaker] in found:
            found.left_out["speaker twice"] += 1
        else:
            about = {
                "name": told.get("vggface1 id", "").removesuffix("."),
                "sex": SEXES.get(told["gender"][:1].lower(), ""),
            }
            found[values[speaker]] = about | {"country": told.get("nationality", ""), "set": told.get("set", "")}
    return found


def _text(data: bytes) -> str:
    """A table as text, in the encodings that spreadsheets write."""
    for encoding in ("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig", "cp1252"):
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode(encoding)
    return data.decode("latin-1")


def list_clips(root: str | Path, meta: dict[str, dict[str, str]] | None = None) -> Iterator[Row]:
    """Rows for all utterances below a folder, in the order of their names.

    A row has ``sound`` (path below `root`) and ``video`` (VoxCeleb2 mp4) or ``picture`` (a face crop of the same video:
    the one in the middle of the utterance's share of the crops), and the labels ``sex`` and ``country`` as the
    publishers give them. Files reached through links, or with names that cannot be ids, are listed as "failed"; files
    that are no recording as "skipped".

    Raises ValueError if the folder has none of the layouts.
    """
    root = Path(root)
    kind = next((kind for kind in KINDS if (root / kind).is_dir()), None)
    if kind is None:
        raise ValueError(
            f"{root} holds none of wav/, aac/, mp4/; unpack VoxCeleb so that {root}/wav/id10001/... exists"
        )
    return unique(_rows(root, kind, meta or {}))


def _rows(root: Path, kind: str, meta: dict[str, dict[str, str]]) -> Iterator[Row]:
    for speaker in _folders(root / kind):
        about = meta.get(speaker.name, {})
        for video in _folders(speaker):
            files = sorted(path for path in video.iterdir() if not path.name.startswith(".") and not path.is_dir())
            pictures = _pictures(root, about, video.name)
            for number, file in enumerate(files):
                yield _row(root, kind, file, number / len(files), pictures, about)


def _row(root: Path, kind: str, file: Path, share: float, pictures: list[Path], about: dict) -> Row:
    """One utterance."""
    speaker, video = file.parent.parent.name, file.parent.name
    row = new(
        f"{speaker}-{video}-{file.stem}", speaker, f"{speaker}-{video}", sex=about.get("sex", ""),
        country=about.get("country", ""), sound=file.relative_to(root).as_posix(), video="", picture="",
    )  # fmt: skip
    try:
        for name in (speaker, video, file.stem, row["clip_id"]):
            safe_name(name)
        inside(root, row["sound"])
    except ValueError as error:
        return row | _unsafe(row, short(error, [root]))
    if file.suffix.lower() not in ENDINGS:
        told = {"clip_id": f"{row['clip_id'][:80]}_{_digest(row['sound'])}", "status": "skipped"}
        return row | told | {"reason": "no recording", "detail": f"{file.suffix[:20] or 'no ending'}"}
    if kind == "mp4":
        row["video"] = row["sound"]
    elif pictures:
        row["picture"] = pictures[int(share * len(pictures))].relative_to(root).as_posix()
    elif (root / "mp4" / speaker / video / f"{file.stem}.mp4").is_file():
        row["video"] = f"mp4/{speaker}/{video}/{file.stem}.mp4"
    else:
        row |= {"status": "skipped", "reason": "no picture"}
    return row


def _unsafe(row: Row, detail: str) -> Row:
    """What changes in a row whose names cannot be ids: two names that look alike stay two rows."""
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in str(row["clip_id"]))[:80]
    lost = {"clip_id": f"{safe}_{_digest(row['sound'])}", "speaker_id": "", "video_id": "", "sound": ""}
    return lost | {"status": "failed", "reason": "unsafe name", "detail": detail}


def _digest(text: object) -> str:
    return hashlib.sha256(os.fsencode(str(text))).hexdigest()[:12]


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
