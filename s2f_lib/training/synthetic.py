"""Training clips of synthetic people: made once, kept as int16 beside the face features of their pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from s2f_lib import audio, config, io
from s2f_lib.training import features
from s2f_lib.training.data import ArraySource

VALIDATION_SEED = config.SEEDS["voice"] + 1  # looked at while training; the people of the test seed never are
SAMPLES = round(audio.SAMPLE_RATE * audio.CLIP_SECONDS)


@dataclass(frozen=True)
class PeopleSet:
    """Which clips: the same settings give the same sound and the same pictures on every machine."""

    people: int = 512
    clips: int = 2  # of each person; clip k goes with wild picture k
    seed: int = config.SEEDS["voice"]
    world: str = "physiology"
    sentences: str = "train"  # or "test": never overlap

    @property
    def name(self) -> str:
        """Name of the folder that holds the set."""
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


def folder_of(which: PeopleSet) -> Path:
    """Where the set is kept: a folder of the cache."""
    return io.cache_dir() / "voices" / which.name


def source(which: PeopleSet, recogniser="synthetic-vgg", folder: Path | None = None, workers: int = 2) -> ArraySource:
    """Sound, face features, classes and speakers of a set, made where they are missing.

    Parameters
    ----------
    which : PeopleSet
    recogniser : str or object
        Name in the hub, or a recogniser itself.
    folder : Path, optional
        Where to keep the set; by default `folder_of` it. 192 kB a clip, and 10-20 kB of features.
    workers : int
        Processes that speak and render. About 40 clips and 60 pictures a second on two free cores.
    """
    if isinstance(recogniser, str):
        from s2f_lib import hub

        recogniser = hub.load(recogniser)
    folder = Path(folder) if folder else folder_of(which)
    sound = voices(which, folder, workers)
    targets = face_targets(which, recogniser, folder, workers)
    about = which.about | {"recogniser": {"name": recogniser.name, "checksum": recogniser.checksum}}
    return ArraySource(sound, targets.v_f, targets.logits, which.speaker, about)


def voices(which: PeopleSet, folder: Path, workers: int = 2, progress: bool = False) -> np.ndarray:
    """The sound of a set as a read-only memory map, (people * clips, 96_000) int16; a broken-off call goes on.

    Raises
    ------
    features.StaleFeatures
        If the kept sound is not what this version of the synthesiser says.
    """
    path = Path(folder) / "voices.npy"
    if not path.exists():
        _speak_all(which, path, workers, progress)
    sound = np.load(path, mmap_mode="r")
    _check_first_clip(which, sound, path)
    return sound.reshape(-1, SAMPLES)


def face_targets(which: PeopleSet, recogniser, folder: Path, workers: int = 2) -> features.FaceTargets:
    """v_f and classes of the wild pictures that go with the clips, in their order; kept per recogniser.

    Raises
    ------
    features.StaleFeatures
        If the kept features are of another recogniser or set, or of pictures that this version of the renderer would
        not make.
    """
    path = Path(folder) / f"features-{recogniser.name}.npz"
    size, kept = recogniser.image_size, path.exists()
    pictures = json.dumps(asdict(which) | {"size": size}, sort_keys=True)
    targets = features.cached(path, recogniser, pictures, lambda: _pictures(which, size, workers))
    if kept:
        _check_first_feature(which, recogniser, targets, path)
    return targets


def _check_first_feature(which: PeopleSet, recogniser, targets: features.FaceTargets, path: Path) -> None:
    """Render one picture again and compare its v_f, so that features of an older renderer are never used by mistake.

    Noise of two grey levels in every pixel turns v_f of `synthetic-vgg` by 0.06 of its length, a picture that is
    shifted by one pixel by 0.2; two machines differ by less than the first.
    """
    from s2f_lib import people

    picture = people.render_many(which.population()[:1], [0], recogniser.image_size, workers=1)[0]
    again = features.compute(recogniser, [picture]).v_f[0].astype(float)
    if np.linalg.norm(again - targets.v_f[0]) > 0.1 * np.linalg.norm(again):
        raise features.StaleFeatures(
            f"{path} was computed from pictures of another version of the renderer; delete the file"
        )


def _pictures(which: PeopleSet, size: int, workers: int) -> Iterator[np.ndarray]:
    from s2f_lib import people

    for part in people.iterate_pictures(which.population(), range(which.clips), size, workers=workers):
        yield part.reshape(-1, *part.shape[2:])


def _speak_all(which: PeopleSet, path: Path, workers: int, progress: bool) -> None:
    """Speak every clip into a file beside `path`, remembering how far it came; rename it when complete."""
    from tqdm.auto import tqdm

    from s2f_lib.people import speech

    partial, note = path.with_name("voices.partial.npy"), path.with_name("voices.progress.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (which.people, which.clips, SAMPLES)
    done = json.loads(note.read_text())["people"] if note.exists() and partial.exists() else 0
    mode = "r+" if done else "w+"
    sound = np.lib.format.open_memmap(partial, mode, dtype=np.int16, shape=None if done else shape)
    population = which.population()[done:]
    with tqdm(total=which.people, initial=done, unit="person", disable=not progress) as bar:
        for part in speech.stream(population, which.clips, workers, sentences=which.sentences):
            sound[done : done + len(part)] = part
            done += len(part)
            bar.update(len(part))
            if done % 256 < len(part):
                sound.flush()
                with io.atomic_write(note, "w") as file:
                    json.dump({"people": done}, file)
    sound.flush()
    del sound
    partial.rename(path)
    note.unlink(missing_ok=True)


def _check_first_clip(which: PeopleSet, sound: np.ndarray, path: Path) -> None:
    """Speak one clip again and compare it, so that sound of an older synthesiser is never used by mistake."""
    from s2f_lib.people import speech

    again = speech.speak_many(which.population()[:1], 1, workers=1, sentences=which.sentences)[0, 0]
    if sound.shape != (which.people, which.clips, SAMPLES) or np.abs(sound[0, 0].astype(int) - again).max() > 64:
        raise features.StaleFeatures(
            f"{path} was spoken by another version of the synthesiser, or for another set; delete its folder"
        )
