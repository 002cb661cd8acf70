"""Measure the synthetic voices: does a network of real speakers tell them apart, and do they come out as designed?

    python benchmarks/synthetic_voices.py            # prints; synthetic_people.py calls it and writes the record

Needs resemblyzer, librosa and praat-parselmouth; about seven minutes on two free cores.

- *Speakers*: Resemblyzer (weights in its package, trained on real speakers), 150 people, two clean clips that share no
  sentence; verification, identification, and how alike different people are.
- *Design*: pitch, second and third formant and length of the vocal tract, measured by Praat on clean clips in which
  everybody reads English, against the parameters. The length is told by a published formula, by weights fitted on other
  people, and by a listener who knows the true formants.
- *Null*: can sex, age, shape or skin be told from the long-term spectrum of 2,016 people? In the null world they must
  not: the largest correlation is compared with those of shuffled people. `synthetic_people.py --null` does this alone.
- *Speed*: processor time of one clip; clips per second are measured by synthetic_people.py.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import combinations
from types import SimpleNamespace

import numpy as np

from s2f_lib.config import SEEDS
from s2f_lib.io import row
from s2f_lib.metrics.inference import bootstrap
from s2f_lib.metrics.verification import auc_of_people
from s2f_lib.people import habits, tracks
from s2f_lib.people.phones import NEUTRAL
from s2f_lib.people.population import sample
from s2f_lib.people.speech import SAMPLE_RATE, speak, speak_many, stream

SPEAKERS, DESIGN, NULL, TIMED = 150, 560, 2016, 40  # people
WORKERS = 2
PITCH_RANGE = {"male": (60, 350), "female": (100, 500)}  # Hz
FIXED_CEILING = {"male": 5000, "female": 5500}  # Hz, for five formants; Praat's values for men and women
TYPICAL = {"male": (500, 1450, 2450), "female": (560, 1650, 2850)}  # Hz, where Praat's tracker expects F1 to F3
ODD = np.array([1, 3, 5, 7])  # a tube closed at one end has its formants at these multiples of c / (4 L)
SPEED_OF_SOUND = 35_000  # cm/s
DITHER = 1e-4  # against digital silence, in which Burg's method finds no formants and the tracker stops


def speaker_rows(seed: int, people: int = SPEAKERS) -> list[dict]:
    """How well Resemblyzer tells the voices apart."""
    from resemblyzer import VoiceEncoder, preprocess_wav

    clips = speak_many(sample(people, "physiology", seed), 2, WORKERS, channel=False)
    clips = clips.astype(np.float32) / 32_768
    encoder = VoiceEncoder("cpu", verbose=False)
    feature = np.array([[encoder.embed_utterance(preprocess_wav(x, SAMPLE_RATE)) for x in c] for c in clips])
    cosine = feature[:, 0] @ feature[:, 1].T
    own = np.diag(cosine)
    rank1 = (np.r_[cosine.argmax(axis=1), cosine.argmax(axis=0)] == np.tile(np.arange(people), 2)).mean()
    others = (cosine.sum(axis=1) - own) / (people - 1)
    drawn = np.arange(people)
    auc = partial(auc_of_people, cosine)
    by = {"by": "speaker network"}
    return [
        row("auc", auc(drawn), **by) | _ends(auc, drawn),
        row("recall_at", rank1, **by, k=1, gallery=people),
        row("cosine", others.mean(), **by, pair="two people") | _ends(np.mean, others),
        row("cosine", own.mean(), **by, pair="same person"),
    ]


def _ends(statistic, *arrays) -> dict[str, float]:
    interval = bootstrap(statistic, *arrays)
    return {"low": interval.low, "high": interval.high}


def design_rows(seed: int, people: int = DESIGN) -> list[dict]:
    """Pitch, formants and tract length as Praat measures them, against what was asked for."""
    population = sample(people, "physiology", seed)
    with ProcessPoolExecutor(WORKERS) as pool:
        persons = list(pool.map(measure_person, population, chunksize=4))
    heard = {name: np.array([one[name] for one in persons]) for name in persons[0]}
    sex, length = population.sex, population.voice["vtl"]
    rows = [_correlated(heard["f0"], population.voice["f0"], attribute="pitch", by="Praat")]
    for k in (2, 3):
        of = {"attribute": f"formant {k}", "by": "Praat"}
        both = heard[f"f{k}"], heard[f"true_f{k}"]
        rows.append(_correlated(*both, **of))
        rows += [_correlated(*(x[sex == one] for x in both), **of, sex=one) for one in ("male", "female")]
    for one in ("male", "female"):
        measured, true, asked = (x[sex == one] for x in (heard["formants"], heard["true_formants"], length))
        of = {"attribute": "tract length", "sex": one}
        rows += [
            _correlated(tract_length(measured), asked, **of, by="Praat"),
            _correlated(weighted_length(measured, asked), asked, **of, by="Praat, fitted weights"),
            _correlated(weighted_length(true, asked), asked, **of, by="true formants, fitted weights"),
        ]
    return rows


def _correlated(a: np.ndarray, b: np.ndarray, **conditions) -> dict:
    """A row with a correlation and its interval over people."""
    return row("r", _r(a, b), **conditions) | _ends(_r, a, b)


def _r(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def measure_person(person, clips: int = 3) -> dict:
    """Praat's view of one person reading English, and the truth: medians over vowels, whose times are known.

    F2 and F3 (``f2``, ``f3``) are measured with a ceiling that fits the tract, as Praat's manual advises. The formants
    for the length of the tract (``formants``) are blind, as far as a forced alignment is: what is known is the sex,
    which decides the fixed ceiling, and where the vowels lie, nothing else.
    """
    pitch, fitted, true, blind = [], [], [], []
    for item in range(clips):
        sound, truth = speak(person, item, channel=False, return_tracks=True, language="en")
        frames = np.flatnonzero(truth.vowel)[::2]
        ceiling = 5 * SPEED_OF_SOUND / (2 * person.voice["vtl"])
        pitch.append(_pitch(sound, person.sex))
        fitted.append(_formants(sound, truth.time[frames], ceiling, person.sex))
        blind.append(_candidates(sound, truth, FIXED_CEILING[person.sex]))
        true.append(truth.formants[frames])
    middle, true = np.nanmedian(np.concatenate(fitted), axis=0), np.median(np.concatenate(true), axis=0)
    found = {"f0": np.median(np.concatenate(pitch)), "true_formants": np.append(true, fourth_formant(person))}
    found |= {"formants": four_formants(*np.concatenate(blind, axis=1), FIXED_CEILING[person.sex])}
    return found | {f"f{k + 1}": middle[k] for k in range(3)} | {f"true_f{k + 1}": true[k] for k in range(3)}


def four_formants(centre: np.ndarray, width: np.ndarray, ceiling: float) -> np.ndarray:
    """Medians of F1 to F4 in Hz, (4,), over the frames in which Burg's method finds four or more below the ceiling.

    Of five candidates one is often none of the four: a pole that models the slope of the spectrum, which may lie
    anywhere, or F5 of a long tract. The four are those that cost Praat's tracker least, with its own costs (1 per kHz
    from the reference, and bandwidth over frequency) and references (550, 1650, 2750, 3850 Hz for a ceiling of 5500 Hz,
    here in proportion to the ceiling). Its cost of transitions is left out: it would need four formants in every frame,
    pauses included.

    Parameters
    ----------
    centre, width : np.ndarray, shape (frames, candidates)
        Frequencies and bandwidths in Hz by rising frequency, NaN where a frame has fewer.
    ceiling : float
        Of the five formants, in Hz.

    Raises
    ------
    ValueError
        If no frame has four formants.
    """
    choices = np.array(list(combinations(range(centre.shape[1]), len(ODD))))
    four, spread = centre[:, choices], width[:, choices]  # (frames, choices, 4)
    cost = (np.abs(four - ceiling / 10 * ODD) / 1000 + spread / four).sum(axis=2)
    usable = np.isfinite(cost).any(axis=1)
    if not usable.any():
        raise ValueError(f"no frame with {len(ODD)} formants among {len(centre)}; is this speech?")
    return np.median(four[usable, np.nanargmin(cost[usable], axis=1)], axis=0)


def tract_length(formants: np.ndarray) -> np.ndarray:
    """Tract lengths in cm, (people,), of F1 to F4 in Hz, (people, 4); nothing in it is fitted.

    Each formant gives a length of its own, that of a tube with this formant: c (2k - 1) / (4 F_k). The answer is the
    median of the four, so that one formant taken for another costs little; the line through all four (Reby & McComb,
    2003) follows it. This and the rule of `four_formants` were chosen on people of other seeds than those scored.
    """
    return SPEED_OF_SOUND / (4 * np.median(formants / ODD, axis=1))


def weighted_length(formants: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Tract lengths in cm, (people,), of F1 to F4 in Hz, (people, 4), by weights fitted on other people of one sex.

    Linear in the logarithms; each person's weights come from all others (leave one out). With true formants this is the
    perfect listener: what no measurement of them can much exceed, because a person's formant scales and phone offsets
    move them without the tract.
    """
    x = np.column_stack([np.ones(len(length)), np.log(formants)])
    hat = x @ np.linalg.pinv(x)
    y = np.log(length)
    return np.exp(y - (y - hat @ y) / (1 - np.diag(hat)))


def fourth_formant(person) -> float:
    """True F4 in Hz, which stands still whatever a person says."""
    rest = SimpleNamespace(formants=np.array([NEUTRAL]))
    return float(tracks.formants(rest, person.voice, habits.draw(person.voice["idiolect"]))[1][0])


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


def _candidates(waveform: np.ndarray, truth, ceiling: float) -> np.ndarray:
    """Frequencies and bandwidths in Hz (2, frames, 5) by Burg's method, as found, in the vowels of every 10 ms."""
    import parselmouth

    found = parselmouth.Sound(waveform.astype(float), SAMPLE_RATE).to_formant_burg(0.01, 5, ceiling, 0.025, 50)
    vowel = np.append(truth.vowel, False)  # a fast speaker may be done before the clip is
    times = [t for t in found.xs() if vowel[min(int(t / tracks.FRAME), len(truth.vowel))]]
    ask = (found.get_value_at_time, found.get_bandwidth_at_time)
    return np.array([[[value(k, t) for k in range(1, 6)] for t in times] for value in ask])


def null_rows(seed: int, people: int = NULL, shuffles: int = 500) -> list[dict]:
    """Largest correlation of the long-term spectrum with anything of body or face, against shuffled people.

    ``chance_r`` is what 95 % of the shuffled populations stay below, ``p`` the share of them that reach what was found.
    """
    rows = []
    for world in ("null", "physiology"):
        population = sample(people, world, seed)
        spectra = np.concatenate([_long_term(c) for c in stream(population, 1, WORKERS)])
        body = np.column_stack([*population.face.values(), population.age, population.sex == "female"])
        spectra, body = ((x - x.mean(axis=0)) / x.std(axis=0) for x in (spectra, body.astype(float)))
        rng, n = np.random.default_rng(0), len(spectra)
        chance = [np.abs(spectra[rng.permutation(n)].T @ body).max() / n for _ in range(shuffles)]
        value = np.abs(spectra.T @ body).max() / n
        rows += [
            row("largest_r", value, world=world),
            row("chance_r", np.quantile(chance, 0.95), world=world),
            row("p", (1 + np.sum(np.array(chance) >= value)) / (1 + shuffles), world=world),
        ]
    return rows


def _long_term(clips: np.ndarray, bands: int = 32) -> np.ndarray:
    """Mean power in dB of each clip in bands of equal width on a mel-like scale, (clips, bands)."""
    from scipy.signal import welch

    frequency, power = welch(clips[:, 0] / 32_768, SAMPLE_RATE, nperseg=1024)
    edges = 700 * (10 ** (np.linspace(0.03, np.log10(1 + 8000 / 700), bands + 1)) - 1)
    where = np.clip(np.searchsorted(edges, frequency) - 1, 0, bands - 1)
    level = np.stack([power[:, where == b].mean(axis=1) for b in range(bands) if (where == b).any()], axis=1)
    level = 10 * np.log10(level + 1e-12)
    return level - level.mean(axis=1, keepdims=True)


def speed_rows(seed: int, clips: int = TIMED) -> list[dict]:
    """Processor time of one clip of six seconds with channel, in one process."""
    population = sample(clips, "physiology", seed)
    speak(population[0])
    spent = []
    for person in population:
        start = time.process_time()
        speak(person)
        spent.append(time.process_time() - start)
    return [row("duration", np.median(spent), what="processor, one clip")]


def measure_voices(seed: int = SEEDS["test"]) -> list[dict]:
    """All rows of the voices."""
    rows = []
    for part in (speed_rows, design_rows, null_rows, speaker_rows):
        rows += (found := part(seed))
        print(*found, sep="\n", flush=True)
    return rows


if __name__ == "__main__":
    measure_voices()
