"""The networks in torch beside the page's script in node, on the same synthetic voices."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from s2f_lib import audio, hub, people
from s2f_lib.book import web, web_page

NODE = shutil.which("node")
SCRIPT = Path(__file__).with_name("voice2face_node.js")
SEED = 4000  # of the people who speak; none of them is in the exported gallery


@dataclass
class Answers:
    """What one implementation makes of clips."""

    image: np.ndarray  # (N, 3, S, S) in [0, 1]
    landmarks: np.ndarray  # (N, 68, 2) in 0-1 of the picture
    first: np.ndarray  # (N, 1000), v_s behind f_dec
    v_s: np.ndarray | None = None  # (N, 4096); torch alone has it, the page goes straight to `first`
    loading_ms: float = 0.0
    face_ms: tuple[float, ...] = ()


def voices(n: int) -> np.ndarray:
    """Six seconds of each of n synthetic people, (n, 96_000) float32."""
    clips = [audio.fit_to_clip(people.speak(person)) for person in people.sample(n, seed=SEED)]
    return np.stack(clips).astype(np.float32)


@torch.no_grad()
def by_torch(clips: np.ndarray, encoder: str = web.ENCODER, decoder: str = web.DECODER) -> Answers:
    """The reference: the networks as they are, fc2 and f_dec apart."""
    listener, drawer = hub.load(encoder).eval(), hub.load(decoder).eval()
    features = torch.cat([listener(torch.as_tensor(clip)[None]) for clip in clips])
    drawn = drawer(features)
    return Answers(drawn.image.numpy(), drawn.landmarks.numpy(), drawer.f_dec(features).numpy(), features.numpy())


def by_node(clips: np.ndarray, weights: Path, folder: Path, size: int = 112) -> Answers:
    """The script of the page, run by node."""
    times, answers = _node(clips, weights, folder)
    rows = answers.reshape(len(clips), -1)
    pixels = 3 * size * size
    image = rows[:, :pixels].reshape(-1, 3, size, size)
    landmarks = rows[:, pixels : pixels + 136].reshape(-1, 68, 2)
    return Answers(image, landmarks, rows[:, pixels + 136 :], None, times["loading"], tuple(times["faces"]))


def prepared_by_node(recording: np.ndarray, weights: Path, folder: Path) -> tuple[dict, np.ndarray | None]:
    """What the page makes of a recording (n,) before it is heard: start and level, or a complaint; and the clip."""
    said, clip = _node(recording, weights, folder, "prepare")
    return said, None if "complaint" in said else clip


def _node(sound: np.ndarray, weights: Path, folder: Path, *job: str) -> tuple[dict, np.ndarray]:
    """Run the script beside this module on raw samples: what it prints, and the numbers that it writes."""
    given, answers = folder / "clips.f32", folder / "answers.f32"
    given.write_bytes(sound.astype("<f4").tobytes())
    answers.write_bytes(b"")
    command = [NODE, str(SCRIPT), str(web_page.STATIC / "voice2face.js"), str(weights), str(given), str(answers), *job]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"node failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout), np.frombuffer(answers.read_bytes(), "<f4")


def degrees(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angle between rows, (N, D) twice -> (N,)."""
    a, b = (np.asarray(x, dtype=np.float64) for x in (a, b))
    cosine = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))
