"""Training clips of synthetic people: made once, kept as int16 beside the face features of their pictures."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np

from s2f_lib import audio, config, io
from s2f_lib.training.sources import ArraySource

VALIDATION_SEED = config.SEEDS["voice"] + 1  # looked at while training; the people of the test seed never are
SAMPLES = round(audio.SAMPLE_RATE * audio.CLIP_SECONDS)
PATIENCE = 5.0  # s of work before a bar is shown
NOTE_EVERY = 64  # people between two notes of progress


class FaceTargets(NamedTuple):
    """What the voice encoder is trained against: one row per picture, read-only."""

    v_f: np.ndarray  # (N, D) float16
    logits: np.ndarray | None = None  # (N, C) float16; None for a recogniser without classes


@dataclass(frozen=True)
class PeopleSet:
    """Which clips: the same settings give the same sound and the same pictures on every machine."""

    people: int = 512
    clips: int = 2  # of each person; clip k goes with wild picture k
    seed: int = config.SEEDS["voice"]
    world: str = "physiology"
    sentences: str = "train"  # or "test": never overlap; "free": invented utterances in ever new manners

    def __post_init__(self):
        for name in ("people", "clips"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    @property
    def name(self) -> str:
        """What the set is called in the cache."""
        return f"{self.world}-{self.seed}-{self.sentences}-{self.people}x{self.clips}"

    @property
    def about(self) -> dict:
        """What a run remembers of the people it heard."""
        return {"kind": "synthetic people"} | asdict(self)

    @property
    def speaker(self) -> np.ndarray:
        """Number of the person of each clip, (people * clips,)."""
        return np.repeat(np.arange(self.people), self.clips)

    def population(self):
        """The people themselves."""
        from s2f_lib import people

        return people.sample(self.people, world=self.world, seed=self.seed)


def source(
    which: PeopleSet,
    recogniser="synthetic-vgg",
    workers: int = 2,
    progress: bool = True,
    as_magnitudes: bool = False,
) -> ArraySource:
    """Sound, face features, classes and speakers of a set, made where they are missing.

    Parameters
    ----------
    recogniser : str or object
        Name in the hub, or a recogniser itself.
    workers : int
        Processes that speak and render. About 40 clips and 60 pictures a second on two free cores.
    as_magnitudes : bool
        Give compressed magnitudes instead of sound, kept as well: 307 kB more a clip, and training needs no FFT.

    Notes
    -----
    It is kept in the cache, under a name that changes with synthesiser and renderer: 192 kB a clip, and 10-20 kB of
    features. Of several processes that want one set, one makes it and the others wait; a call that was broken off
    goes on.
    """
    if isinstance(recogniser, str):
        from s2f_lib import hub

        recogniser = hub.load(recogniser)
    sound = (magnitudes if as_magnitudes else voices)(which, workers, progress)
    targets = face_targets(which, recogniser, workers, progress)
    about = which.about | {"recogniser": {"name": recogniser.name, "checksum": recogniser.checksum}}
    return ArraySource(sound, targets.v_f, targets.logits, which.speaker, about)


def voices(which: PeopleSet, workers: int = 2, progress: bool = True) -> np.ndarray:
    """The sound of a set as a read-only memory map, (people * clips, 96_000) int16; a broken-off call goes on."""
    from s2f_lib.people import speech

    population, made_from = which.population(), voices_key(which)

    def fill(done: int) -> Iterator[tuple[np.ndarray]]:
        parts = speech.stream(population[done:], which.clips, workers, sentences=which.sentences)
        yield from ((part,) for part in show(parts, which.people, f"{which.name}: voices", progress, done))

    place = io.cache.location(f"voices/{which.name}", made_from, suffix="")
    rows = {"voices": (np.int16, (which.clips, SAMPLES))}
    return io.cache.grow(place, made_from, which.people, rows, fill, NOTE_EVERY)["voices"].reshape(-1, SAMPLES)


def voices_key(which: PeopleSet) -> dict:
    """What the sound of a set depends on, for the names under which it and its derivatives are kept."""
    from s2f_lib.people import fingerprint

    made_from = asdict(which) | {"voices": fingerprint.voice_key(which.population())}
    made_from.pop("people")
    return made_from


def magnitudes(which: PeopleSet, workers: int = 2, progress: bool = True) -> np.ndarray:
    """Compressed magnitudes of the sound of a set, a read-only memory map, (people * clips, 598, 257) float16."""
    sound, made_from = voices(which, workers, progress), voices_key(which)

    def fill(done: int) -> Iterator[tuple[np.ndarray]]:
        parts = (audio.compressed_magnitude(sound[i : i + 32])[:, 0].numpy() for i in range(done, len(sound), 32))
        yield from ((part,) for part in show(parts, len(sound), f"{which.name}: magnitudes", progress, done, "clip"))

    place = io.cache.location(f"voices/{which.name}-magnitudes", made_from, suffix="")
    rows = {"magnitudes": (np.float16, audio.compressed_magnitude(sound[:1]).shape[2:])}
    return io.cache.grow(place, made_from, len(sound), rows, fill, NOTE_EVERY)["magnitudes"]


def face_targets(which: PeopleSet, recogniser, workers: int = 2, progress: bool = True) -> FaceTargets:
    """v_f and classes of the wild pictures that go with the clips, in their order; kept per recogniser."""
    from s2f_lib import people
    from s2f_lib.faces.recogniser import extract
    from s2f_lib.people import fingerprint

    population, size = which.population(), recogniser.image_size
    pictures = {"clips": which.clips, "size": size, "faces": fingerprint.face_key(population)}
    made_from = {"recogniser": recogniser.checksum} | pictures
    widths = {"v_f": recogniser.feature_dim, "logits": recogniser.logits_dim}
    rows = {name: (np.float16, (which.clips, width)) for name, width in widths.items() if width}

    def fill(done: int) -> Iterator[tuple[np.ndarray, ...]]:
        parts = people.iterate_pictures(population[done:], range(which.clips), size, workers=workers)
        for part in show(parts, which.people, f"{which.name}: faces", progress, done):
            yield tuple(values for values in extract(recogniser, part) if values is not None)

    place = io.cache.location(f"voices/{which.name}-features-{recogniser.name}", made_from, suffix="")
    found = io.cache.grow(place, made_from, which.people, rows, fill, NOTE_EVERY)
    return FaceTargets(**{name: values.reshape(-1, values.shape[-1]) for name, values in found.items()})


def show(parts: Iterator, total: int, what: str, progress: bool, done: int = 0, unit: str = "person") -> Iterator:
    """The same parts, with a bar that counts people where it takes longer than a few seconds."""
    from tqdm.auto import tqdm

    with tqdm(total=total, initial=done, unit=unit, desc=what, disable=not progress, delay=PATIENCE) as bar:
        for part in parts:
            yield part
            bar.update(len(part))
