"""What pictures and clips of synthetic people depend on, for the names under which they are kept."""

import hashlib
from functools import cache

import numpy as np

from s2f_lib.config import SEEDS


@cache
def face_version() -> str:
    """Hash of two pictures of one person: another renderer, another hash."""
    from s2f_lib.people import population, render

    person = population.sample(1, seed=SEEDS["development"])[0]
    pictures = render.render_wild(person, 0, 64), render.render_canonical(person, 64)
    return _hash(*(picture.tobytes() for picture in pictures))


@cache
def voice_version() -> str:
    """Hash of a second of speech of one person, on 255 levels: another synthesiser, another hash."""
    from s2f_lib.people import population, speech

    person = population.sample(1, seed=SEEDS["development"])[0]
    return _hash(np.round(speech.speak(person, seconds=1.0) * 127).astype(np.int8).tobytes())


def face_key(population) -> list:
    """What a picture depends on besides its size and number: faces are the same in every world and language."""
    ids = _hash(np.ascontiguousarray(population.ids, dtype=np.int64).tobytes())
    return [face_version(), population.seed, ids]


def voice_key(population) -> list:
    """What a clip depends on besides its sentences and number: also the world, and who speaks which language."""
    languages = _hash(" ".join(population.language).encode())
    return [voice_version(), *face_key(population)[1:], str(population.world), languages]


def _hash(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()
