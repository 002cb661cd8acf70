"""The shipped networks as one script for a page: your voice to a face in the browser, nothing leaves the machine.

    s2f weights export-web -o voice2face_weights.js

``static/voice2face.js`` computes what `VoiceEncoder` and `FaceDecoder` do; this module writes the weights for it. fc2 and
the decoder's first layer have no nonlinearity between them and become one matrix, exactly; large matrices keep 8 bits a
number with one scale per row. With them go what the page "Try it" shows beside a face: synthetic people with similar
voices, voices to try, what can be read off linearly and how well. The file names the checksums of its sources.
"""

from __future__ import annotations

import argparse
import base64
import dataclasses
import functools
import gzip
import hashlib
import io as memory
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from s2f_lib import audio, hub, io, people
from s2f_lib.book import plotting
from s2f_lib.book.widgets.laboratory import LANGUAGE_NAMES
from s2f_lib.faces import decoder as face_decoder
from s2f_lib.faces import warp
from s2f_lib.voice_encoder import EncoderConfig, VoiceEncoder

ENCODER, DECODER = "voice-encoder-synthetic", "decoder-synthetic-vgg"
STATIC = Path(__file__).resolve().parent / "static"  # the scripts and the style of the page
FILE = "voice2face_weights.js"
FORMAT = 1  # of the file; voice2face.js refuses others
LARGE = 4096  # numbers; larger matrices are stored with 8 bits, smaller arrays whole
KNOWN_FIELDS = {f.name for f in dataclasses.fields(EncoderConfig)}  # what voice2face.js was written for
LEARN_SEED, TEST_SEED = 7100, 7200  # synthetic people of the read-outs, and others on whom they are tried
LEARNED_FROM, TRIED_ON, GALLERY = 600, 300, 160  # people; the gallery is the first of those tried on
AGES = (25, 42, 58, 75)  # years, of the voices to try: a woman and a man each


def export_web(encoder: str = ENCODER, decoder: str = DECODER, out: str | Path | None = None) -> Path:
    """Write the networks for the page, unless a file with the same sources is there; about a minute.

    Parameters
    ----------
    encoder, decoder : str
        Names of the hub. The encoder's v_s and the decoder's input must have the same width.
    out : str or Path, optional
        File to write; by default one in the cache folder, named after the checksums of its sources.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        If the two do not fit together.
    """
    key = _sources(encoder, decoder)
    path = Path(out) if out else io.cache_dir() / "web" / hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16] / FILE
    if path.exists() and _header(path).get("sources") == key:
        return path
    listener, drawer = hub.load(encoder).eval(), hub.load(decoder).eval()
    arrays, settings = _networks(listener, drawer)
    beside, more = _beside(listener, drawer)
    packed, index = _pack(arrays | more)
    page = {"format": FORMAT, "sources": key, "packed_sha256": hashlib.sha256(packed.encode()).hexdigest()}
    page |= {"config": settings | {"axes": list(beside["axes"])}, "page": beside, "arrays": index, "packed": packed}
    with io.atomic_write(path, "w") as file:
        file.write(f"globalThis.S2F_WEIGHTS = {json.dumps(page, ensure_ascii=False)};\n")
    return path


def check(path: str | Path, encoder: str = ENCODER, decoder: str = DECODER) -> None:
    """Refuse a script that was damaged, or made from other weights than the hub's of these names.

    Raises
    ------
    io.ChecksumError
        With what differs, and the command that makes it anew.
    """
    header, again = _header(Path(path)), f"make it again: s2f weights export-web -o {path}"
    if header.get("format") != FORMAT or hashlib.sha256(header["packed"].encode()).hexdigest() != header["packed_sha256"]:
        raise io.ChecksumError(f"{path} is damaged or of another format; {again}")
    for name, wanted in _sources(encoder, decoder).items():
        if header["sources"].get(name) != wanted:
            raise io.ChecksumError(f"{path} was made from {name} {header['sources'].get(name)}, here is {wanted}; {again}")


def _header(path: Path) -> dict[str, Any]:
    """The object that a script assigns."""
    text = path.read_text(encoding="utf-8")
    return json.loads(text[text.index("{") : text.rindex("}") + 1])


@functools.cache
def _sources(encoder: str, decoder: str) -> dict[str, str]:
    """Checksums of all that a file is made from: the weights by their name, and this module."""
    weights = {name: hub.describe(name)["sha256"] for name in (encoder, decoder)}
    return weights | {"exporter": hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]}


@torch.no_grad()
def _networks(encoder: VoiceEncoder, decoder: face_decoder.FaceDecoder) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays by name, matrices as (out, in), and what the script must know to use them."""
    c, shape = encoder.config, decoder.shape
    if c.feature_dim != shape.feature_dim:
        raise ValueError(f"the encoder gives {c.feature_dim} numbers, the decoder takes {shape.feature_dim}")
    first = decoder.f_dec.weight.double()
    layers = {f"conv{i}": conv for i, conv in enumerate(encoder.convs)} | {"fc1": encoder.fc1}
    layers |= {"landmark1": decoder.landmark_branch[1], "landmark2": decoder.landmark_branch[3]}
    layers |= {name: getattr(decoder, name) for name in ("landmark_line", "texture_start", "texture_line")}
    arrays = {f"{name}.weight": layer.weight.flatten(1) for name, layer in layers.items()}
    arrays |= {f"{name}.bias": layer.bias for name, layer in layers.items()}
    arrays |= {"first.weight": first @ encoder.fc2.weight.double(), "components": decoder.components.flatten(1)}
    arrays["first.bias"] = first @ encoder.fc2.bias.double() + decoder.f_dec.bias.double()
    for i, norm in enumerate(encoder.norms):
        scale, shift = torch.ones(c.channels[i]), torch.zeros(c.channels[i])
        if c.batch_norm:
            scale = norm.weight / (norm.running_var + norm.eps).sqrt()
            shift = norm.bias - norm.running_mean * scale
        arrays |= {f"norm{i}.scale": scale, f"norm{i}.shift": shift}
    for i, layer in enumerate(m for m in decoder.texture_branch if isinstance(m, torch.nn.ConvTranspose2d)):
        arrays |= {f"texture{i}.weight": layer.weight.transpose(0, 1).flatten(1), f"texture{i}.bias": layer.bias}
    arrays["mean_landmarks"] = decoder.mean_landmarks.flatten()
    arrays["mean_logit"] = torch.logit(decoder.mean_texture, eps=face_decoder.LOGIT_EPS).flatten()
    sound = {"sample_rate": audio.SAMPLE_RATE, "n_fft": audio.N_FFT, "win_length": audio.WIN_LENGTH}
    sound |= {"hop_length": audio.HOP_LENGTH, "power": audio.POWER, "eps": audio.SMALLEST}
    sound["clip_samples"] = round(audio.CLIP_SECONDS * audio.SAMPLE_RATE)
    settings = {"audio": sound, "parts": c.in_channels, "kernels": c.kernels, "strides": c.strides, "pools": c.pools}
    settings |= {"map_size": shape.map_size, "channels": shape.channels, "size": shape.image_size}
    settings |= {"landmark_unit": face_decoder.LANDMARK_UNIT, "warp_points": len(face_decoder.WARP_POINTS)}
    settings |= {"smoothing": face_decoder.SMOOTHING, "warp_stride": warp.STRIDE}
    settings["border"] = warp.border_points().flatten().tolist()
    return {name: array.numpy().astype(np.float32) for name, array in arrays.items()}, settings


def _pack(arrays: Mapping[str, np.ndarray]) -> tuple[str, dict[str, list]]:
    """One compressed text of all arrays, and for each: kind, offset, shape; see `unpack` in voice2face.js."""
    blob, index = bytearray(), {}
    for name, array in arrays.items():
        blob += bytes(-len(blob) % 4)
        kind = "f" if array.size <= LARGE else "q" if array.ndim == 2 else "h"
        index[name] = [kind, len(blob), list(array.shape)]
        if kind == "q":
            scale = np.maximum(np.abs(array).max(axis=1, keepdims=True), 1e-12) / 127
            blob += scale.astype("<f4").tobytes() + np.round(array / scale).astype(np.int8).tobytes()
        else:
            blob += array.astype("<f4" if kind == "f" else "<f2").tobytes()
    return base64.b64encode(gzip.compress(bytes(blob), 9, mtime=0)).decode(), index


def _beside(encoder: VoiceEncoder, decoder: face_decoder.FaceDecoder) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What the page shows beside the face: read-outs and their reliability, similar voices, voices to try, words."""
    learn, test = people.sample(LEARNED_FROM, seed=LEARN_SEED), people.sample(TRIED_ON, seed=TEST_SEED)
    x, y = _heard(encoder, decoder, learn), _heard(encoder, decoder, test)
    axes, weight, bias = {}, [], []
    for name, label in (("sex", lambda p: 1.0 if p.sex == "female" else -1.0), ("age", lambda p: p.age)):
        line, offset = _read_out(x, np.array([label(p) for p in learn]))
        truth, read = np.array([label(p) for p in test]), y @ line + offset
        quality = {"share": float((np.sign(read) == truth).mean())} if name == "sex" else {}
        if name == "age":
            guess = np.mean([p.age for p in learn])
            quality = {"error": float(np.abs(read - truth).mean()), "guess": float(np.abs(guess - truth).mean())}
        axes[name] = {"synthetic": quality | {"n": len(test)}, "real": None}
        weight.append(line)
        bias.append(offset)
    mean, gallery = y.mean(axis=0), list(test)[:GALLERY]
    rows = y[:GALLERY] - mean
    arrays = {"axes.weight": np.array(weight), "axes.bias": np.array(bias), "gallery.mean": mean}
    arrays["gallery.voices"] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    beside = {"axes": axes, "mark": plotting.FACE_MARK, "note": plotting.FACE_NOTE, "magma": _colours("magma")}
    beside["people"] = [{"label": _label(p), "picture": _picture(p)} for p in gallery]
    beside["voices"] = [{"label": _label(p), "sound": _sound(p)} for p in _voices(list(test)[GALLERY:])]
    return beside, {name: array.astype(np.float32) for name, array in arrays.items()}


@torch.no_grad()
def _heard(encoder: VoiceEncoder, decoder: face_decoder.FaceDecoder, of: Sequence[people.Person]) -> np.ndarray:
    """Features of people's voices behind the decoder's first layer, (N, 1000) float64."""
    clips = (audio.fit_to_clip(people.speak(person)) for person in of)
    heard = [decoder.f_dec(encoder(torch.as_tensor(clip, dtype=torch.float32)[None]))[0] for clip in clips]
    return torch.stack(heard).double().numpy()


def _read_out(x: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, float]:
    """The straight line that reads a label off features (ridge, its strength by leave-one-out): weights, offset."""
    from sklearn.linear_model import RidgeCV

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
    from PIL import Image

    file = memory.BytesIO()
    Image.fromarray(people.render_canonical(person, size=112)).save(file, format="WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()


def _sound(person: people.Person) -> str:
    """Six seconds of a voice as MP3, which every browser decodes, in base64."""
    import soundfile

    file = memory.BytesIO()
    soundfile.write(file, audio.fit_to_clip(people.speak(person)), audio.SAMPLE_RATE, format="MP3")
    return base64.b64encode(file.getvalue()).decode()


def _colours(name: str, steps: int = 64) -> list[list[int]]:
    """A colour map of matplotlib as (steps, 3) numbers of 0-255."""
    from matplotlib import colormaps

    return (255 * colormaps[name](np.linspace(0, 1, steps))[:, :3]).round().astype(int).tolist()


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``s2f weights export-web``."""
    parser = argparse.ArgumentParser(prog="s2f weights export-web", description=__doc__.split("\n")[0])
    parser.add_argument("--encoder", default=ENCODER, help="name of the hub (default %(default)s)")
    parser.add_argument("--decoder", default=DECODER, help="name of the hub (default %(default)s)")
    parser.add_argument("-o", "--out", help="file to write (default: one in the cache folder)")
    parser.add_argument("--check", metavar="FILE", help="only say whether a file fits the weights that are here")
    options = parser.parse_args(arguments)
    if options.check:
        check(options.check, options.encoder, options.decoder)
        print(f"{options.check} was made from {options.encoder} and {options.decoder} as they are here")
        return 0
    path = export_web(options.encoder, options.decoder, options.out)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB; open it beside voice2face.js, see s2f_lib/book/static")
    return 0
