"""From a video (or sound and picture) to one training pair: six seconds of sound and one face, 224 x 224.

The sound is brought to the usual level of speech (`s2f_lib.audio.leveled`), so that the distance to the microphone is
not taken for a feature of the person; a silent clip is skipped. Which frame: the paper does not say. We look at the
middle of the clip first, then half a second before and after, and so on to the ends, and take the first in which
`faces.choose_face` finds one upright, large enough face (for AVSpeech: close to the place that the list gives).
"""

from pathlib import Path

import numpy as np

from s2f_lib import audio, io, media
from s2f_lib.corpus.manifest import Row, safe_name
from s2f_lib.corpus.shards import encode
from s2f_lib.corpus.steps import Lost, Step, attempt, inside

LOOKS = 5  # frames tried per clip
FRAME_STEP = 0.5  # s between them
MIN_SECONDS = 1.0  # s of sound; less is skipped
MAX_PICTURE_BYTES = 16 << 20  # bytes of a picture
MIN_PICTURE_SIDE = 16  # pixels, each side
TASK_SECONDS = 600.0  # for a group of clips; a file that takes longer is lost like one that crashes its reader
WORDS = {
    "no_face": "no face",
    "several_faces": "several faces",
    "too_small": "face too small",
    "rotated": "face turned",
}


def crop_step(root: str | Path, *, size: int = 224, margin: float = 0.4, method: str = "hog") -> Step:
    """The step that makes pairs; `root` is the folder below which the manifest's files lie."""
    settings = {"root": str(Path(root).resolve()), "size": size, "margin": margin, "method": method}
    return Step("crop_faces", _crop_some, settings, ("pairs/*.flac", "pairs/*.jpg"), isolated=TASK_SECONDS)


def frame_times(start: float, end: float) -> list[float]:
    """Times to look at: the middle, then outwards.

    >>> frame_times(10.0, 16.0)
    [13.0, 12.5, 13.5, 12.0, 14.0]
    >>> frame_times(0.0, 1.5)
    [0.75, 0.25, 1.25]
    """
    middle = (start + end) / 2
    steps = [0.0] + [sign * FRAME_STEP * n for n in range(1, LOOKS) for sign in (-1, 1)]
    return [middle + step for step in steps if start <= middle + step < end][:LOOKS]


def in_batches(rows: list[Row], size: int = 8) -> list[list[Row]]:
    """Clips in groups, so that a task is worth its overhead."""
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def _crop_some(task: tuple) -> list[Row]:
    folder, settings, rows = task
    return [attempt(lambda row: _crop(Path(folder), settings, row), row, [settings["root"], folder]) for row in rows]


def _crop(folder: Path, settings: dict, row: Row) -> Row:
    """Make the pair of one clip; gives the columns to add."""
    name, root = safe_name(str(row["clip_id"])), settings["root"]
    start, end = _times(row)
    source = inside(root, str(row.get("video") or row["sound"]))
    sound = audio.load(source, start, end)
    if len(sound) < MIN_SECONDS * audio.SAMPLE_RATE:
        raise Lost("too short", f"{len(sound) / audio.SAMPLE_RATE:.2f} s of sound")
    if row.get("picture"):
        face, time = _from_picture(inside(root, str(row["picture"])), settings), ""
    else:
        face, time = _from_video(source, row, settings, (start, end))
    seconds = min(audio.CLIP_SECONDS, len(sound) / audio.SAMPLE_RATE)
    sound, level = audio.leveled(audio.fit_to_clip(sound), source.name)
    for ending, value in (("flac", sound), ("jpg", face)):
        with io.atomic_write(folder / "pairs" / f"{name}.{ending}") as file:
            file.write(encode(ending, value))
    return {"frame_at": time, "seconds": round(seconds, 3), "level_db": round(level, 1)}


def _times(row: Row) -> tuple[float, float]:
    """Start and end of a clip in its file, at most six seconds."""
    if not row.get("video") or not row.get("end"):
        return 0.0, audio.CLIP_SECONDS
    start = float(row["start"]) - float(row.get("offset") or 0.0)
    return max(0.0, start), start + min(audio.CLIP_SECONDS, float(row["end"]) - float(row["start"]))


def _from_video(video: Path, row: Row, settings: dict, span: tuple) -> tuple[np.ndarray, float]:
    """The face in the first frame that has a usable one, and the frame's time."""
    from s2f_lib import faces

    start, end = span
    if not row.get("end"):
        end = min(media.probe(video).seconds or end, end)
    place = (float(row["x"]), float(row["y"])) if row.get("x") else None
    first = None
    for time in frame_times(start, end):
        frame = _reduced(media.read_frames(video, [time])[0])
        choice = faces.choose_face(frame, at=place, method=settings["method"])
        if choice.status == "ok":
            return faces.crop(frame, choice.box, margin=settings["margin"], size=settings["size"]), round(time, 3)
        first = first or choice
    raise Lost(WORDS.get(first.status, first.status), first.reason)


def _from_picture(path: Path, settings: dict) -> np.ndarray:
    """A face crop that a corpus brings, cut anew like all others."""
    from s2f_lib import faces

    if path.stat().st_size > MAX_PICTURE_BYTES:
        raise Lost("picture too large", f"{path.stat().st_size >> 20} MB")
    try:
        picture = media.read_picture(path.read_bytes())
    except media.MediaError as error:
        raise Lost("picture damaged", str(error)) from error
    if min(picture.shape[:2]) < MIN_PICTURE_SIDE:
        raise Lost("picture too small", f"{picture.shape[1]} x {picture.shape[0]} pixels")
    choice = faces.choose_face(picture, method=settings["method"])
    if choice.status != "ok":
        raise Lost(WORDS.get(choice.status, choice.status), choice.reason)
    return faces.crop(picture, choice.box, margin=settings["margin"], size=settings["size"])


def _reduced(frame: np.ndarray, longest: int = 640) -> np.ndarray:
    """A frame with at most 640 pixels on its long side: enough for a crop of 224, and quick for the detector."""
    from PIL import Image

    height, width = frame.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return frame
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))
