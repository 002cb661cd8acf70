"""The book's one figure of the idea: a voice, its spectrogram, the predicted feature, a typical face; and the target.

    python -m tools.idea_figure book/_static/idea.png

Everything in it is made: the first synthetic test person speaks, and the shipped networks answer.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from s2f_lib import audio, hub, io
from s2f_lib.book import plotting
from s2f_lib.config import SEEDS

ARROW = {"arrowstyle": "-|>", "color": "#444444", "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0}
LABEL = {"ha": "center", "va": "bottom", "fontsize": 9.5, "color": "#444444"}


def ingredients(number: int = 0) -> dict[str, Any]:
    """Voice, spectrogram, features and pictures of one synthetic test person, through the shipped networks.

    Returns
    -------
    dict
        waveform (96000,), spectrogram (2, 598, 257), v_s and v_f (D,), reference (H, W, 3), made (3, S, S).
    """
    import torch

    from s2f_lib import faces, people

    person = people.sample(number + 1, seed=SEEDS["test"])[number]
    waveform = torch.as_tensor(people.speak(person, item=0, sentences="test"))
    reference = people.render_wild(person, 0, size=160)
    decoder = hub.load("decoder-synthetic-vgg")
    with torch.no_grad():
        v_f = hub.load("synthetic-vgg")(faces.to_tensor(reference[None])).v_f
        v_s = hub.load("voice-encoder-synthetic")(waveform[None])
        made = decoder(v_s).image[0]
        spectrogram = audio.compressed_spectrogram(waveform[None])[0]
    return {
        "waveform": waveform.numpy(),
        "spectrogram": spectrogram.numpy(),
        "v_s": v_s[0].numpy(),
        "v_f": v_f[0].numpy(),
        "reference": reference,
        "made": made,
    }


def strip(feature: np.ndarray, rows: int = 16) -> np.ndarray:
    """A feature as a small picture: its numbers in a block, brightest at the 99th percentile."""
    columns = len(feature) // rows
    block = feature[: rows * columns].reshape(rows, columns)[:, : 4 * rows]
    return np.clip(block / max(np.quantile(block, 0.99), 1e-9), 0, 1)


def idea_figure(parts: dict[str, Any]):
    """Draw the figure from what `ingredients` returns."""
    from matplotlib import pyplot as plt

    figure = plt.figure(figsize=(7.6, 3.6), layout="none")
    boxes = {
        "waveform": (0.005, 0.62, 0.15, 0.20),
        "spectrogram": (0.205, 0.54, 0.17, 0.38),
        "v_s": (0.535, 0.62, 0.16, 0.20),
        "made": (0.825, 0.52, 0.17, 0.40),
        "reference": (0.205, 0.04, 0.17, 0.36),
        "v_f": (0.535, 0.12, 0.16, 0.20),
    }
    axes = {name: figure.add_axes(box) for name, box in boxes.items()}
    axes["waveform"].plot(parts["waveform"][::16], color=plotting.COLORS["voice"], linewidth=0.4)
    limit = np.quantile(np.abs(parts["spectrogram"]), 0.999)
    image = parts["spectrogram"][0].T
    axes["spectrogram"].imshow(image, origin="lower", aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit)
    for name in ("v_s", "v_f"):
        axes[name].imshow(strip(parts[name]), cmap="magma", vmin=0, vmax=1, aspect="auto")
    axes["made"].imshow(plotting.mark_face(parts["made"]))
    axes["reference"].imshow(parts["reference"])
    titles = {
        "waveform": "six seconds\nof a voice",
        "spectrogram": "spectrogram",
        "v_s": "predicted\n" r"face feature $\mathbf{v}_s$",
        "made": "a typical face",
        "reference": "a picture of the same person",
        "v_f": r"true face feature $\mathbf{v}_f$",
    }
    for name, axis in axes.items():
        axis.set(xticks=[], yticks=[])
        axis.grid(False)
        axis.spines[:].set_visible(False)
        axis.set_title(titles[name], fontsize=9.5, loc="center", fontweight="normal")
    _arrows(figure)
    return figure


def _arrows(figure) -> None:
    """What turns what into what, with the names of the networks."""
    from matplotlib.patches import FancyArrowPatch

    voice, face = plotting.COLORS["voice"], plotting.COLORS["face"]
    steps = [
        ((0.158, 0.72), (0.2, 0.72), "", "#444444"),
        ((0.382, 0.72), (0.53, 0.72), "voice encoder\n(trained)", voice),
        ((0.70, 0.72), (0.82, 0.72), "face decoder\n(frozen)", "#444444"),
        ((0.382, 0.22), (0.53, 0.22), "face recogniser\n(frozen)", face),
    ]
    for start, end, label, color in steps:
        figure.add_artist(FancyArrowPatch(start, end, mutation_scale=13, **(ARROW | {"color": color})))
        figure.text((start[0] + end[0]) / 2, start[1] + 0.025, label, **(LABEL | {"color": color}))
    loss = FancyArrowPatch((0.615, 0.395), (0.615, 0.605), mutation_scale=13, **(ARROW | {"arrowstyle": "<|-|>"}))
    figure.add_artist(loss)
    figure.text(0.628, 0.475, "loss: make\nthem alike", fontsize=9.5, color="#444444", va="center")
    figure.text(
        0.995, 0.02, f"First synthetic test person. {plotting.FACE_NOTE}", ha="right", fontsize=8, color="#555555"
    )


def main(arguments: list[str] | None = None) -> int:
    """Write the figure to the path given."""
    parser = argparse.ArgumentParser(prog="python -m tools.idea_figure", description=__doc__.split("\n\n")[0])
    parser.add_argument("out", type=Path, help="picture to write, such as book/_static/idea.png")
    out = parser.parse_args(arguments).out
    from matplotlib import pyplot as plt

    with plt.rc_context():
        plotting.use_book_style()
        figure = idea_figure(ingredients())
    with io.atomic_write(out) as file:
        figure.savefig(file, format="png", dpi=200, metadata={"Description": plotting.FACE_NOTE})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
