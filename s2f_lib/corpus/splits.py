"""Train, validation and test: no speaker and no video in two of them, stored in a file, never a place in a list."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping

from s2f_lib import io
from s2f_lib.corpus import storage

SPLITS = ("train", "validation", "test")
FRACTIONS = (0.8, 0.1, 0.1)


def make(
    clips: Iterable[Mapping[str, str]], fractions: tuple[float, float, float] = FRACTIONS, seed: int = 0
) -> dict[str, list[str]]:
    """Share speakers out, whole groups of speakers that appear in one video together.

    The order is that of a hash of seed and speaker, so it depends on neither the order of the list nor the machine.
    A clip has ``speaker_id`` and ``video_id`` (an empty one joins nobody); `fractions` are those of the speakers in
    train, validation and test. Sizes are rounded; a split with a fraction above zero gets at least one group if there
    are three or more. Gives split -> sorted speaker ids. ValueError for fractions that do not sum to 1, or nobody to
    share out.
    """
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-9:
        raise ValueError(f"the fractions of train, validation and test must sum to 1, got {fractions}")
    groups = sorted(_groups(clips), key=lambda group: hashlib.sha256(f"{seed}:{group[0]}".encode()).hexdigest())
    total = sum(map(len, groups))
    if not total:
        raise ValueError("there is no speaker to share out; is the list empty?")
    speakers_of: dict[str, list[str]] = {name: [] for name in SPLITS}
    at_least = 1 if len(groups) >= 3 else 0
    for name, fraction in zip(SPLITS[:0:-1], fractions[:0:-1], strict=True):  # test, validation; train takes the rest
        quota = max(at_least, round(fraction * total)) if fraction else 0
        while groups and len(speakers_of[name]) < quota:
            speakers_of[name].extend(groups.pop())
    for group in groups:
        speakers_of["train"].extend(group)
    return {name: sorted(members) for name, members in speakers_of.items()}


def save(path: storage.PathLike, speakers_of: Mapping[str, Iterable[str]]) -> storage.Location:
    """Write splits as JSON: split -> sorted speaker ids."""
    speakers_of = {name: sorted(speakers_of.get(name, ())) for name in SPLITS}
    _disjoint(speakers_of)
    with storage.atomic_write(path, "w") as file:
        json.dump(speakers_of, file, indent=0)
        file.write("\n")
    return storage.resolve(path)


def load(path: storage.PathLike) -> dict[str, list[str]]:
    """Read splits and check that no speaker is in two splits.

    FileNotFoundError if there are none, ValueError if they are no splits.
    """
    path = storage.resolve(path)
    if not path.exists():
        raise FileNotFoundError(f"no splits at {path}; make them with s2f corpus make_splits")
    speakers_of = io.read_json(path)
    if set(speakers_of) != set(SPLITS) or not all(isinstance(members, list) for members in speakers_of.values()):
        raise ValueError(f"{path} must hold exactly the splits {', '.join(SPLITS)}, each a list of speakers")
    _disjoint(speakers_of)
    return speakers_of


def check(speakers_of: Mapping[str, Iterable[str]], clips: Iterable[Mapping[str, str]]) -> None:
    """Raise ValueError if a speaker or a video is in two splits, or a speaker in none."""
    _disjoint(speakers_of)
    split_of = {speaker: name for name, members in speakers_of.items() for speaker in members}
    videos: dict[str, set] = defaultdict(set)
    for clip in clips:
        if clip["speaker_id"] not in split_of:
            raise ValueError(f"speaker {clip['speaker_id']!r} is in no split; make the splits again")
        if clip["video_id"]:
            videos[clip["video_id"]].add(split_of[clip["speaker_id"]])
    shared = [video for video, names in videos.items() if len(names) > 1]
    if shared:
        raise ValueError(
            f"video {shared[0]!r} is in the splits {sorted(videos[shared[0]])}; so are {len(shared) - 1} more"
        )


def _disjoint(speakers_of: Mapping[str, Iterable[str]]) -> None:
    seen: dict[str, str] = {}
    for name, members in speakers_of.items():
        for member in members:
            if member in seen:
                raise ValueError(f"speaker {member!r} is in {seen[member]} and in {name}; every one has one place")
            seen[member] = name


def _groups(clips: Iterable[Mapping[str, str]]) -> list[list[str]]:
    """Speakers joined by shared videos, each group sorted."""
    import pandas as pd
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    told = pd.DataFrame(((c["speaker_id"], c["video_id"]) for c in clips), columns=["speaker", "video"], dtype=object)
    (who, speakers), (what, videos) = pd.factorize(told["speaker"], sort=True), pd.factorize(told["video"])
    known, size = told["video"].to_numpy() != "", len(speakers) + len(videos)  # a clip without a video joins nobody
    links = coo_array((known[known], (who[known], len(speakers) + what[known])), (size, size))
    group = connected_components(links, directed=False)[1][: len(speakers)]
    return [list(members) for _, members in pd.Series(speakers).groupby(group, sort=False)]
