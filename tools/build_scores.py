"""Developer's tool: sentences -> phone timelines and pitch contours (scores.json.gz), by espeak-ng.

    python -m tools.build_scores

espeak-ng (GPL; ``pip install espeakng-loader==0.2.4``, which holds version 1.52) and praat-parselmouth are needed here
and nowhere else: the timelines are data, committed once; the run-time synthesiser is our own. espeak-ng gives slightly
other times from call to call, so scores are built once and not in tests. (1.51 as Debian packs it spells Chinese
characters out in English; the tool stops on such language switches.)
"""

from __future__ import annotations

import argparse
import ctypes
import gzip
import json
import sys
from pathlib import Path

import numpy as np

from s2f_lib import cli

DATA = Path(__file__).resolve().parents[1] / "s2f_lib" / "people" / "data"
VOICES = {"en": "en-us", "zh": "cmn"}  # espeak's own names where they differ from ours
SYNCHRONOUS, PHONEME_EVENTS, IPA_EVENTS, NO_EXIT, PHONEME = 2, 1, 2, 0x8000, 7
CONTOUR_STEP = 0.02  # s between two values of a pitch contour


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    ]


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Espeak:
    """espeak-ng in this process: one instance only, not thread safe."""

    def __init__(self):
        import espeakng_loader

        self._lib = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        self.sample_rate = self._lib.espeak_Initialize(SYNCHRONOUS, 0, data, PHONEME_EVENTS | IPA_EVENTS | NO_EXIT)
        self._lib.espeak_Synth.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int]
        self._lib.espeak_Synth.argtypes += [ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p]
        self._callback = _CALLBACK(self._collect)  # a reference must stay alive
        self._lib.espeak_SetSynthCallback(self._callback)

    def _collect(self, samples, count, events) -> int:
        if samples and count > 0:
            self._sound.append(np.ctypeslib.as_array(samples, (count,)).copy())
        i = 0
        while events[i].type:
            if events[i].type == PHONEME:
                self._phones.append((events[i].audio_position, events[i].id.decode("utf8", "ignore")))
            i += 1
        return 0

    def say(self, voice: str, text: str) -> tuple[np.ndarray, list[tuple[int, str]]]:
        """Waveform and [(start in ms, IPA)]; an unknown voice is an error, espeak alone would keep the last one."""
        self._sound, self._phones = [], []
        status = self._lib.espeak_SetVoiceByName(voice.encode())
        if status:
            raise ValueError(f"espeak-ng has no voice {voice!r} (status {status}); see espeak-ng --voices")
        data = text.encode()
        self._lib.espeak_Synth(data, len(data) + 1, 0, 1, 0, 1, None, None)
        return np.concatenate(self._sound) / 32768.0, self._phones


def pitch_contour(waveform: np.ndarray, sample_rate: int) -> list[float]:
    """Semitones around the sentence's median, every 20 ms, interpolated through unvoiced parts."""
    import parselmouth

    pitch = parselmouth.Sound(waveform, sample_rate).to_pitch_ac(0.01, 60, 15, False, 0.03, 0.45, 0.01, 0.35, 0.14, 200)
    times, hertz = pitch.xs(), pitch.selected_array["frequency"]
    voiced = hertz > 0
    grid = np.arange(0, len(waveform) / sample_rate, CONTOUR_STEP)
    semitones = 12 * np.log2(np.interp(grid, times[voiced], hertz[voiced]))
    return [round(float(s), 1) for s in semitones - np.median(12 * np.log2(hertz[voiced]))]


def build(sentences: dict) -> tuple[dict, dict]:
    """Scores of all sentences, and how often each phone symbol occurs."""
    espeak, scores, counts = Espeak(), {}, {}
    for language, splits in sentences.items():
        scores[language] = {}
        for split, texts in splits.items():
            scores[language][split] = []
            for text in texts:
                sound, events = espeak.say(VOICES.get(language, language), text)
                ends = [start for start, _ in events[1:]] + [round(1000 * len(sound) / espeak.sample_rate)]
                phones = [[ipa, end - start] for (start, ipa), end in zip(events, ends, strict=True)]
                for ipa, _ in phones:
                    if ipa.startswith("("):
                        raise ValueError(f"espeak-ng reads part of {text!r} in another language: {ipa}")
                    counts[ipa] = counts.get(ipa, 0) + 1
                contour = pitch_contour(sound, espeak.sample_rate)
                scores[language][split].append({"text": text, "phones": phones, "semitones": contour})
    return scores, counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=DATA / "scores.json.gz")
    arguments = parser.parse_args()
    sentences = json.loads((DATA / "sentences.json").read_text(encoding="utf8"))["sentences"]
    scores, counts = build(sentences)
    text = json.dumps(scores, ensure_ascii=False, separators=(",", ":"))
    arguments.out.write_bytes(gzip.compress(text.encode("utf8"), mtime=0))
    seconds = {k: sum(ms for s in v.values() for x in s for _, ms in x["phones"]) / 1000 for k, v in scores.items()}
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1000:.0f} kB, seconds of speech {seconds}")
    print("phones:", " ".join(f"{k}:{v}" for k, v in sorted(counts.items(), key=lambda item: -item[1])))


if __name__ == "__main__":
    sys.exit(cli.guarded(main, "python -m tools.build_scores"))
