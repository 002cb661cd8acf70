"""The channel between mouth and file: room, microphone, background noise and level, new for every clip."""

import numpy as np

SAMPLE_RATE = 16_000
PEAK = 0.99  # full scale is 1


def apply(waveform: np.ndarray, rng: np.random.Generator, strength: float = 1.0) -> np.ndarray:
    """Record a clean waveform (samples,) in a random room with a random microphone: float32, within full scale.

    `rng` decides the room: reverberation time 0.1-0.5 s, band limits, tilt within 3 dB per octave, noise 12-40 dB below
    the speech, level -30 to -18 dB of full scale. None of it depends on the speaker. A strength below 1 shrinks
    reverberation and tilt and raises the signal-to-noise ratio; 0 only sets the level.
    """
    from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

    samples = len(waveform)
    reverberation, wet = rng.uniform(0.1, 0.5), rng.uniform(0.02, 0.25) * strength
    low, high, tilt = rng.uniform(30, 200), rng.uniform(4500, 8500), rng.uniform(-3, 3) * strength
    noise_colour, ratio, level = rng.uniform(0, 2), rng.uniform(12, 40), rng.uniform(-30, -18)
    tail = int(reverberation * SAMPLE_RATE)
    room = rng.standard_normal(tail).astype(np.float32) * np.exp(-6.9 * np.arange(tail) / tail).astype(np.float32)
    room *= wet / np.sqrt((room**2).sum())
    room[0] += 1
    size = next_fast_len(samples + tail, real=True)
    spectrum = rfft(waveform.astype(np.float32), size) * rfft(room, size)
    if strength:
        frequency = rfftfreq(size, 1 / SAMPLE_RATE)
        octaves = np.log2(np.maximum(frequency, 50) / 1000)
        microphone = frequency**2 / (frequency**2 + low**2) / np.sqrt(1 + (frequency / high) ** 8)
        spectrum *= (microphone * 10 ** (tilt * octaves / 20)).astype(np.float32)
    heard = irfft(spectrum, size)[:samples]
    if strength:
        heard = heard + _noise(rng, samples, noise_colour, heard, ratio + 40 * (1 - strength))
    heard = heard * (10 ** (level / 20) / np.sqrt(np.mean(heard**2) + 1e-12))
    return (heard * min(1.0, PEAK / np.abs(heard).max())).astype(np.float32)


def _noise(rng, samples: int, slope: float, heard: np.ndarray, ratio: float) -> np.ndarray:
    """Noise whose power falls as 1 / f ** slope, `ratio` dB below the speech."""
    from scipy.fft import irfft, next_fast_len, rfftfreq

    size = next_fast_len(samples, real=True)
    frequency = np.maximum(rfftfreq(size, 1 / SAMPLE_RATE), 50).astype(np.float32)
    bins = rng.standard_normal((2, len(frequency)), dtype=np.float32)
    noise = irfft((bins[0] + 1j * bins[1]) * (frequency / 1000) ** np.float32(-slope / 2), size)[:samples]
    return noise * np.sqrt(np.mean(heard**2) / (np.mean(noise**2) + 1e-20)) * 10 ** (-ratio / 20)
