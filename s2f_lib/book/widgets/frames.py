"""Frames drawn beforehand and a slider that switches them in the browser, with no Python behind it."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from s2f_lib import audio
from s2f_lib.book import plotting

JPEG_QUALITY = 88
SOUND_FORMAT = {"MP3": "audio/mpeg", "WAV": "audio/wav"}
STYLE = (
    "font:13px/1.4 system-ui,sans-serif;background:#fff;color:#222;padding:8px;border-radius:6px;"
    "display:inline-block;max-width:100%;box-sizing:border-box"
)


@dataclass(frozen=True)
class Frame:
    """What one position of a slider shows."""

    label: str  # the slider's value at this position, with its unit ("17.0 cm")
    image: Any  # array (H, W, 3) or (3, H, W), or a matplotlib figure
    alt: str  # what is to be seen, in words, for those who cannot see it
    caption: str = ""  # one line below the picture
    waveform: np.ndarray | None = None  # (T,), sound at 16 kHz that belongs to it

    def __post_init__(self):
        if not self.alt.strip():
            raise ValueError(f"frame {self.label!r} has no alt text: say in words what its picture shows")

    def html(self) -> str:
        """The frame as a piece of HTML that needs nothing from outside."""
        kind, data = _encoded(self.image)
        parts = [
            f'<div style="{STYLE}"><img src="data:image/{kind};base64,{base64.b64encode(data).decode()}" '
            f'alt="{html.escape(self.alt, quote=True)}" style="max-width:100%;height:auto;display:block">'
        ]
        if self.caption:
            parts.append(f'<div style="margin-top:4px">{html.escape(self.caption)}</div>')
        if self.waveform is not None:
            parts.append(sound_html(self.waveform, label=self.label))
        return "".join(parts) + "</div>"


def sound_html(waveform: np.ndarray, *, seconds: float = 3.0, label: str = "clip") -> str:
    """An audio player as HTML for the first seconds of a waveform (T,) at 16 kHz, about 10 kB for three of them.

    The label is read aloud by screen readers; ValueError if the waveform is empty or not one-dimensional.
    """
    import soundfile

    waveform = np.asarray(waveform, dtype=np.float32)
    if waveform.ndim != 1 or not waveform.size:
        raise ValueError(f"expected a mono waveform (T,) that is not empty, got shape {waveform.shape}")
    piece = waveform[: round(seconds * audio.SAMPLE_RATE)]
    piece = 0.7 * piece / max(float(np.abs(piece).max()), 1e-6)
    kind = "MP3" if "MP3" in soundfile.available_formats() else "WAV"
    buffer = io.BytesIO()
    soundfile.write(buffer, piece, audio.SAMPLE_RATE, format=kind)
    data = base64.b64encode(buffer.getvalue()).decode()
    name = html.escape(f"synthetic voice, {label}", quote=True)
    return (
        f'<audio controls preload="metadata" aria-label="{name}" style="width:260px;max-width:100%;margin-top:6px" '
        f'src="data:{SOUND_FORMAT[kind]};base64,{data}"></audio>'
    )


def frame_slider(frames: Sequence[Frame], description: str, *, start: int | None = None):
    """A slider (ipywidgets.VBox) over frames that works in JupyterLab, Colab and the static book alike.

    Parameters
    ----------
    frames : sequence of Frame
        In the order of the slider; labels must differ (ValueError).
    description : str
        What the slider changes, with its unit.
    start : int, optional
        Position shown first; the middle by default.
    """
    import ipywidgets

    labels = [frame.label for frame in frames]
    if not frames or len(set(labels)) != len(labels):
        raise ValueError(f"a slider needs at least one frame and a label of its own for each, got {labels}")
    start = len(frames) // 2 if start is None else start
    slider = ipywidgets.SelectionSlider(
        options=labels,
        value=labels[start],
        description=description,
        continuous_update=True,
        style={"description_width": "initial"},
        layout={"width": "min(460px, 98%)"},
    )
    panels = [ipywidgets.HTML(value=frame.html()) for frame in frames]
    return ipywidgets.VBox([slider, _linked_stack(slider, panels, start)])


def frame_choice(description: str, views: Mapping[str, Any]):
    """A list to choose from, and below it the widget that goes with the choice; works in the static book."""
    import ipywidgets

    chooser = ipywidgets.Dropdown(options=list(views), description=description, layout={"width": "min(420px, 98%)"})
    return ipywidgets.VBox([chooser, _linked_stack(chooser, list(views.values()))])


def frame_tabs(sliders: Mapping[str, Sequence[Frame]], **options: Any):
    """Several frame sliders behind tabs, one tab per cause; the titles are the keys."""
    import ipywidgets

    tabs = ipywidgets.Tab([frame_slider(frames, name, **options) for name, frames in sliders.items()])
    for i, name in enumerate(sliders):
        tabs.set_title(i, name)
    return tabs


def _linked_stack(selector, views: Sequence[Any], start: int = 0):
    """Widgets of which the browser shows the one whose index the selector has.

    Before version 8 (Colab has 7.7) ipywidgets has no `Stack`; there the kernel changes what a box holds.
    """
    import ipywidgets

    if not hasattr(ipywidgets, "Stack"):
        box = ipywidgets.VBox([views[start]])
        selector.observe(lambda change: setattr(box, "children", (views[change["new"]],)), names="index")
        return box
    stack = ipywidgets.Stack(views, selected_index=start)
    ipywidgets.jslink((selector, "index"), (stack, "selected_index"))
    return stack


def _encoded(image: Any) -> tuple[str, bytes]:
    """(kind, bytes) of a picture: photographs of faces as JPEG, figures as PNG."""
    buffer = io.BytesIO()
    if hasattr(image, "savefig"):
        from matplotlib import pyplot as plt

        image.savefig(buffer, format="png", dpi=90, facecolor="white")
        plt.close(image)
        return "png", buffer.getvalue()
    from PIL import Image

    Image.fromarray(plotting.as_images(image)).save(buffer, format="JPEG", quality=JPEG_QUALITY)
    return "jpeg", buffer.getvalue()
