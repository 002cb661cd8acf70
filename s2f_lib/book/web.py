"""The shipped networks as one script for a page: your voice to a face in the browser, nothing leaves the machine.

    s2f weights export-web -o voice2face_weights.js

``static/voice2face.js`` computes what `VoiceEncoder` and `FaceDecoder` do; this module writes the weights for it. fc2
and the decoder's first layer have no nonlinearity between them and become one matrix, exactly; large matrices keep 8
bits a number with one scale per row. With them goes what the page "Try it" shows beside a face (see `web_page`).
The file names the checksums of its sources.
"""

import argparse
import base64
import functools
import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from s2f_lib import audio, hub, io
from s2f_lib.audio import _fast, level
from s2f_lib.book import web_page
from s2f_lib.faces import decoder as face_decoder
from s2f_lib.faces import warp
from s2f_lib.voice_encoder import EPS, USUAL_SIZE, VoiceEncoder

ENCODER, DECODER = "voice-encoder-strangers", "decoder-synthetic-vgg"
FILE = "voice2face_weights.js"
FORMAT = 1  # of the file; voice2face.js refuses others
WHOLE, HALF = 4_096, 60_000  # numbers; arrays up to these are stored with 32 and 16 bits, larger matrices with 8
SENSITIVE = ("landmark_line.weight",)  # 16 bits nevertheless: its rounding alone moves a point by 0.08 pixels
RULES = "piece shortest band usual_db silent_db gate_db searched steady_db periodic same eps".split()  # of audio.level
OWN_RULES = {"clipped_at": 0.999, "clipped_share": 0.02}  # of full scale; of the samples


def export_web(encoder: str = ENCODER, decoder: str = DECODER, out: str | Path | None = None) -> Path:
    """Write the networks for the page, unless a file with the same sources is there; about a minute.

    ``encoder`` and ``decoder`` are names of the hub; ValueError if v_s and the decoder's input differ in width. The
    file is by default one in the cache folder, named after the checksums of its sources.
    """
    key = sources(encoder, decoder)
    path = (
        Path(out) if out else io.cache_dir() / "web" / hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16] / FILE
    )
    if path.exists() and header(path).get("sources") == key:
        return path
    listener, drawer = hub.load(encoder).eval(), hub.load(decoder).eval()
    arrays, settings = _networks(listener, drawer)
    shown, more = web_page.material(encoder, listener, drawer)
    packed, index = _pack(arrays | more)
    page = {"format": FORMAT, "sources": key, "packed_sha256": hashlib.sha256(packed.encode()).hexdigest()}
    page |= {"config": settings | {"axes": list(shown["axes"])}, "page": shown, "arrays": index, "packed": packed}
    with io.atomic_write(path, "w") as file:
        file.write(f"globalThis.S2F_WEIGHTS = {json.dumps(page, ensure_ascii=False)};\n")
    return path


def header(path: Path) -> dict[str, Any]:
    """The object that a script assigns."""
    text = path.read_text(encoding="utf-8")
    return json.loads(text[text.index("{") : text.rindex("}") + 1])


@functools.cache
def sources(encoder: str, decoder: str) -> dict[str, str]:
    """Checksums of all that a file is made from: the weights by their name, and the modules."""
    weights = {name: hub.describe(name)["sha256"] for name in (encoder, decoder)}
    measured = io.records.result_file("voices.json")  # how well it hears real voices, once that is recorded
    files = [Path(__file__), Path(web_page.__file__), *([measured] if measured.exists() else [])]
    made_by = b"".join(path.read_bytes() for path in files)
    return weights | {"exporter": hashlib.sha256(made_by).hexdigest()[:16]}


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
    sound |= {"hop_length": audio.HOP_LENGTH, "power": audio.POWER, "eps": _fast.EPS}
    sound["clip_samples"] = round(audio.CLIP_SECONDS * audio.SAMPLE_RATE)
    settings = {"audio": sound, "parts": c.in_channels, "kernels": c.kernels, "strides": c.strides, "pools": c.pools}
    settings |= {"usual_size": USUAL_SIZE if c.normalise_level else 0.0, "least_size": EPS}
    settings |= {"map_size": shape.map_size, "channels": shape.channels, "size": shape.image_size}
    settings |= {"landmark_unit": face_decoder.LANDMARK_UNIT, "warp_points": len(face_decoder.WARP_POINTS)}
    settings |= {"smoothing": face_decoder.SMOOTHING, "warp_stride": warp.STRIDE}
    settings["rules"] = OWN_RULES | {name: getattr(level, name.upper()) for name in RULES}
    settings["border"] = warp.border_points().flatten().tolist()
    return {name: array.numpy().astype(np.float32) for name, array in arrays.items()}, settings


def _pack(arrays: Mapping[str, np.ndarray]) -> tuple[str, dict[str, list]]:
    """One compressed text of all arrays, and for each: kind, offset, shape; see `unpack` in voice2face.js."""
    blob, index = bytearray(), {}
    for name, array in arrays.items():
        blob += bytes(-len(blob) % 4)
        small = array.size <= HALF or array.ndim != 2 or name in SENSITIVE
        kind = "f" if array.size <= WHOLE else "h" if small else "q"
        index[name] = [kind, len(blob), list(array.shape)]
        if kind == "q":
            scale = np.maximum(np.abs(array).max(axis=1, keepdims=True), 1e-12) / 127
            blob += scale.astype("<f4").tobytes() + np.round(array / scale).astype(np.int8).tobytes()
        else:
            blob += array.astype("<f4" if kind == "f" else "<f2").tobytes()
    return base64.b64encode(gzip.compress(bytes(blob), 9, mtime=0)).decode(), index


def try_it(encoder: str = ENCODER, decoder: str = DECODER):
    """The page "Try it" in a cell (IPython.display.HTML, 6 MB): record, drop or choose a voice, see the face.

    It holds the networks and needs no kernel once it is shown.
    """
    from IPython.display import HTML

    return HTML(web_page.cell(export_web(encoder, decoder)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``s2f weights export-web``."""
    parser = argparse.ArgumentParser(prog="s2f weights export-web", description=__doc__.split("\n")[0])
    parser.add_argument("--encoder", default=ENCODER, help="name of the hub (default %(default)s)")
    parser.add_argument("--decoder", default=DECODER, help="name of the hub (default %(default)s)")
    parser.add_argument("-o", "--out", help="file to write (default: one in the cache folder)")
    options = parser.parse_args(arguments)
    path = export_web(options.encoder, options.decoder, options.out)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB; open it beside voice2face.js, see s2f_lib/book/static")
    return 0
