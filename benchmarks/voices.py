"""What the shipped voice encoders understand of voices they never met: real recordings, and a second synthesiser.

    python -m benchmarks.voices                      # about 10 minutes the first time; writes results/voices.json

Corpora: "own" (our synthesiser, sentences of the test set), "espeak" (espeak-ng, where it is installed), "kokoro" (a
neural synthesiser that learned from people, see `benchmarks.kokoro`) and "published" (the clips that the authors
published, where the reader has fetched them; only aggregates are written).
Sex and age are read by the frozen classifier on the face drawn from the voice, as `s2f face` draws it. The truth is
the assigned sex and age of a synthetic person (whose own face is looked for as well), and for the published clips what
the packaged classifier says of the *photograph*, which is a label and no fact. The published clips were never trained
on. Whoever chooses between encoders does so on the half "choose" (speakers whose checksum is even) and reports the half
"report".

Beside them stand a threshold on the median pitch, the best one on the same clips and so a generous baseline; a linear
classifier on a packaged speaker feature, fitted on synthetic clips; on the published clips the authors' own pictures,
drawn by an encoder that learned from millions of real clips; and what does not belong to the speaker: how far the
answer moves when the same clip is softer or coded, and how far it lies from the average answer where there is only
noise.
"""

from __future__ import annotations

import argparse
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import espeak, kokoro
from s2f_lib import audio, config, hub, io, people
from s2f_lib.audio import degrade
from s2f_lib.evaluate import appearance, dataset
from s2f_lib.io import row
from s2f_lib.metrics import inference, retrieval, similarity, verification
from s2f_lib.people import speech
from s2f_lib.published import layout, pictures
from s2f_lib.published.voices import voice_feature
from s2f_lib.training import PeopleSet, people_set

LEVELS = (-20, -40, -60)  # dB
HALVES = ("choose", "report")
AUTHORS = "s2f_07"  # the authors' pictures, exaggerated as in their figures


@dataclass
class Voices:
    """Clips of one corpus and the labels of their faces: waveforms (N, 96_000), female (N,) bool, age (N,) years."""

    waveform: np.ndarray
    female: np.ndarray
    age: np.ndarray | None
    speaker: np.ndarray
    half: np.ndarray | None = None  # (N,) of `HALVES`, for the published clips
    v_f: np.ndarray | None = None  # (N, D) of a wild picture, where the people are synthetic


def synthetic(count: int, speak=speech.speak) -> Voices:
    """The first people of the test seed, one clip each; without Chinese, which not every espeak-ng can read."""
    population = people.sample(2 * count, seed=config.SEEDS["test"])
    population = population[np.flatnonzero(population.language != "zh")[:count]]
    clips = np.array([speak(person, sentences="test", channel=True) for person in population])
    v_f = dataset.face_features(hub.load("synthetic-vgg"), population)[:, 0]
    return Voices(clips, population.sex == "female", np.asarray(population.age), np.arange(count), v_f=v_f)


def of_kokoro(folder: Path) -> Voices:
    """Every voice of Kokoro; its age is nobody's."""
    names, clips = zip(*kokoro.clips(folder))
    female = np.array([name[1] == "f" for name in names])
    return Voices(np.array(clips), female, None, np.unique(names, return_inverse=True)[1])


def published(folder: Path) -> tuple[Voices, tuple[np.ndarray, np.ndarray]]:
    """The published clips whose photograph shows one face and whose sound holds speech, as `s2f face` hears them.

    With them, what the same classifier says of the pictures that the authors drew for these clips: probability of
    "female", and age.
    """
    part = layout.open_part(folder, "avspeech")
    labels, drawn = (pictures.pictures(part, kind) for kind in ("true", AUTHORS))
    clips, kept = [], []
    for index, clip in enumerate(part):
        if labels.ok[index] and drawn.ok[index]:
            try:
                clips.append(audio.load_speech(clip.sound).waveform)
            except audio.AudioError as error:
                print(f"one clip is left out: {type(error).__name__}")
                continue
            kept.append(index)
    speakers = np.array([clip.speaker for clip in part])[kept]
    half = np.array([HALVES[zlib.crc32(speaker.encode()) % 2] for speaker in speakers])
    number = np.unique(speakers, return_inverse=True)[1]
    voices = Voices(np.array(clips), labels.sex[kept] == "female", labels.age[kept], number, half)
    return voices, (drawn.female[kept], drawn.age[kept])


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


def speaker_features(waveform: np.ndarray) -> np.ndarray:
    """Resemblyzer's feature of every clip, (N, 256)."""
    return np.array([voice_feature(clip) for clip in waveform])


def speaker_classifier(people_who_speak: int = 2_000):
    """Logistic regression from the speaker feature to the sex of synthetic people; nobody real was in it."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    which = PeopleSet(people_who_speak, 1, sentences="free")
    feature = speaker_features(people_set.voices(which) / np.float32(32_768))
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.01)).fit(feature, which.population().sex == "female")


def scores(who: dict[str, str], voices: Voices, female: np.ndarray, age: np.ndarray | None = None) -> list[dict]:
    """Rows for one corpus: probability of "female" (N,) and age (N,) read on the drawn faces, against the labels."""
    right = ((female > 0.5) == voices.female).astype(float)
    rows = [
        row("sex_right", inference.mean_interval(right, voices.speaker), n=len(right), **who),
        row("auc", verification.auc(female[voices.female], female[~voices.female]), n=len(right), **who),
    ]
    if age is not None and voices.age is not None:
        r = inference.bootstrap(lambda a, b: np.corrcoef(a, b)[0, 1], age, voices.age, people=voices.speaker)
        rows.append(row("age_r", r, n=len(right), **who))
    for label, these in (("female", voices.female), ("male", ~voices.female)):
        share = inference.mean_interval(right[these], voices.speaker[these])
        rows.append(row("agreement", share, label=label, n=int(these.sum()), **who))
    balanced = np.mean([right[voices.female].mean(), right[~voices.female].mean()])
    return [*rows, row("balanced_accuracy", balanced, n=len(right), **who)]


def in_halves(corpus: str, who: dict[str, str], voices: Voices, *read: np.ndarray) -> list[dict]:
    """Rows of `scores` for a corpus, and for each of its halves where it has two."""
    rows = scores({"corpus": corpus, **who}, voices, *read)
    for half in HALVES if voices.half is not None else ():
        there = voices.half == half
        part = Voices(*(None if column is None else column[there] for column in vars(voices).values()))
        rows += scores({"corpus": f"{corpus}, half to {half}", **who}, part, *(values[there] for values in read))
    return rows


def measure(corpora: dict[str, Voices], authors: tuple[np.ndarray, np.ndarray] | None = None) -> list[dict]:
    """All rows of the record; ``authors`` are the labels of their pictures: probability of female, and age."""
    decoder, reader = hub.load("decoder-synthetic-vgg"), hub.load("attributes-synthetic")
    names = [entry["name"] for entry in hub.available() if entry["kind"] == "voice encoder" and entry["present"]]
    rows = []
    for name in names:
        encoder = hub.load(name)
        for corpus, voices in corpora.items():
            v_s = dataset.encode(encoder, voices.waveform)
            read = appearance.read(reader, dataset.decode(decoder, v_s)[0])
            female, age = 1 - read["male"].to_numpy(), read["age"].to_numpy()
            rows += in_halves(corpus, {"encoder": name}, voices, female, age)
            if voices.v_f is not None:
                found = inference.mean_interval(retrieval.rank(v_s, voices.v_f).hit_percent(10))
                rows.append(row("top_percent", found, corpus=corpus, encoder=name, k=10, n=len(v_s)))
            print(*rows[-6:], sep="\n", flush=True)
        rows += beside_the_speaker(name, encoder, corpora["own"].waveform[:100])
    classifier = speaker_classifier()
    for corpus, voices in corpora.items():
        female = classifier.predict_proba(speaker_features(voices.waveform))[:, 1]
        rows += in_halves(corpus, {"baseline": "linear classifier on a speaker feature"}, voices, female)
        pitch = np.array([median_pitch(clip) for clip in voices.waveform])
        halves = {corpus: np.ones(len(pitch), bool)}
        halves |= {f"{corpus}, half to {half}": voices.half == half for half in HALVES if voices.half is not None}
        for part, there in halves.items():
            at, truth = {"corpus": part, "n": int(there.sum())}, voices.female[there]
            best = best_threshold(pitch[there], truth)
            rows.append(row("sex_right", best, baseline="threshold on pitch", **at))
            rows.append(row("sex_right", max(truth.mean(), 1 - truth.mean()), baseline="constant", **at))
    if authors is not None:
        rows += in_halves("published", {"baseline": "the authors' pictures"}, corpora["published"], *authors)
    return rows


def beside_the_speaker(name: str, encoder, clips: np.ndarray) -> list[dict]:
    """How far softer copies move the answer, and how far white noise lies from the average answer, in degrees."""
    loud = dataset.encode(encoder, clips)
    coded = similarity.angle_deg(dataset.encode(encoder, degrade.codec()(clips)), loud)
    rows = [row("clip_angle", inference.mean_interval(coded), encoder=name, change="mp3", n=len(clips))]
    for level in LEVELS:
        moved = similarity.angle_deg(dataset.encode(encoder, clips * 10 ** (level / 20)), loud)
        rows.append(row("clip_angle", inference.mean_interval(moved), encoder=name, level_db=level, n=len(clips)))
    noise = 0.05 * np.random.default_rng(0).standard_normal((20, clips.shape[1])).astype(np.float32)
    for sound, waveform in (("speech", clips), ("white noise", noise), ("digital silence", np.zeros_like(noise[:2]))):
        answers = dataset.encode(encoder, waveform)
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
    p.add_argument("--kokoro", type=Path, help="folder of Kokoro and its voices, see benchmarks.kokoro")
    p.add_argument("--data", type=Path, help="folder of the published examples (default: where `s2f published` looks)")
    return p


def command_of(options: argparse.Namespace) -> str:
    """What to type, without the place where somebody keeps Kokoro."""
    typed = argparse.Namespace(**vars(options) | {"kokoro": Path("FOLDER") if options.kokoro else None})
    return io.command_of(parser(), typed)


def main() -> None:
    """Measure and write the record."""
    options = parser().parse_args()
    io.refuse_uncommitted("voices")
    begun = time.perf_counter()
    corpora = {"own": synthetic(options.people)}
    if espeak.available():
        corpora["espeak"] = synthetic(options.people, espeak.speak)
    if kokoro.available(options.kokoro):
        corpora["kokoro"] = of_kokoro(options.kokoro)
    folder, authors = layout.locate(options.data), None
    if folder is not None:
        corpora["published"], authors = published(folder)
    rows = measure(corpora, authors)
    missing = {"espeak", "kokoro", "published"} - corpora.keys()
    path = io.write_record(
        "voices", command=command_of(options), n=sum(len(v.female) for v in corpora.values()), rows=rows,
        seeds=[config.SEEDS["test"]], seconds=time.perf_counter() - begun,
        notes="Sex and age as the frozen classifier reads them on the face drawn from the voice; the truth of "
        "published clips is a classifier's label of the photograph, that of the others is assigned. The threshold on "
        "pitch is the best one on the same clips." + (f" Not here: {', '.join(sorted(missing))}." if missing else ""),
    )  # fmt: skip
    print(f"→ {path}")


if __name__ == "__main__":
    main()
