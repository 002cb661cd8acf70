"""Write a corpus of synthetic people: known faces and voices, nobody's biometrics, the same bytes for the same seed."""

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s2f_lib import config
from s2f_lib.corpus import build, manifest, shards, splits, storage, workers

PEOPLE_PER_SHARD = 16
ABOUT = {"kind": "synthetic", "about": "computer-made people; no picture or voice identifies anybody"}
SAID = "train speakers say other sentences than validation and test speakers"


@dataclass(frozen=True)
class SyntheticConfig:
    """Settings of a synthetic corpus; the corpus is a function of them and nothing else."""

    people: int = 1000  # 80 % train, 10 % validation, 10 % test
    world: str = "physiology"  # which arrows lead from body to voice, see s2f_lib.people.worlds
    seed: int = 0  # of the population
    pictures: int = 4  # in-the-wild pictures of each person; shared out over the clips
    clips: int = 2  # six-second clips of each person
    size: int = 128  # pixels, side of a picture
    sound: str = "wav"  # or "flac": half the size, not readable with the standard library
    wear: tuple[str, ...] = ()  # hats, glasses and occluders in the pictures, see s2f_lib.people.accessories

    def __post_init__(self):
        for name, least in (("people", 1), ("pictures", 0), ("clips", 1), ("size", 16)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if self.sound not in ("wav", "flac"):
            raise ValueError(f"sound must be 'wav' or 'flac', got {self.sound!r}")
        if self.wear:
            from s2f_lib.people import accessories

            object.__setattr__(self, "wear", accessories.check(self.wear))


@dataclass(frozen=True)
class ShardPlan:
    """One shard to make: a few people of one split."""

    name: str
    split: str
    people: tuple[int, ...]  # places in the population


def plan(settings: SyntheticConfig) -> tuple[dict[str, list[str]], list[ShardPlan]]:
    """Who is in which split, and which shards that makes."""
    names = [_speaker(i) for i in range(settings.people)]
    speakers_of = splits.make([{"speaker_id": name, "video_id": ""} for name in names], seed=settings.seed)
    plans = []
    for split in splits.SPLITS:
        people = [int(name[1:]) for name in speakers_of[split]]
        for number, first in enumerate(range(0, len(people), PEOPLE_PER_SHARD)):
            plans.append(ShardPlan(f"{split}-{number:06d}.tar", split, tuple(people[first : first + PEOPLE_PER_SHARD])))
    return speakers_of, plans


def make(
    folder: str | Path,
    settings: SyntheticConfig,
    *,
    jobs: int = 1,
    limit: int | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> list[dict]:
    """Make a corpus, or go on making it: what is there and complete is kept.

    A shard is written under a temporary name and renamed when it is complete, so a run may be killed at any moment and
    started again; the result is the same to the byte (on one machine).

    Works in `jobs` processes. With `limit` it stops after about so many clips (whole shards), and another call goes on;
    ``corpus.json`` is written when all shards are there. With `overwrite` a corpus that is there goes first. Gives the
    rows of the manifest.

    Raises
    ------
    ValueError
        If the folder holds a corpus with other settings.
    OSError
        If the folder cannot be written or the disk is full; complete shards stay, nothing half-written does.
    """
    folder = Path(folder)
    population = _population(settings.people, settings.world, settings.seed)
    speakers_of, plans = plan(settings)
    made_from = {name: value for name, value in config.to_dict(settings).items() if name != "wear" or value}
    with storage.claimed(folder, "settings.json", made_from, ("splits.json", "shards/*.tar"), overwrite):
        missing = [shard for shard in plans if not (folder / "shards" / shard.name).exists()]
        if limit is not None:
            missing = missing[: -(-limit // (PEOPLE_PER_SHARD * settings.clips))]
        tasks = [(str(folder), settings, shard) for shard in missing]
        for _ in workers.run(_make_shard, tasks, jobs=jobs, progress=progress, unit="shard"):
            pass
        rows = []
        for shard in plans:
            lost = {} if (folder / "shards" / shard.name).exists() else {"status": "waiting", "reason": "not made yet"}
            each = itertools.product(shard.people, range(settings.clips))
            rows += [_row(settings, shard, population[index], clip) | lost for index, clip in each]
        sizes = [(shard.name, len(shard.people) * settings.clips) for shard in plans]
        build.finish(
            folder, rows, speakers_of, sizes, ABOUT | {"settings": config.to_dict(settings), "sentences": SAID}
        )
    return rows


@functools.lru_cache(maxsize=2)
def _population(count: int, world: str, seed: int):
    """The people; once per process."""
    from s2f_lib import people

    return people.sample(count, world=world, seed=seed)


def _make_shard(task: tuple[str, SyntheticConfig, ShardPlan]) -> str:
    """Write one shard."""
    folder, settings, shard = task
    population = _population(settings.people, settings.world, settings.seed)
    shards.write_shard(Path(folder) / "shards" / shard.name, _samples(settings, shard, population))
    return shard.name


def _samples(settings: SyntheticConfig, shard: ShardPlan, population) -> Iterator[tuple[str, dict]]:
    """Clips of a shard: sound, pictures, and who it is."""
    from s2f_lib import people
    from s2f_lib.people.speech import speak

    for index in shard.people:
        person = population[index]
        for clip in range(settings.clips):
            sample = {settings.sound: np.asarray(speak(person, clip, sentences=_sentences(shard.split)))}
            for place, item in enumerate(_pictures(settings, clip)):
                ending = "jpg" if place == 0 else f"{place}.jpg"
                sample[ending] = people.render_wild(person, item, size=settings.size, wear=settings.wear)
            sample["json"] = _row(settings, shard, person, clip) | {"pictures": _pictures(settings, clip)}
            yield _clip(index, clip), sample


def _pictures(settings: SyntheticConfig, clip: int) -> list[int]:
    """Pictures dealt out to a clip: each picture goes to one clip; with fewer pictures than clips they are reused."""
    if not settings.pictures:
        return []
    return list(range(clip, settings.pictures, settings.clips)) or [clip % settings.pictures]


def _row(settings: SyntheticConfig, shard: ShardPlan, person, clip: int) -> dict:
    """What the manifest and the clip's JSON say about a clip."""
    index = int(person.id)
    speaker = _speaker(index)
    row = manifest.new(
        _clip(index, clip), speaker, f"{speaker}v{clip}", split=shard.split, seconds=6.0, sex=str(person.sex),
        age=round(float(person.age), 2), group=str(person.group), language=str(person.language), world=settings.world,
        seed=settings.seed, item=clip, sentences=_sentences(shard.split),
    )  # fmt: skip
    return row | {"wear": _wear(settings, person, clip)} if settings.wear else row


def _wear(settings: SyntheticConfig, person, clip: int) -> str:
    """What is worn in each picture of a clip, for example ``cap+sunglasses none``."""
    from s2f_lib.people import accessories

    worn = (accessories.of_picture(person, item, settings.wear) for item in _pictures(settings, clip))
    return " ".join("+".join(names) or "none" for names in worn)


def _sentences(split: str) -> str:
    """Validation and test speakers say sentences that nobody says in training."""
    return "train" if split == "train" else "test"


def _speaker(index: int) -> str:
    return f"p{index:07d}"


def _clip(index: int, clip: int) -> str:
    return f"{_speaker(index)}c{clip}"
