"""A recording goes in, a computer-made face comes out: the average of people who sound alike, and nobody in particular.

The voice head predicts the feature of real faces; the ``dlib`` decoder was trained on synthetic heads. So the predicted
difference from the mean real face is carried over to the mean synthetic face, in the size that differences have there.
"""

from __future__ import annotations

import functools
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from s2f_lib import io
from s2f_lib.published import contest, layout, measure
from s2f_lib.published.voice_heads import LikelihoodHead

DECODER = "decoder-dlib"  # its name in the hub
EXAGGERATION = 0.7  # of the authors' published pictures; 0 is the plain prediction, very near the mean face
SYNTHETIC_PEOPLE = 64  # behind the mean synthetic feature


class Reference(NamedTuple):
    """Where face features lie: their mean, and the mean distance from it."""

    mean: np.ndarray  # (128,)
    spread: float

    @classmethod
    def of(cls, features: np.ndarray) -> Reference:
        """From features (N, 128)."""
        mean = features.mean(axis=0)
        return cls(mean, float(np.linalg.norm(features - mean, axis=1).mean()))


def default_head() -> Path:
    """Where `train` writes the head unless told otherwise: in the cache folder, never in the repository."""
    return io.cache_dir() / "published" / "voice_head.npz"


def train(folder: str | Path, part: str = "avspeech", out: str | Path | None = None, progress: bool = True) -> Path:
    """Fit the winning head on all pairs of a part and keep it on this machine, as the ``.npz`` file `out`.

    The first time every picture and recording is measured (about 6 minutes on one core), later it takes seconds.
    """
    pairs = measure.pairs_of(folder, part, progress=progress)
    head = contest.best()(pairs.voice, pairs.face, pairs.speakers)
    real = Reference.of(pairs.face)
    out = Path(out) if out else default_head()
    with io.atomic_write(out) as file:
        np.savez(file, **head.state(), real_mean=real.mean, real_spread=real.spread, n_pairs=len(pairs))
    return out


def load(path: str | Path | None = None) -> tuple[LikelihoodHead, Reference]:
    """The head that `train` wrote, and the real faces it was fitted on.

    FileNotFoundError names the command if it was not trained here, io.WeightFileError a damaged file.
    """
    path = Path(path) if path else default_head()
    if not path.is_file():
        raise FileNotFoundError(
            f"no voice head at {path}; with the published examples fetched, make it with: s2f published train"
        )
    try:
        with np.load(path) as state:
            arrays = dict(state)
        return LikelihoodHead.from_state(arrays), Reference(arrays["real_mean"], float(arrays["real_spread"]))
    except (ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise io.WeightFileError(
            f"{path} holds no voice head ({error}); delete it and make it with: s2f published train"
        ) from error


@functools.cache
def synthetic_reference() -> Reference:
    """Mean and spread of the recogniser's features of synthetic people, a tenth of a second each."""
    from s2f_lib import config, faces, hub, people

    population = people.sample(SYNTHETIC_PEOPLE, seed=config.SEEDS["test"])
    images = people.render_many(population, items=[0], size=160, kind="wild", workers=1)[:, 0]
    return Reference.of(hub.load("dlib")(faces.to_tensor(images)).v_f.numpy())


def carried_over(
    feature: np.ndarray, real: Reference, synthetic: Reference, exaggeration: float = EXAGGERATION
) -> np.ndarray:
    """A feature among real faces to its counterpart among synthetic ones; (..., 128).

    The difference from the mean is multiplied by 1 + ``exaggeration``, as the authors did for their figures.

    Examples
    --------
    >>> flat = Reference(np.zeros(2), 1.0)
    >>> carried_over(np.array([0.5, 0.0]), flat, Reference(np.ones(2), 2.0), 1.0).tolist()
    [3.0, 1.0]
    """
    step = (np.asarray(feature) - real.mean) * (synthetic.spread / real.spread)
    return synthetic.mean + (1 + exaggeration) * step


def average_face(
    waveform: np.ndarray, head: str | Path | None = None, exaggerations: tuple[float, ...] = (0.0, EXAGGERATION, 1.4)
) -> np.ndarray:
    """Faces that the head and the decoder draw for a voice, one per exaggeration.

    Parameters
    ----------
    waveform : np.ndarray, shape (samples,), float in [-1, 1]
        Mono, 16 kHz, a few seconds of one speaker; ValueError if it is silent or too short.
    head : str or Path, optional
        File that `train` wrote; FileNotFoundError if it was not trained on this machine.

    Returns
    -------
    np.ndarray, shape (len(exaggerations), S, S, 3), uint8
        Unmarked; show or save them through `plotting.mark_face`.
    """
    import torch

    from s2f_lib import faces, hub
    from s2f_lib.published.voices import voice_feature

    fitted, real = load(head)
    predicted = fitted.predict(voice_feature(waveform)[None])
    synthetic = synthetic_reference()
    features = np.concatenate([carried_over(predicted, real, synthetic, alpha) for alpha in exaggerations])
    with torch.no_grad():
        images = hub.load(DECODER)(torch.from_numpy(features.astype(np.float32))).image
    return faces.to_pictures(images)


def missing(head: str | Path | None = None) -> str:
    """What is needed before a recording can become a face; empty when everything is here."""
    from s2f_lib import hub

    entry = next((entry for entry in hub.available() if entry["name"] == DECODER), None)
    if entry is None or not entry["present"]:
        return f"the decoder {DECODER!r} is not among the weights here: python -m tools.train_decoder --help"
    try:
        load(head)
    except FileNotFoundError as error:
        return str(error)
    return ""


def train_main(arguments: Sequence[str] | None = None) -> int:
    """``s2f published train``: the voice head that ``s2f face`` then uses."""
    parser = layout.parser("train", "Fit the voice head on all pairs of a part.")
    parser.add_argument("--out", type=Path, help="where to write it (default: the cache folder)")
    options = parser.parse_args(arguments)
    folder = layout.located(options)
    print(f"head -> {train(folder, options.part, options.out, progress=not options.quiet)}")
    return 0
