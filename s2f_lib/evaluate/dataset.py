"""What an evaluation looks at: test people, their true features, and what the encoder heard; made once and kept.

Everything here is expensive and repeatable, so it is kept in the cache of arrays (`s2f_lib.io.cache`) under a hash of
all that it was made from: networks, seeds, numbers, the version of renderer and synthesiser.
"""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from s2f_lib import hub, io, people, voice_encoder
from s2f_lib.people import Population
from s2f_lib.people.fingerprint import face_key, voice_key
from s2f_lib.training.people_set import show


def load_encoder(name: str) -> voice_encoder.VoiceEncoder:
    """An encoder by its name in the hub, or from a file written by `voice_encoder.save`."""
    return voice_encoder.load(name) if name.endswith(".safetensors") else hub.load(name)


def face_features(
    recogniser: Callable,
    population: Population,
    items: Sequence[int] = (0,),
    kind: str = "wild",
    workers: int = 2,
    progress: bool = False,
) -> np.ndarray:
    """v_f of pictures of everybody, shape (people, items, D), float32."""
    from s2f_lib import faces

    def compute() -> np.ndarray:
        size = recogniser.image_size
        chunks = people.iterate_pictures(population, items, size, kind, workers)
        parts = [faces.extract(recogniser, part)[0] for part in show(chunks, len(population), "faces", progress)]
        return np.concatenate(parts).astype(np.float32)

    made_from = [recogniser.checksum, recogniser.image_size, kind, list(items), *face_key(population)]
    return io.cache.array("evaluate/faces", made_from, compute)


def canonical_faces(population: Population, size: int, workers: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """True canonical pictures, uint8 (people, size, size, 3), and landmarks in [0, 1], (people, 68, 2)."""

    def render() -> dict[str, np.ndarray]:
        made = people.render_many(population, None, size, "canonical", workers=workers, return_landmarks=True)
        return {"pictures": made[0][:, 0], "landmarks": made[1][:, 0]}

    found = io.cache.arrays("evaluate/canonical", [size, *face_key(population)], render)
    return found["pictures"], found["landmarks"] / size


def voice_features(
    encoder: Callable,
    population: Population,
    item: int = 0,
    *,
    changes: Sequence[Callable[[np.ndarray], np.ndarray] | None] = (None,),
    workers: int = 2,
    progress: bool = False,
    **options,
) -> np.ndarray:
    """v_s of one clip of everybody, sentences of the test set, shape (people, changes, D), float32.

    Each of ``changes`` alters waveforms (B, T) in [-1, 1] before they are heard (None: as they are); its ``name`` says
    all that it does (see `s2f_lib.audio.degrade`). A clip is synthesised once for all of them.
    ``options`` go to `people.speak` (language, channel ...).
    """
    from s2f_lib.people import speech

    def compute() -> np.ndarray:
        chunks = speech.stream(population, [item], workers, sentences="test", **options)
        parts = []
        for part in show(chunks, len(population), "voices", progress):
            waveform = part[:, 0].astype(np.float32) / 32_768
            heard = [encode(encoder, waveform if change is None else change(waveform)) for change in changes]
            parts.append(np.stack(heard, axis=1))
        return np.concatenate(parts)

    changed = ["" if change is None else change.name for change in changes]
    made_from = [fingerprint(encoder), item, changed, sorted(options.items()), *voice_key(population)]
    return io.cache.array("evaluate/voices", made_from, compute)


def encode(encoder: Callable, waveform: np.ndarray, batch_size: int = 32) -> np.ndarray:
    """Waveforms (B, samples) in [-1, 1] -> v_s (B, D), float32, without gradients, in evaluation mode."""
    import torch

    was_training = getattr(encoder, "training", False)
    if was_training:
        encoder.eval()
    try:
        with torch.inference_mode():
            parts = torch.from_numpy(np.ascontiguousarray(waveform, np.float32)).split(batch_size)
            return np.concatenate([encoder(part).float().cpu().numpy() for part in parts])
    finally:
        if was_training:
            encoder.train()


def decode(decoder: Callable, v: np.ndarray, batch_size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Features (N, D) -> faces uint8 (N, S, S, 3) and landmarks (N, 68, 2) in [0, 1] of the picture."""
    from s2f_lib import faces

    out = faces.decode(decoder, v, batch_size)
    return faces.to_pictures(out.image), out.landmarks.numpy()


def fingerprint(network) -> str:
    """Hash of a network's weights, or its ``checksum`` when it has one."""
    if getattr(network, "checksum", ""):
        return network.checksum
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
