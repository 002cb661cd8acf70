"""Where the published examples lie on disk: the two parts, their kinds of picture, and which clips are whole.

Two folder layouts are read, the authors' own (``figures/avspeech_res/Face_ori/...``) and the short one that
`fetch` writes (``avspeech/Face_ori/...``); the sound may be WAV (authors) or FLAC (a copy that saves space).
"""

import argparse
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from s2f_lib import io

KINDS = {
    "true": "Face_ori",  # the speaker's picture, cut from the video
    "f2f": "Face_f2f",  # the authors' decoder on the feature of that picture
    "s2f_0": "Face_exg0",  # the authors' decoder on the feature predicted from the voice
    "s2f_07": "Face_exg0.7",  # the same, the feature exaggerated by 0.7
    "s2f_14": "Face_exg1.4",  # the same, exaggerated by 1.4 (not in every copy)
}
REQUIRED = ("true", "f2f", "s2f_0", "s2f_07")  # a clip is whole when it has these and its sound
SOUND_FOLDER, SOUND_ENDINGS = "Wav", (".wav", ".flac")
ENVIRONMENT = "S2F_PUBLISHED"  # names the folder, where no parameter does


@dataclass(frozen=True)
class PartSpec:
    """What one half of the published examples should hold."""

    upstream: str  # folder in the authors' repository
    clips: int  # tuples counted there in 2019
    pattern: re.Pattern  # file name without ending


PARTS: Mapping[str, PartSpec] = {
    "avspeech": PartSpec(
        "figures/avspeech_res", 968, re.compile(r"(?P<video>[\w-]{11})_(?P<start>[\d.]+)-(?P<end>[\d.]+)")
    ),
    "voxceleb": PartSpec(
        "figures/voxceleb", 336, re.compile(r"(?P<code>\d{4})(?P<speaker>.+)_(?P<video>[\w-]{11})_(?P<clip>\d+)")
    ),
}


@dataclass(frozen=True)
class Clip:
    """One tuple: the sound and the pictures that belong to it."""

    name: str  # file name without ending; never printed, stored or published
    speaker: str  # who is heard: the speaker's name (VoxCeleb) or the video (AVSpeech)
    label: str | None  # "female" or "male" as the authors' file name says (VoxCeleb), else None
    pictures: Mapping[str, Path]  # kind -> file
    sound: Path


@dataclass(frozen=True)
class Part:
    """One half of the published examples, as found on disk."""

    name: str
    folder: Path
    clips: tuple[Clip, ...]
    left_out: tuple[tuple[str, str], ...] = ()  # (name, what is missing) of clips that are not whole

    def __len__(self) -> int:
        return len(self.clips)

    def __iter__(self) -> Iterator[Clip]:
        return iter(self.clips)

    @property
    def incomplete(self) -> dict[str, int]:
        """What is missing -> how many clips lack it."""
        return dict(Counter(what for _, reason in self.left_out for what in reason.split(", ")))

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of picture that every clip has."""
        return tuple(kind for kind in KINDS if all(kind in clip.pictures for clip in self.clips))

    def report(self) -> str:
        """One line: how many clips, how many were expected, what is missing."""
        expected = PARTS[self.name].clips
        line = f"{self.name}: {len(self)} whole clips of {expected} published"
        if self.incomplete:
            line += "; left out: " + ", ".join(f"{n} without {what}" for what, n in sorted(self.incomplete.items()))
        return line

    def measured(self, what: str, recipe: str, files: Iterable[Path], measure: Callable, progress: bool) -> list[dict]:
        """What ``measure`` says of a file of each clip, in their order; kept by checksum under the recipe's name."""
        from tqdm import tqdm

        bar = tqdm(files, f"{self.name} {what}", len(self), unit="clip", disable=not progress)
        return [io.cache.of_file(f"published/{recipe}", file, measure) for file in bar]


def locate(data: str | Path | None = None) -> Path | None:
    """Find the folder of published examples; None when there is none.

    Looked at in this order: ``data``; the environment variable ``S2F_PUBLISHED``; the cache folder where `fetch`
    puts it; ``../shared/published_examples`` beside the repository.

    FileNotFoundError if a folder was named but holds none of the two parts.
    """
    named = data or os.environ.get(ENVIRONMENT)
    if named:
        folder = Path(named).expanduser()
        if not any(part_folder(folder, part) for part in PARTS):
            wanted = ", ".join(f"{part} or {spec.upstream}" for part, spec in PARTS.items())
            raise FileNotFoundError(
                f"{folder} holds no published examples (looked for {wanted}, each with a folder "
                f"{KINDS['true']}); fetch them with: s2f published fetch {folder}"
            )
        return folder
    root = Path(__file__).resolve().parents[2]
    for folder in (io.cache_dir() / "published_examples", root.parent / "shared" / "published_examples"):
        if any(part_folder(folder, part) for part in PARTS):
            return folder
    return None


def part_folder(folder: str | Path, part: str) -> Path | None:
    """The folder of one part in either layout; None when it is not there. ValueError for an unknown part."""
    if part not in PARTS:
        raise ValueError(f"there is no part {part!r}; the published examples have {', '.join(PARTS)}")
    for candidate in (Path(folder) / part, Path(folder) / PARTS[part].upstream):
        if (candidate / KINDS["true"]).is_dir():
            return candidate
    return None


def open_part(folder: str | Path, part: str) -> Part:
    """Read which clips of a part are there, whole; clips with a missing half are counted, not measured.

    FileNotFoundError if the part is not there, ValueError if no clip is whole.
    """
    found = part_folder(folder, part)
    if found is None:
        raise FileNotFoundError(f"{folder} has no {part} part; fetch it with: s2f published fetch {folder}")
    pictures = {kind: _files(found / name, (".jpg", ".jpeg", ".png")) for kind, name in KINDS.items()}
    sounds = _files(found / SOUND_FOLDER, SOUND_ENDINGS)
    clips, left_out = [], []
    for name in sorted(set().union(*pictures.values(), sounds)):
        match = PARTS[part].pattern.fullmatch(name)
        if match is None:
            left_out.append((name, "a name of the known form"))
            continue
        missing = [KINDS[kind] for kind in REQUIRED if name not in pictures[kind]]
        missing += [SOUND_FOLDER] if name not in sounds else []
        if missing:
            left_out.append((name, ", ".join(missing)))
        else:
            own = {kind: files[name] for kind, files in pictures.items() if name in files}
            told = match.groupdict()  # VoxCeleb gives names; in AVSpeech one video is taken for one speaker
            label = {"0": "male", "1": "female"}.get((told.get("code") or "")[:1])  # the first figure of the code
            clips.append(Clip(name, told.get("speaker") or match["video"], label, own, sounds[name]))
    opened = Part(part, found, tuple(clips), tuple(left_out))
    if not clips:
        raise ValueError(f"{found} has no whole clip; missing: {opened.incomplete or 'everything'}")
    return opened


def _files(folder: Path, endings: tuple[str, ...]) -> dict[str, Path]:
    """File name without ending -> file; empty where the folder is missing."""
    if not folder.is_dir():
        return {}
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in endings}


def located(options: argparse.Namespace) -> Path:
    """The folder that a command's options name (else FileNotFoundError); says what of the part is there."""
    folder = locate(options.data)
    if folder is None:
        raise FileNotFoundError("no published examples here; fetch them with: s2f published fetch")
    print(open_part(folder, options.part).report())
    return folder


def parser(command: str, description: str) -> argparse.ArgumentParser:
    """The options that two of the commands share."""
    made = argparse.ArgumentParser(prog=f"s2f published {command}", description=description)
    where = "folder of the published examples (default: $S2F_PUBLISHED, or where `s2f published fetch` put them)"
    made.add_argument("--data", type=Path, help=where)
    made.add_argument("--part", choices=list(PARTS), default="avspeech")
    made.add_argument("--quiet", action="store_true", help="no progress bars")
    return made
