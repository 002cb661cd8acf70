"""What else could match a voice with a face? Probes without a speaker, on the published clips.

    python -m benchmarks.shortcuts --data FOLDER       # a few minutes; writes results/shortcuts.json

A head that picks the right face may have heard the person, the labels that the face shows (sex, age), or the room and
the microphone: sound and picture come from one video, and who films in a studio is lit like one. Four probes, each with
the likelihood head of page 6 at its usual settings, on folds that share no speaker:

- "speech": the speaker feature, the reference, against faces of everybody and of the same labels;
- "pauses": the mean spectrum of the quietest tenth of the frames, where hardly anybody speaks;
- "loudest": the same of the loudest tenth, so that the two differ only in whether somebody speaks;
- "labels": the speaker feature, but every face is exchanged for one with the same sex and decade label, so that only
  what the labels tell is left. Within those labels it must be at chance, or the measure is wrong.

Labels are those of the packaged classifier on the photograph. Only aggregates are written.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from s2f_lib import audio, io
from s2f_lib.metrics import labels
from s2f_lib.published import layout, matching, pictures, voices
from s2f_lib.published.voice_heads import LikelihoodHead

SHARE = 0.1  # of the frames, the quietest and the loudest
BANDS = 40  # mel
WITHIN = {None: (), "sex": ("sex",), "sex and decade": ("sex", "decade")}


def spectra(waveform: np.ndarray) -> np.ndarray:
    """Mean log-mel spectrum (dB) of the quietest and of the loudest tenth of the frames, (2, 40).

    Relative to its own mean, so that it holds the colour of the sound and not its loudness.
    """
    import librosa

    power = librosa.feature.melspectrogram(
        y=waveform, sr=audio.SAMPLE_RATE, n_fft=512, win_length=400, hop_length=160, n_mels=BANDS
    )
    order = np.argsort(power.sum(axis=0))
    count = max(1, round(SHARE * len(order)))
    means = np.stack([power[:, some].mean(axis=1) for some in (order[:count], order[-count:])])
    decibel = 10 * np.log10(means + 1e-12)
    return decibel - decibel.mean(axis=1, keepdims=True)


def exchanged(groups: np.ndarray, seed: int) -> np.ndarray:
    """Indices (N,) that give every row another of its group, where the group has one."""
    rng, place = np.random.default_rng(seed), np.arange(len(groups))
    for group in np.unique(groups):
        members = rng.permutation(np.flatnonzero(groups == group))
        place[members] = np.roll(members, 1)
    return place


def measure(features: dict[str, np.ndarray], face: np.ndarray, told: dict[str, np.ndarray], speakers: np.ndarray):
    """Rows of 1:2 matching and first 10 % for every probe and restriction."""
    groups = {None: None} | {name: joined(told, keys) for name, keys in WITHIN.items() if keys}
    rows = []
    for probe, voice in features.items():
        found: dict[str | None, list] = {within: [] for within in groups}
        for seed in range(matching.REPEATS):
            target = face[exchanged(groups["sex and decade"], seed)] if probe == "labels" else face
            scores = matching.out_of_fold(head, voice, target, speakers, seed=seed)
            for within, group in groups.items():
                found[within].append(matching.ranks(scores, speakers, group))
        for within, ranks in found.items():
            per_clip = matching.measures([one.where(one.size > 1) for one in ranks])
            for (name, k), value in matching.intervals(per_clip, speakers).items():
                if (name, k) in (("match", 2), ("top_percent", 10)):
                    rows.append(io.row(name, value, predictor=probe, within=within, k=k))
    return rows


def joined(told: dict[str, np.ndarray], keys: tuple[str, ...]) -> np.ndarray:
    """One label (N,) from several."""
    return np.array(["|".join(row) for row in zip(*(told[key] for key in keys))])


def head(voice: np.ndarray, face: np.ndarray, speakers: np.ndarray) -> LikelihoodHead:
    """The likelihood head at its usual settings; nothing is chosen."""
    return LikelihoodHead().fit(voice, face)


def main() -> None:
    """Measure and write the record."""
    options = parser().parse_args()
    io.refuse_uncommitted("shortcuts")
    folder = layout.locate(options.data)
    if folder is None:
        raise SystemExit("the published examples are not here; `s2f published fetch FOLDER` gets them")
    begun = time.perf_counter()
    part = layout.open_part(folder, options.part)
    seen, heard = pictures.pictures(part, "true", not options.quiet), voices.voices(part, not options.quiet)
    kept = seen.ok & heard.ok
    colour = np.stack([spectra(audio.load(clip.sound)) for clip, whole in zip(part, kept) if whole])
    speech = heard.feature[kept]
    features = {"speech": speech, "pauses": colour[:, 0], "loudest": colour[:, 1], "labels": speech}
    told = {"sex": seen.sex[kept].astype(str), "decade": labels.decade(seen.age[kept]).astype(str)}
    speakers = np.array([clip.speaker for clip in part])[kept]
    rows = measure(features, seen.feature[kept], told, speakers)
    path = io.write_record(
        "shortcuts", command=io.command_of(parser(), options), n=int(kept.sum()), rows=rows,
        seeds=list(range(matching.REPEATS)), seconds=time.perf_counter() - begun,
        notes="Likelihood head at its usual settings, folds by speaker. Labels: the packaged classifier's, of the "
        "photograph. In AVSpeech a speaker is a video, so sound and picture always come from the same one.",
    )  # fmt: skip
    print(f"→ {path}")


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.shortcuts", description=__doc__.splitlines()[0])
    p.add_argument("--data", type=Path, help="folder of the published examples (default: where `s2f published` looks)")
    p.add_argument("--part", choices=tuple(layout.PARTS), default="avspeech")
    p.add_argument("--quiet", action="store_true", help="no progress bars")
    return p


if __name__ == "__main__":
    main()
