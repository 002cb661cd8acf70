"""Sound in: any recording to a six-second clip, and the clip to the paper's compressed complex spectrogram.

- `load`, `write`: recordings of any kind, whole or in part;
- `load_speech`, `leveled`: the six seconds of somebody's recording that hold speech, at the usual level;
- `fit_to_clip`, `to_mono`, `resample`: a waveform to a clip;
- `compressed_spectrogram`, `compressed_magnitude`, `invert_spectrogram`: what the voice encoder gets, and back;
- ``s2f_lib.audio.degrade``: sound made worse on purpose, to train and to test with.

Source: Oh et al. (2019), section 3, "Implementation details": 16 kHz, one channel, the first six seconds (shorter clips
repeated), Hann window of 25 ms, hop of 10 ms, 512 FFT bands, each of the real and imaginary part compressed by
``sgn(x) |x| ** 0.3``, which gives 598 x 257 x 2.
"""

from s2f_lib.audio.clip import CLIP_SECONDS, SAMPLE_RATE, AudioError, fit_to_clip, resample, to_mono
from s2f_lib.audio.level import NoSpeech, Speech, is_steady, leveled, load_speech
from s2f_lib.audio.recording import load, write
from s2f_lib.audio.spectrogram import (
    HOP_LENGTH,
    N_FFT,
    POWER,
    WIN_LENGTH,
    compressed_magnitude,
    compressed_spectrogram,
    invert_spectrogram,
)
