"""Measure the synthetic voices: does a network of real speakers tell them apart, and do they come out as designed?

    python benchmarks/synthetic_voices.py            # prints; synthetic_people.py calls it and writes the record

Needs resemblyzer, librosa and praat-parselmouth; about five minutes on two free cores.

- *Speakers*: Resemblyzer (weights in its package, trained on real speakers), 150 people, two clean clips that share no
  sentence; verification, identification, and how alike different people are.
- *Design*: pitch, second and third formant and length of the vocal tract, measured by Praat on clean clips in which
  everybody reads the same English sentences, against the parameters.
- *Null*: can sex, age, shape or skin be told from the long-term spectrum? In the null world they must not.
- *Speed*: processor time of one clip; clips per second are measured by synthetic_people.py.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from s2f_lib.config import SEEDS
from s2f_lib.evaluate.statistics import bootstrap
from s2f_lib.people.population import sample
from s2f_lib.people.speech import SAMPLE_RATE, speak, speak_many, stream

SPEAKERS, DESIGN, NULL, TIMED = 150, 120, 504, 40  # people
WORKERS = 2
PITCH_RANGE = {"male": (60, 350), "female": (100, 500)}  # Hz
FIXED_CEILING = {"male": 5000, "female": 5500}  # Hz, for five formants; Praat's values for men and women
TYPICAL = {"male": (500, 1450, 2450), "female": (560, 1650, 2850)}  # Hz, where Praat's tracker expects F1 to F3
DITHER = 1e-4  # against digital silence, in which Burg's method finds no formants


def speaker_metrics(seed: int, people: int = SPEAKERS) -> tuple[dict, dict]:
    """How well Resemblyzer tells the voices apart."""
    from resemblyzer import VoiceEncoder, preprocess_wav

    clips = speak_many(sample(people, "physiology", seed), 2, WORKERS, channel=False)
    clips = clips.astype(np.float32) / 32_768
    encoder = VoiceEncoder("cpu", verbose=False)
    feature = np.array([[encoder.embed_utterance(preprocess_wav(x, SAMPLE_RATE)) for x in c] for c in clips])
    cosine = feature[:, 0] @ feature[:, 1].T
    own = np.diag(cosine)
    rank1 = (np.r_[cosine.argmax(axis=1), cosine.argmax(axis=0)] == np.tile(np.arange(people), 2)).mean()
    below = np.array([_share_below(cosine[i], i) for i in range(people)])
    others = (cosine.sum(axis=1) - own) / (people - 1)
    intervals = {"speaker_auc": _ends(np.mean, below), "speaker_other_cosine": _ends(np.mean, others)}
    metrics = {"speaker_auc": _auc(own, cosine[~np.eye(people, dtype=bool)]), "speaker_rank1": float(rank1)}
    metrics |= {"speaker_other_cosine": float(others.mean()), "speaker_same_cosine": float(own.mean())}
    return metrics, intervals


def _auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Probability that a positive pair is more alike than a negative one."""
    negative = np.sort(negative)
    below, upto = (np.searchsorted(negative, positive, side) for side in ("left", "right"))
    return float((below + upto).mean() / 2 / len(negative))


def _share_below(row: np.ndarray, own: int) -> float:
    return float((np.delete(row, own) < row[own]).mean())


def _ends(statistic, *arrays) -> list[float]:
    interval = bootstrap(statistic, *arrays)
    return [interval.low, interval.high]


def design_metrics(seed: int, people: int = DESIGN) -> tuple[dict, dict]:
    """Pitch, formants and tract length as Praat measures them, against what was asked for."""
    population = sample(people, "physiology", seed)
    with ProcessPoolExecutor(WORKERS) as pool:
        rows = list(pool.map(measure_person, population, chunksize=4))
    heard = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    sex, length = population.sex, population.voice["vtl"]
    pairs = {"f0_r": (heard["f0"], population.voice["f0"])}
    for k in (2, 3):
        pairs[f"f{k}_r"] = (heard[f"f{k}"], heard[f"true_f{k}"])
        for label in ("male", "female"):
            pairs[f"f{k}_r_{'men' if label == 'male' else 'women'}"] = tuple(x[sex == label] for x in pairs[f"f{k}_r"])
    for label, name in (("male", "men"), ("female", "women")):
        pairs[f"tract_length_r_{name}"] = (heard["tract"][sex == label], length[sex == label])
    metrics = {name: _r(a, b) for name, (a, b) in pairs.items()}
    return metrics, {name: _ends(_r, a, b) for name, (a, b) in pairs.items()}


def _r(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def measure_person(person, clips: int = 3) -> dict:
    """Praat's view of one person reading English: medians over vowels, and tract length with a fixed ceiling.

    The second and third formant are measured with a ceiling that fits the tract, as Praat's manual advises. The tract
    length is blind: the ceiling is fixed per sex, and the length follows from the geometric mean of F1, F2 and F3, for
    which a tube of length L gives c / (4 L) times that of 1, 3 and 5.
    """
    pitch, fitted, fixed, true = [], [], [], []
    for item in range(clips):
        sound, truth = speak(person, item, channel=False, return_tracks=True, language="en")
        frames = np.flatnonzero(truth.vowel)[::2]
        pitch.append(_pitch(sound, person.sex))
        fitted.append(_formants(sound, truth.time[frames], 5 * 35_000 / (2 * person.voice["vtl"]), person.sex))
        fixed.append(_formants(sound, truth.time[frames], FIXED_CEILING[person.sex], person.sex))
        true.append(truth.formants[frames])
    fitted, fixed, true = (np.concatenate(x) for x in (fitted, fixed, true))
    middle, true = np.nanmedian(fitted, axis=0), np.median(true, axis=0)
    step = np.exp(np.nanmedian(np.log(fixed / (1, 3, 5)).mean(axis=1)))  # Hz, c / (4 L)
    row = {"f0": np.median(np.concatenate(pitch)), "tract": 35_000 / (4 * step)}
    return row | {f"f{k + 1}": middle[k] for k in range(3)} | {f"true_f{k + 1}": true[k] for k in range(3)}


def _pitch(waveform: np.ndarray, sex: str) -> np.ndarray:
    import parselmouth

    low, high = PITCH_RANGE[sex]
    sound = parselmouth.Sound(waveform.astype(float), SAMPLE_RATE)
    hertz = sound.to_pitch_ac(0.01, low, 15, False, 0.03, 0.45, 0.01, 0.35, 0.14, high).selected_array["frequency"]
    return hertz[hertz > 0]


def _formants(waveform: np.ndarray, times: np.ndarray, ceiling: float, sex: str) -> np.ndarray:
    """F1 to F3 in Hz (frames, 3) by Burg's method and Praat's tracker."""
    import parselmouth

    noise = DITHER * np.random.default_rng(0).standard_normal(len(waveform))
    found = parselmouth.Sound(waveform + noise, SAMPLE_RATE).to_formant_burg(0.005, 5, ceiling, 0.025, 50)
    expected = (*TYPICAL[sex], 3500, 4600)
    try:
        found = parselmouth.praat.call(found, "Track", 3, *expected, 1, 0.1, 1)
    except parselmouth.PraatError as error:  # a frame with fewer than three formants: use them untracked
        print(f"not tracked: {error}".splitlines()[0], file=sys.stderr)
    return np.array([[found.get_value_at_time(k, t) for k in (1, 2, 3)] for t in times])


def null_metrics(seed: int, people: int = NULL, shuffles: int = 500) -> tuple[dict, dict]:
    """Largest correlation of the long-term spectrum with anything of body or face, against shuffled people."""
    metrics = {}
    for world in ("null", "physiology"):
        population = sample(people, world, seed)
        spectra = np.concatenate([_long_term(c) for c in stream(population, 1, WORKERS)])
        body = np.column_stack([*population.face.values(), population.age, population.sex == "female"])
        spectra, body = ((x - x.mean(axis=0)) / x.std(axis=0) for x in (spectra, body.astype(float)))
        rng, n = np.random.default_rng(0), len(spectra)
        chance = [np.abs(spectra[rng.permutation(n)].T @ body).max() / n for _ in range(shuffles)]
        value = np.abs(spectra.T @ body).max() / n
        metrics[f"{world}_audio_largest_r"] = float(value)
        metrics[f"{world}_audio_p"] = float((1 + np.sum(np.array(chance) >= value)) / (1 + shuffles))
    return metrics, {}


def _long_term(clips: np.ndarray, bands: int = 32) -> np.ndarray:
    """Mean power in dB of each clip in bands of equal width on a mel-like scale, (clips, bands)."""
    from scipy.signal import welch

    frequency, power = welch(clips[:, 0] / 32_768, SAMPLE_RATE, nperseg=1024)
    edges = 700 * (10 ** (np.linspace(0.03, np.log10(1 + 8000 / 700), bands + 1)) - 1)
    where = np.clip(np.searchsorted(edges, frequency) - 1, 0, bands - 1)
    level = np.stack([power[:, where == b].mean(axis=1) for b in range(bands) if (where == b).any()], axis=1)
    level = 10 * np.log10(level + 1e-12)
    return level - level.mean(axis=1, keepdims=True)


def speed_metrics(seed: int, clips: int = TIMED) -> tuple[dict, dict]:
    """Processor time of one clip of six seconds with channel, in one process."""
    population = sample(clips, "physiology", seed)
    speak(population[0])
    spent = []
    for person in population:
        start = time.process_time()
        speak(person)
        spent.append(time.process_time() - start)
    return {"clip_cpu_ms": 1000 * float(np.median(spent))}, {}


def measure_voices(seed: int = SEEDS["test"]) -> tuple[dict, dict]:
    """All metrics of the voices, and the intervals of those that have one."""
    metrics, intervals = {}, {}
    for part in (speed_metrics, design_metrics, null_metrics, speaker_metrics):
        found, ends = part(seed)
        print({name: round(value, 4) for name, value in found.items()}, flush=True)
        metrics, intervals = metrics | found, intervals | ends
    return metrics, intervals


if __name__ == "__main__":
    measure_voices()
