"""Train, validation and test: no speaker and no video in two of them, stored in a file, never a place in a list."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping

from s2f_lib.corpus import storage

__all__ = ["FRACTIONS", "SPLITS", "check", "load", "make", "save"]

SPLITS = ("train", "validation", "test")
FRACTIONS = (0.8, 0.1, 0.1)


def make(
    clips: Iterable[Mapping[str, str]], fractions: tuple[float, float, float] = FRACTIONS, seed: int = 0
) -> dict[str, list[str]]:
    """Share speakers out, whole groups of speakers that appear in one video together.

    The order is that of a hash of seed and speaker, so it depends on neither the order of the list nor the machine.

    Parameters
    ----------
    clips : iterable of mappings
        With ``speaker_id`` and ``video_id`` (an empty video_id joins nobody).
    fractions : three floats
        Of speakers in train, validation and test; sum 1.
    seed : int

    Returns
    -------
    dict
        "train", "validation", "test" -> sorted speaker ids. Sizes are rounded; a part with a fraction above zero gets
        at least one group if there are three or more.

    Raises
    ------
    ValueError
        If the fractions do not sum to 1, or there is no speaker.
    """
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-9:
        raise ValueError(f"the fractions of train, validation and test must sum to 1, got {fractions}")
    groups = sorted(_groups(clips), key=lambda group: _hash(seed, group[0]))
    total = sum(map(len, groups))
    if not total:
        raise ValueError("there is no speaker to share out; is the list empty?")
    parts: dict[str, list[str]] = {name: [] for name in SPLITS}
    at_least = 1 if len(groups) >= 3 else 0
    for name, fraction in zip(SPLITS[:0:-1], fractions[:0:-1], strict=True):  # test, validation; train takes the rest
        quota = max(at_least, round(fraction * total)) if fraction else 0
        while groups and len(parts[name]) < quota:
            parts[name].extend(groups.pop())
    for group in groups:
        parts["train"].extend(group)
    return {name: sorted(members) for name, members in parts.items()}


def save(path: storage.Name, parts: Mapping[str, Iterable[str]]) -> storage.Place:
    """Write splits as JSON: part -> sorted speaker ids."""
    parts = {name: sorted(parts.get(name, ())) for name in SPLITS}
    _disjoint(parts, "speaker")
    with storage.atomic_write(path, "w") as file:
        json.dump(parts, file, indent=0)
        file.write("\n")
    return storage.at(path)


def load(path: storage.Name) -> dict[str, list[str]]:
    """Read splits and check that no speaker is in two parts."""
    path = storage.at(path)
    if not path.exists():
        raise FileNotFoundError(f"no splits at {path}; make them with s2f corpus make_splits")
    parts = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(parts, dict) or set(parts) != set(SPLITS):
        raise ValueError(f"{path} must hold exactly the parts {', '.join(SPLITS)}")
    _disjoint(parts, "speaker")
    return parts


def check(parts: Mapping[str, Iterable[str]], clips: Iterable[Mapping[str, str]]) -> None:
    """Raise ValueError if a speaker or a video is in two parts, or a speaker in none."""
    _disjoint(parts, "speaker")
    part_of = {speaker: name for name, members in parts.items() for speaker in members}
    videos: dict[str, set] = defaultdict(set)
    for clip in clips:
        if clip["speaker_id"] not in part_of:
            raise ValueError(f"speaker {clip['speaker_id']!r} is in no part; make the splits again")
        if clip["video_id"]:
            videos[clip["video_id"]].add(part_of[clip["speaker_id"]])
    shared = [video for video, names in videos.items() if len(names) > 1]
    if shared:
        raise ValueError(
            f"video {shared[0]!r} is in the parts {sorted(videos[shared[0]])}; so are {len(shared) - 1} more"
        )


def _disjoint(parts: Mapping[str, Iterable[str]], what: str) -> None:
    seen: dict[str, str] = {}
    for name, members in parts.items():
        for member in members:
            if member in seen:
                raise ValueError(f"{what} {member!r} is in {seen[member]} and in {name}; every one has one place")
            seen[member] = name


def _hash(seed: int, speaker: str) -> str:
    return hashlib.sha256(f"{seed}:{speaker}".encode()).hexdigest()


def _groups(clips: Iterable[Mapping[str, str]]) -> list[list[str]]:
    """Speakers joined by shared videos, each group sorted (union-find with path halving)."""
    parent: dict[str, str] = {}
    first: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for clip in clips:
        speaker = root(clip["speaker_id"])
        if clip["video_id"]:
            other = root(first.setdefault(clip["video_id"], speaker))
            parent[max(speaker, other)] = min(speaker, other)
    groups: dict[str, list[str]] = defaultdict(list)
    for speaker in sorted(parent):
        groups[root(speaker)].append(speaker)
    return list(groups.values())
