"""Source and filter: glottal pulses and noise, shaped by the vocal tract, one spectrum per pulse.

Source: the CALM glottal pulse of Doval, d'Alessandro & Henrich (2003), whose anticausal resonance follows from open
quotient and asymmetry, with a spectral tilt that grows when the voice is soft. Filter: eight formants and a nasal
pole and zero. Each pulse is one inverse FFT of source times filter, added at a position of 1/32 sample; breath and
friction are white noise shaped frame by frame.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from s2f_lib.people.habits import COLOUR_KNOTS, Habits
from s2f_lib.people.phones import NOISES, PLACES, REFERENCE_VTL
from s2f_lib.people.tracks import FRAME, Tracks, bandwidths, formants

SAMPLE_RATE = 16_000
HOP = round(FRAME * SAMPLE_RATE)  # samples per frame
PULSE_FFT, NOISE_FFT = 640, 320
CLOSING = 208  # the glottis closes at this sample of a pulse's FFT
FRACTIONS = 32  # pulse positions per sample
EFFORTS = np.linspace(-12, 6, 7)  # dB of loudness for which a source spectrum is kept
TILT_PER_DB = 0.35  # dB of tilt at 3 kHz lost per dB of loudness gained
CHUNK = 64  # pulses at a time: stays in the cache
UPPER_BANDWIDTHS = np.array([150.0, 220, 320, 420, 520])  # Hz, F4 to F8
NASAL_BANDWIDTH = 90.0  # Hz
NOISE_WINDOW = np.hanning(NOISE_FFT + 1)[:-1].astype(np.float32)
LEVEL = 0.05  # root mean square of every clip


def render(tracks: Tracks, voice: dict, habits: Habits, rng: np.random.Generator) -> tuple[np.ndarray, dict]:
    """Waveform of some tracks, (frames * 80,) float64, and its ``f0`` (frames,) and ``formants`` (frames, 3) in Hz."""
    moving, upper = formants(tracks, voice, habits)
    width = bandwidths(moving, upper[0], voice["bw"]) * habits.bandwidths[:3] ** 0.6
    upper_width = UPPER_BANDWIDTHS * voice["bw"] * habits.bandwidths[3:]
    f0 = pitch(tracks, voice, rng)
    phase = np.cumsum(np.repeat(f0, HOP)) / SAMPLE_RATE
    level = tracks.voicing * 10 ** (tracks.gain / 20)
    sound = _voice(tracks, voice, habits, rng, moving, width, upper, upper_width, f0, phase, level)
    sound += _breath(tracks, voice, rng, moving, width, upper, upper_width, phase, level)
    sound += _friction(tracks, voice, habits, rng)
    return sound, {"f0": f0, "formants": moving}


def pitch(tracks: Tracks, voice: dict, rng: np.random.Generator) -> np.ndarray:
    """Fundamental frequency per frame in Hz: melody, slow drift, tremor, and the drop of creaky phrase ends."""
    frames = len(tracks)
    drift = np.cumsum(rng.standard_normal(frames)) * 0.02
    drift = np.clip(drift - np.linspace(drift[0], drift[-1], frames), -0.8, 0.8)
    semitones = voice["f0_range"] * tracks.semitones + drift - 7 * tracks.creak
    voiced = tracks.voicing > 0.3
    if voiced.any():
        semitones = semitones - np.median(semitones[voiced])
    tremor = voice["tremor"] * np.sin(2 * np.pi * (5.2 * FRAME * np.arange(frames) + rng.random()))
    return voice["f0"] * 2 ** ((semitones + tremor) / 12)


def inverse_tract(centre: np.ndarray, width: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    """One over the transfer function of resonances: (rows, resonances) in Hz -> (rows, frequencies) complex64."""
    product = None
    f = frequency.astype(np.float32)[None]
    squared = f * f
    for k in range(centre.shape[1]):
        scale = (1 / (centre[:, k] ** 2 + width[:, k] ** 2 / 4)).astype(np.float32)[:, None]
        factor = np.empty((len(centre), f.shape[1]), np.complex64)
        factor.real = 1 - squared * scale
        factor.imag = f * (width[:, k].astype(np.float32)[:, None] * scale)
        product = factor if product is None else np.multiply(product, factor, out=product)
    return product


def colour(habits: Habits, voice: dict, frequency: np.ndarray) -> np.ndarray:
    """Gain of the personal colour above the third formant, with the side branch of the throat; real, (frequencies,)."""
    from scipy.interpolate import PchipInterpolator

    gain = 10 ** (PchipInterpolator(COLOUR_KNOTS, habits.colour)(frequency) / 20)
    where, depth = habits.zero
    centre = where * REFERENCE_VTL / voice["vtl"]
    return gain * (1 - 0.8 * depth / (1 + ((frequency - centre) / 350) ** 2))


def _pulse_times(tracks, voice, rng, f0, phase, level):
    """Sample position, frame, period (s) and amplitude of every glottal pulse, with jitter, shimmer and creak."""
    cycles = np.arange(1, int(phase[-1]))
    time = np.interp(cycles, phase, np.arange(len(phase)))
    frame = np.minimum((time / HOP).astype(int), len(f0) - 1)
    period = SAMPLE_RATE / f0[frame]
    irregular = 1 + 5 * tracks.creak[frame]
    time = time + voice["jitter"] * irregular * period * rng.standard_normal(len(time)) / 1.7
    amplitude = level[frame] * np.exp(voice["shimmer"] * irregular * rng.standard_normal(len(time)))
    keep = (tracks.voicing[frame] > 0.02) & (time > 300) & (time < len(phase) - 200)
    return time[keep], frame[keep], period[keep] / SAMPLE_RATE, amplitude[keep]


def _fixed_spectra(voice, habits, upper, upper_width, frequency):
    """What does not change within a clip, for each effort and each fraction of a sample: complex64 (7 * 33, bins)."""
    jw = 1j * frequency
    nose = voice["fnp"] ** 2 + (NASAL_BANDWIDTH / 2) ** 2
    fixed = 2 * np.pi * jw / inverse_tract(upper[None], upper_width[None], frequency)[0]
    fixed = fixed * nose / (nose - frequency**2 + NASAL_BANDWIDTH * jw)
    fixed = fixed * np.exp(-2j * np.pi * frequency * CLOSING / SAMPLE_RATE) * colour(habits, voice, frequency)
    fixed[0] = 0
    tilt = np.clip(voice["tilt"] - TILT_PER_DB * EFFORTS, 0.3, 25)
    corner = 3000 / np.sqrt(10 ** (tilt / 10) - 1)  # of a first-order low pass, reached again above 4 kHz
    source = (1 + jw / 4500) / (1 + jw / 16_000) / (1 + jw / corner[:, None])
    turn = np.exp((-2j * np.pi / SAMPLE_RATE / FRACTIONS) * frequency * np.arange(FRACTIONS + 1)[:, None])
    spectra = (fixed * source).astype(np.complex64)[:, None] * turn.astype(np.complex64)
    return spectra.reshape(-1, len(frequency))


class _Pulses(NamedTuple):
    """Everything about the glottal pulses of a clip, one row per pulse."""

    start: np.ndarray  # sample of the closing instant
    row: np.ndarray  # row of the fixed spectra: effort and fraction of a sample
    frame: np.ndarray
    amplitude: np.ndarray  # float32
    width: np.ndarray  # (pulses, 3) Hz, bandwidths of the moving formants
    nose: np.ndarray  # squared radius of the nasal zero, Hz^2
    stiffness: np.ndarray  # of the glottal formant, (rad/s)^2
    loss: np.ndarray  # of the glottal formant, rad/s
    mouth: np.ndarray  # Hz, zero of the closed mouth
    closed: np.ndarray  # bool, nasal consonants

    def part(self, first: int) -> _Pulses:
        return _Pulses(*(column[first : first + CHUNK] for column in self))


def _pulses(tracks, voice, rng, width, f0, phase, level) -> _Pulses:
    time, frame, period, amplitude = _pulse_times(tracks, voice, rng, f0, phase, level)
    nasal = np.clip(tracks.nasal[frame] + voice["nasality"] * (tracks.vowel[frame] > 0.5), 0, 1)
    open_quotient = voice["oq"] + 0.10 * (tracks.voicing[frame] < 0.4) + 0.03 * rng.standard_normal(len(time))
    glottal = np.pi / (np.clip(open_quotient, 0.35, 0.95) * period)  # the glottal formant, rad/s
    damping = -glottal / np.tan(np.pi * voice["am"])
    start = np.floor(time).astype(int)
    effort = np.clip(np.round((tracks.gain[frame] - EFFORTS[0]) / (EFFORTS[1] - EFFORTS[0])), 0, len(EFFORTS) - 1)
    row = effort.astype(int) * (FRACTIONS + 1) + np.round((time - start) * FRACTIONS).astype(int)
    nose = (voice["fnp"] * (1 + 0.75 * nasal)) ** 2 + (NASAL_BANDWIDTH / 2) ** 2
    columns = [x.astype(np.float32)[:, None] for x in (nose, glottal**2 + damping**2, -2 * damping)]
    pulse_width = width[frame] * (1 + nasal[:, None] * np.array([1.2, 0.8, 0.5]))
    mouth = tracks.nasal_zero[frame] * REFERENCE_VTL / voice["vtl"]
    closed = tracks.nasal_zero[frame] > 800
    amplitude = (SAMPLE_RATE * amplitude).astype(np.float32)
    return _Pulses(start, row, frame, amplitude, pulse_width, *columns, mouth, closed)


def _voice(tracks, voice, habits, rng, moving, width, upper, upper_width, f0, phase, level) -> np.ndarray:
    frequency = np.fft.rfftfreq(PULSE_FFT, 1 / SAMPLE_RATE).astype(np.float32)
    spectra = _fixed_spectra(voice, habits, upper, upper_width, frequency)
    pulses = _pulses(tracks, voice, rng, width, f0, phase, level)
    out = np.zeros(len(phase) + 2 * PULSE_FFT)
    for first in range(0, len(pulses.start), CHUNK):
        part = pulses.part(first)
        spectrum = _pulse_spectra(part, spectra[part.row], moving, frequency)
        wave = np.fft.irfft(spectrum, PULSE_FFT, axis=1) * part.amplitude[:, None]
        for j, place in enumerate(part.start - CLOSING + PULSE_FFT):
            out[place : place + PULSE_FFT] += wave[j]
    return out[PULSE_FFT : PULSE_FFT + len(phase)]


def _pulse_spectra(part: _Pulses, fixed: np.ndarray, moving: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    """Spectra of some pulses: what is fixed, over glottal formant and moving formants, times the zeros of the nose."""
    omega = (2 * np.pi * frequency)[None]
    below = inverse_tract(moving[part.frame], part.width, frequency)
    factor = np.empty_like(below)
    factor.real, factor.imag = part.stiffness - omega**2, part.loss * omega
    below *= factor
    spectrum = fixed / below
    factor.real, factor.imag = 1 - (frequency**2)[None] / part.nose, (NASAL_BANDWIDTH * frequency)[None] / part.nose
    spectrum *= factor
    shut = np.flatnonzero(part.closed)
    if len(shut):
        at = part.mouth[shut][:, None]
        spectrum[shut] *= inverse_tract(at, np.full_like(at, 180.0), frequency)
        spectrum[shut] /= inverse_tract(1.25 * at, np.full_like(at, 260.0), frequency)
    return spectrum


def _shaped_noise(white: np.ndarray, starts: np.ndarray, spectra: np.ndarray, step: int) -> np.ndarray:
    """White noise (samples + 320,) shaped by spectra (n, 161), one for each window that starts at `starts`."""
    pieces = white[starts[:, None] + np.arange(NOISE_FFT)[None]] * NOISE_WINDOW
    pieces = np.fft.irfft(np.fft.rfft(pieces, axis=1) * spectra, NOISE_FFT, axis=1)
    out = np.zeros(len(white), np.float32)
    for start, piece in zip(starts, pieces, strict=True):
        out[start : start + NOISE_FFT] += piece
    samples, delay = len(white) - NOISE_FFT, NOISE_FFT // 2
    return np.concatenate([np.zeros(delay), out[: samples - delay]]) * (2 * step / NOISE_FFT)


def _breath(tracks, voice, rng, moving, width, upper, upper_width, phase, level) -> np.ndarray:
    """Aspiration through the tract, pulsed by the glottis where the voice sounds; a new spectrum every 10 ms."""
    gain = (voice["breath"] * level + voice["asp"] * tracks.aspiration).astype(np.float32)
    gain = np.convolve(gain, np.full(2, 0.5, np.float32), "same")
    frames = np.arange(0, len(gain), 2)
    frames = frames[gain[frames] > 2e-3]
    frequency = np.fft.rfftfreq(NOISE_FFT, 1 / SAMPLE_RATE)
    radiation = frequency / np.sqrt(frequency**2 + 900.0**2)
    fixed = radiation / np.abs(inverse_tract(upper[None], upper_width[None] * 1.3, frequency)[0])
    tract = fixed.astype(np.float32) / np.abs(inverse_tract(moving[frames], width[frames] * 1.3, frequency))
    pulsed = 1 + 0.7 * np.sin(2 * np.pi * phase + 1.0) * np.repeat(np.clip(tracks.voicing, 0, 1), HOP)
    white = rng.standard_normal(len(phase) + NOISE_FFT, dtype=np.float32)
    white[: len(phase)] *= pulsed
    return _shaped_noise(white, frames * HOP, gain[frames, None] * tract, 2 * HOP)


def _friction(tracks, voice, habits, rng) -> np.ndarray:
    """Friction and bursts: noise with the spectrum of its place of articulation, swelling and fading."""
    gain = tracks.frication * voice["fric"] * 10 ** (0.6 * tracks.gain / 20)
    frames = np.flatnonzero(gain > 1e-2)
    frequency = np.fft.rfftfreq(NOISE_FFT, 1 / SAMPLE_RATE)
    k = (REFERENCE_VTL / voice["vtl"]) ** 0.8 * voice["sib"]
    spectra = np.stack([_place_spectrum(NOISES[p], frequency, k * habits.noise_pitch[i]) for i, p in enumerate(PLACES)])
    spectra *= habits.noise_gain[:, None]
    white = rng.standard_normal(len(tracks) * HOP + NOISE_FFT, dtype=np.float32)
    shape = (gain[frames, None] * spectra[tracks.place[frames]]).astype(np.float32)
    return _shaped_noise(white, frames * HOP, shape, HOP)


def _place_spectrum(noise, frequency: np.ndarray, k: float) -> np.ndarray:
    peaks = sum(g / (1 + ((frequency - f * k) / (0.8 * b)) ** 2) for f, b, g in noise.peaks)
    low_cut = 1 - np.exp(-((frequency / 700.0) ** 2))
    return noise.level * (noise.floor + peaks) * low_cut / np.sqrt(1 + (frequency / (noise.roll_off * k)) ** 4)
