"""What the page "Try it" shows beside a face, all of it synthetic; and the page in a cell of a notebook.

People with similar voices, voices to try, what can be read off v_s along straight lines, and how well that works.
"""

import base64
import html
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from matplotlib import colormaps
from PIL import Image
from sklearn.linear_model import RidgeCV

from s2f_lib import audio, io, people
from s2f_lib.book import plotting
from s2f_lib.book.widgets.laboratory import LANGUAGE_NAMES
from s2f_lib.faces.decoder import FaceDecoder
from s2f_lib.voice_encoder import VoiceEncoder

STATIC = Path(__file__).resolve().parent / "static"  # the scripts and the style of the page
LEARN_SEED, TEST_SEED = 7100, 7200  # synthetic people of the read-outs, and others on whom they are tried
LEARNED_FROM, TRIED_ON, GALLERY = 600, 300, 160  # people; the gallery is the first of those tried on
AGES = (25, 42, 58, 75)  # years, of the voices to try: a woman and a man each


def material(name: str, encoder: VoiceEncoder, decoder: FaceDecoder) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What the page shows beside the face: read-outs and their reliability, similar voices, voices to try, words."""
    learn, test = people.sample(LEARNED_FROM, seed=LEARN_SEED), people.sample(TRIED_ON, seed=TEST_SEED)
    x, y = _heard(encoder, decoder, learn), _heard(encoder, decoder, test)
    axes, weight, bias, voices = {}, [], [], io.read_record("voices")
    for axis, label in (("sex", lambda p: 1.0 if p.sex == "female" else -1.0), ("age", lambda p: p.age)):
        line, offset = _read_out(x, np.array([label(p) for p in learn]))
        truth, read = np.array([label(p) for p in test]), y @ line + offset
        quality = {"share": float((np.sign(read) == truth).mean())} if axis == "sex" else {}
        if axis == "age":
            guess = np.mean([p.age for p in learn])
            quality = {"error": float(np.abs(read - truth).mean()), "guess": float(np.abs(guess - truth).mean())}
        measure = "sex_right" if axis == "sex" else "age_r"
        found = voices.matching(measure=measure, encoder=name, corpus="published") if voices else []
        real = {"value": found[0]["value"], "n": found[0].get("n", voices.n)} if len(found) == 1 else None
        axes[axis] = {"synthetic": quality | {"n": len(test)}, "real": real}
        weight.append(line)
        bias.append(offset)
    mean, gallery = y.mean(axis=0), list(test)[:GALLERY]
    rows = y[:GALLERY] - mean
    arrays = {"axes.weight": np.array(weight), "axes.bias": np.array(bias), "gallery.mean": mean}
    arrays["gallery.voices"] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    colours = (255 * colormaps["magma"](np.linspace(0, 1, 64))[:, :3]).round().astype(int).tolist()
    shown = {"axes": axes, "mark": plotting.FACE_MARK, "note": plotting.FACE_NOTE, "magma": colours}
    shown["people"] = [{"label": _label(p), "picture": _picture(p)} for p in gallery]
    shown["voices"] = [{"label": _label(p), "sound": _sound(p)} for p in _voices(list(test)[GALLERY:])]
    return shown, {name: array.astype(np.float32) for name, array in arrays.items()}


@torch.no_grad()
def _heard(encoder: VoiceEncoder, decoder: FaceDecoder, of: Sequence[people.Person]) -> np.ndarray:
    """Features of people's voices behind the decoder's first layer, (N, 1000) float64; at the level the page gives."""
    clips = (audio.leveled(audio.fit_to_clip(people.speak(person)))[0] for person in of)
    heard = [decoder.f_dec(encoder(torch.as_tensor(clip, dtype=torch.float32)[None]))[0] for clip in clips]
    return torch.stack(heard).double().numpy()


def _read_out(x: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, float]:
    """The straight line that reads a label off features (ridge, its strength by leave-one-out): weights, offset."""
    scale = float(x.std())
    fitted = RidgeCV(alphas=np.logspace(0, 6, 13)).fit(x / scale, label)
    return fitted.coef_ / scale, float(fitted.intercept_)


def _voices(of: Sequence[people.Person]) -> list[people.Person]:
    """A woman and a man near each of `AGES`, each with another language: nobody is picked by ear or eye."""
    chosen: list[people.Person] = []
    for age in AGES:
        for sex in ("female", "male"):
            spoken = {p.language for p in chosen}
            free = [p for p in of if p.sex == sex and p not in chosen]
            chosen.append(min(free, key=lambda p: abs(p.age - age) + 100 * (p.language in spoken)))
    return chosen


def _label(person: people.Person) -> str:
    kind = "woman" if person.sex == "female" else "man"
    return f"{kind}, {person.age:.0f}, {LANGUAGE_NAMES[person.language]}"


def _picture(person: people.Person) -> str:
    """A rendered face as a small WebP picture in an address."""
    file = BytesIO()
    Image.fromarray(people.render_canonical(person, size=112)).save(file, format="WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()


def _sound(person: people.Person) -> str:
    """Six seconds of a voice as MP3, which every browser decodes, in base64."""
    file = BytesIO()
    soundfile.write(file, audio.fit_to_clip(people.speak(person)), audio.SAMPLE_RATE, format="MP3")
    return base64.b64encode(file.getvalue()).decode()


def cell(weights: Path) -> str:
    """The page as HTML for a cell: all in one frame, which may use the microphone; `weights` is of `export_web`."""
    files = (STATIC / "try_it.css", weights, STATIC / "voice2face.js", STATIC / "try_it.js")
    style, *scripts = (path.read_text(encoding="utf-8") for path in files)
    whole = (
        f"<!doctype html><meta charset=utf-8><style>{style}</style><body class=s2f-alone><div data-s2f-try-it></div>"
    )
    whole += "".join(f"<script>{text}</script>" for text in scripts)
    return (
        f'<iframe srcdoc="{html.escape(whole)}" allow="microphone" title="your voice to a face, in this page" '
        'style="width: 100%; height: 1250px; border: 0"></iframe>'
    )
