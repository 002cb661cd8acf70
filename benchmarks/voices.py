"""What the shipped voice encoders understand of voices they never met: real recordings, and a second synthesiser.

    python -m benchmarks.voices                      # about 6 minutes the first time; writes results/voices.json

Corpora: "own" (our synthesiser, sentences of the test set), "espeak" (espeak-ng, where it is installed) and
"published" (the clips that the authors published, where the reader has fetched them; only aggregates are written).
Sex and age are read by the frozen classifier on the face drawn from the voice, as `s2f face` draws it. The truth is
the assigned sex and age of a synthetic person, and for the published clips what the packaged classifier says of the
*photograph*, which is a label and no fact. The published clips were never trained on. Whoever chooses between encoders
does so on the half "choose" (speakers whose checksum is even) and reports the half "report".

Beside them stands a threshold on the median pitch, the best one on the same clips and so a generous baseline; and what
does not belong to the speaker: how far the answer moves when the same clip is softer, and how far it lies from the
average answer when there is only noise.
"""

from __future__ import annotations

import argparse
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import espeak
from s2f_lib import audio, config, hub, io, people
from s2f_lib.evaluate import appearance, data
from s2f_lib.io import row
from s2f_lib.metrics import inference, similarity, verification
from s2f_lib.people import speech
from s2f_lib.published import layout, pictures

LEVELS = (-20, -40, -60)  # dB
HALVES = ("choose", "report")


@dataclass
class Voices:
    """Clips of one corpus and the labels of their faces: waveforms (N, 96_000), female (N,) bool, age (N,) years."""

    waveform: np.ndarray
    female: np.ndarray
    age: np.ndarray
    speaker: np.ndarray
    half: np.ndarray | None = None  # (N,) of `HALVES`, for the published clips


def synthetic(count: int, speak=speech.speak) -> Voices:
    """The first people of the test seed, one clip each; without Chinese, which not every espeak-ng can read."""
    population = people.sample(2 * count, seed=config.SEEDS["test"])
    population = population[np.flatnonzero(population.language != "zh")[:count]]
    clips = np.array([speak(person, sentences="test", channel=True) for person in population])
    return Voices(clips, population.sex == "female", np.asarray(population.age), np.arange(count))


def published(folder: Path) -> Voices:
    """The published clips whose photograph shows one face and whose sound holds speech, as `s2f face` hears them."""
    part = layout.open_part(folder, "avspeech")
    labels = pictures.pictures(part, "true")
    clips, kept = [], []
    for index, clip in enumerate(part):
        if labels.ok[index]:
            try:
                clips.append(audio.load_speech(clip.sound).waveform)
            except audio.AudioError as error:
                print(f"one clip is left out: {type(error).__name__}")
                continue
            kept.append(index)
    speakers = np.array([clip.speaker for clip in part])[kept]
    half = np.array([HALVES[zlib.crc32(speaker.encode()) % 2] for speaker in speakers])
    number = np.unique(speakers, return_inverse=True)[1]
    return Voices(np.array(clips), labels.sex[kept] == "female", labels.age[kept], number, half)


def median_pitch(waveform: np.ndarray) -> float:
    """Median pitch of the voiced frames in Hz, by Praat; 0 where there is none."""
    import parselmouth

    pitch = parselmouth.Sound(waveform.astype(float), audio.SAMPLE_RATE).to_pitch(pitch_floor=60, pitch_ceiling=450)
    voiced = pitch.selected_array["frequency"]
    return float(np.median(voiced[voiced > 0])) if (voiced > 0).any() else 0.0


def best_threshold(score: np.ndarray, truth: np.ndarray) -> float:
    """Share that the best threshold on a score gets right; (N,) and (N,) bool.

    >>> best_threshold(np.array([100.0, 120, 200, 210]), np.array([False, False, True, True]))
    1.0
    """
    order = np.argsort(score)
    right_below = np.concatenate([[0], np.cumsum(~truth[order])])
    right_above = np.concatenate([np.cumsum(truth[order][::-1])[::-1], [0]])
    return float((right_below + right_above).max() / len(truth))


def scores(corpus: str, encoder: str, voices: Voices, female: np.ndarray, age: np.ndarray) -> list[dict]:
    """Rows for one corpus: probability of "female" (N,) and age (N,) read on the drawn faces, against the labels."""
    at = {"corpus": corpus, "encoder": encoder}
    right = ((female > 0.5) == voices.female).astype(float)
    r = inference.bootstrap(lambda a, b: np.corrcoef(a, b)[0, 1], age, voices.age, people=voices.speaker)
    rows = [
        row("sex_right", inference.mean_interval(right, voices.speaker), n=len(right), **at),
        row("auc", verification.auc(female[voices.female], female[~voices.female]), n=len(right), **at),
        row("age_r", r, n=len(right), **at),
    ]
    for label, who in (("female", voices.female), ("male", ~voices.female)):
        share = inference.mean_interval(right[who], voices.speaker[who])
        rows.append(row("agreement", share, label=label, n=int(who.sum()), **at))
    return rows


def measure(corpora: dict[str, Voices]) -> list[dict]:
    """All rows of the record."""
    decoder, reader = hub.load("decoder-synthetic-vgg"), hub.load("attributes-synthetic")
    names = [entry["name"] for entry in hub.available() if entry["kind"] == "voice encoder" and entry["present"]]
    rows = []
    for name in names:
        encoder = hub.load(name)
        for corpus, voices in corpora.items():
            v_s = data.encode(encoder, voices.waveform)
            read = appearance.read(reader, data.decode(decoder, v_s)[0])
            female, age = 1 - read["male"].to_numpy(), read["age"].to_numpy()
            rows += scores(corpus, name, voices, female, age)
            for half in HALVES if voices.half is not None else ():
                there = voices.half == half
                part = Voices(*(column[there] for column in vars(voices).values()))
                rows += scores(f"{corpus}, half to {half}", name, part, female[there], age[there])
            print(*rows[-5:], sep="\n", flush=True)
        rows += beside_the_speaker(name, encoder, corpora["own"].waveform[:100])
    for corpus, voices in corpora.items():
        pitch = np.array([median_pitch(clip) for clip in voices.waveform])
        at = {"corpus": corpus, "n": len(pitch)}
        rows.append(row("sex_right", best_threshold(pitch, voices.female), baseline="threshold on pitch", **at))
        constant = max(voices.female.mean(), 1 - voices.female.mean())
        rows.append(row("sex_right", constant, baseline="constant", **at))
    return rows


def beside_the_speaker(name: str, encoder, clips: np.ndarray) -> list[dict]:
    """How far softer copies move the answer, and how far white noise lies from the average answer, in degrees."""
    loud = data.encode(encoder, clips)
    rows = []
    for level in LEVELS:
        moved = similarity.angle_deg(data.encode(encoder, clips * 10 ** (level / 20)), loud)
        rows.append(row("clip_angle", inference.mean_interval(moved), encoder=name, level_db=level, n=len(clips)))
    noise = 0.05 * np.random.default_rng(0).standard_normal((20, clips.shape[1])).astype(np.float32)
    for sound, waveform in (("speech", clips), ("white noise", noise), ("digital silence", np.zeros_like(noise[:2]))):
        answers = data.encode(encoder, waveform)
        away = similarity.angle_deg(answers, np.broadcast_to(loud.mean(axis=0), answers.shape))
        rows.append(row("angle_from_average", float(away.mean()), encoder=name, sound=sound, n=len(answers)))
    return rows


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.voices",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("--people", type=int, default=400, help="synthetic people who speak (default %(default)s)")
    p.add_argument("--data", type=Path, help="folder of the published examples (default: where `s2f published` looks)")
    return p


def main() -> None:
    """Measure and write the record."""
    options = parser().parse_args()
    io.refuse_uncommitted("voices")
    begun = time.perf_counter()
    corpora = {"own": synthetic(options.people)}
    if espeak.available():
        corpora["espeak"] = synthetic(options.people, espeak.speak)
    folder = layout.locate(options.data)
    if folder is not None:
        corpora["published"] = published(folder)
    rows = measure(corpora)
    missing = {"espeak", "published"} - corpora.keys()
    path = io.write_record(
        "voices", command=io.command_of(parser(), options), n=sum(len(v.female) for v in corpora.values()), rows=rows,
        seeds=[config.SEEDS["test"]], seconds=time.perf_counter() - begun,
        notes="Sex and age as the frozen classifier reads them on the face drawn from the voice; the truth of "
        "published clips is a classifier's label of the photograph, that of the others is assigned. The threshold on "
        "pitch is the best one on the same clips." + (f" Not here: {', '.join(sorted(missing))}." if missing else ""),
    )  # fmt: skip
    print(f"→ {path}")


if __name__ == "__main__":
    main()
