"""The look of the book: one style, one colour per thing, and the figures that several pages share.

A figure function takes data and returns the figure; it saves nothing and changes no global. Only `use_book_style`
touches matplotlib's settings. Every face that a network made is drawn through `mark_face`, so that it says on itself
what it is.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

# A colour belongs to a thing, in every figure (Okabe-Ito: safe for colour-blind readers).
COLORS = {
    "voice": "#0072B2",  # v_s, and the faces made from it (S2F)
    "face": "#009E73",  # v_f, and the faces made from it (F2F)
    "paper loss": "#0072B2",
    "L1": "#E69F00",
    "L2": "#F0E442",
    "normalized": "#56B4E9",
    "distillation": "#CC79A7",
    "contrastive": "#D55E00",
    "oracle": "#D55E00",
    "demographics": "#CC79A7",
    "sex alone": "#7A5195",
    "sex and decade": "#E69F00",
    "mean feature": "#56B4E9",
    "another picture": "#009E73",
    "published": "#666666",
    "chance": "#8A8A8A",
    "truth": "#222222",
    "female": "#D55E00",  # as assigned to a synthetic person, or as a classifier labels a picture
    "male": "#0072B2",
    "A": "#0072B2",  # the four invented groups
    "B": "#E69F00",
    "C": "#009E73",
    "D": "#CC79A7",
}
CYCLE = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#666666", "#F0E442"]

FACE_MARK = "statistical average, not a person"
FACE_NOTE = "Computer-made faces; they identify nobody."
UNMARKED = ("reference", "truth", "true", "wild")  # columns of rendered synthetic people, not of a network's output
MIN_MARKED_SIZE = 128  # pixels; below that the mark cannot be read


def use_book_style() -> None:
    """Set matplotlib to the look of the book; the only function here that changes a global."""
    from matplotlib import style

    style.use(Path(__file__).with_name("data") / "book.mplstyle")


def keep(**numbers: Any) -> None:
    """Store numbers in an executed page, for `s2f pages table`; does nothing where myst-nb is not installed."""
    try:
        from myst_nb import glue
    except ImportError:
        return
    for name, value in numbers.items():
        glue(name, float(value), display=False)


def as_images(images: Any) -> np.ndarray:
    """Pictures (..., H, W, 3) or (..., 3, H, W) as uint8 (..., H, W, 3) for drawing.

    They are uint8, or floats in [0, 1] (values outside are clipped); ValueError if no axis holds three colours.

    Examples
    --------
    >>> as_images(np.ones((2, 3, 8, 8))).shape
    (2, 8, 8, 3)
    """
    array = np.asarray(images.detach().cpu() if hasattr(images, "detach") else images)
    if array.ndim < 3 or 3 not in (array.shape[-1], array.shape[-3]):
        raise ValueError(f"expected RGB pictures (..., H, W, 3) or (..., 3, H, W), got shape {array.shape}")
    if array.shape[-1] != 3:
        array = np.moveaxis(array, -3, -1)
    if array.dtype == np.uint8:
        return array
    return np.clip(np.round(np.asarray(array, dtype=np.float32) * 255), 0, 255).astype(np.uint8)


def mark_face(image: Any) -> np.ndarray:
    """Write on a made face what it is, in a band at the bottom; uint8 (H * k, W * k, 3).

    k is 1 from 128 pixels on; smaller pictures are enlarged by a whole factor so that the mark can be read.
    """
    from PIL import Image, ImageDraw, ImageFont

    pixels = as_images(image)
    factor = max(1, -(-MIN_MARKED_SIZE // pixels.shape[1]))
    picture = Image.fromarray(pixels.repeat(factor, axis=0).repeat(factor, axis=1)).convert("RGBA")
    width, height = picture.size
    font = ImageFont.load_default(size=max(9.0, width / 19))
    lines = [FACE_MARK]
    if font.getlength(FACE_MARK) > width - 4:
        words = FACE_MARK.split()
        cut = min(range(1, len(words)), key=lambda i: abs(len(" ".join(words[:i])) - len(" ".join(words[i:]))))
        lines = [" ".join(words[:cut]), " ".join(words[cut:])]
    line_height = round(font.size * 1.15)
    band = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(band)
    top = height - line_height * len(lines) - 2
    pen.rectangle([0, top, width, height], fill=(0, 0, 0, 165))
    for i, line in enumerate(lines):
        pen.text((width / 2, top + line_height * i), line, fill="white", font=font, anchor="ma")
    return np.asarray(Image.alpha_composite(picture, band).convert("RGB"))


def save_face(path: str | Path, image: Any, *, comment: str = "") -> Path:
    """Write a marked face as PNG, with the mark also in the file's text fields; returns the path.

    The mark cannot be left out: there is no argument for it.
    """
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    from s2f_lib.io import atomic_write

    info = PngInfo()
    info.add_text("Description", f"{FACE_MARK}. {FACE_NOTE} {comment}".strip())
    info.add_text("Software", "s2f-lib")
    with atomic_write(path) as partial:
        Image.fromarray(mark_face(image)).save(partial, format="PNG", pnginfo=info)
    return Path(path)


def face_grid(
    columns: Mapping[str, Any],
    *,
    rule: str,
    rows: Sequence[str] | None = None,
    marked: Sequence[str] | None = None,
    size: float = 1.15,
    transpose: bool = False,
):
    """Faces in a grid: one column per kind of picture, one row per person.

    ValueError if the columns hold different numbers of people.

    Parameters
    ----------
    columns : mapping of name to images
        For example ``{"reference": ..., "from face feature": ..., "from voice": ...}``, each (N, H, W, 3) or
        (N, 3, H, W), the same N.
    rule : str
        How the people were picked ("first eight test people"); it is printed below the grid, because a picture picked
        for its beauty proves nothing.
    rows : sequence of str, optional
        A label per person.
    marked : sequence of str, optional
        Columns that a network made and that therefore carry the mark. Default: all but the reference.
    size : float
        Inches per face.
    transpose : bool
        One row per kind of picture instead, for wide figures.
    """
    from matplotlib import pyplot as plt

    pictures = {name: as_images(images) for name, images in columns.items()}
    counts = {name: len(images) for name, images in pictures.items()}
    if not counts or len(set(counts.values())) != 1:
        raise ValueError(f"face_grid: every column needs the same number of people, got {counts}")
    if marked is None:
        marked = [name for name in pictures if name.lower() not in UNMARKED]
    n, k = next(iter(counts.values())), len(pictures)
    shape = (k, n) if transpose else (n, k)
    beside = list(pictures) if transpose else rows or [""]
    width = 0.2 + 0.075 * max(len(line) for name in beside for line in name.split("\n"))  # inches for the names of rows
    figure, axes = plt.subplots(*shape, figsize=(size * shape[1] + width, size * shape[0] + 0.5), squeeze=False)
    for j, (name, images) in enumerate(pictures.items()):
        for i in range(n):
            axis = axes[j, i] if transpose else axes[i, j]
            axis.imshow(mark_face(images[i]) if name in marked else images[i], interpolation="antialiased")
            axis.set(xticks=[], yticks=[])
            axis.grid(False)
            axis.spines[:].set_visible(False)
            person = rows[i] if rows and j == 0 else ""
            above, left = (person, name if i == 0 else "") if transpose else (name if i == 0 else "", person)
            axis.set_title(above, fontsize=8, fontweight="normal" if transpose else "bold", loc="center")
            axis.set_ylabel(left, fontsize=8, rotation=0, ha="right", va="center")
    figure.supxlabel(f"{rule}. {FACE_NOTE}", fontsize=7.5, color="#555555")
    return figure


def bars(
    values: Mapping[str, float],
    *,
    xlabel: str,
    intervals: Mapping[str, Sequence[float]] | None = None,
    chance: float | None = None,
    published: float | None = None,
    n: int | None = None,
    title: str = "",
):
    """Draw named numbers as horizontal bars with their intervals, the chance level and the published number.

    Parameters
    ----------
    values : mapping of name to number
        Drawn from top to bottom. A name found in `COLORS`, whole or before its comma, gets that colour.
    xlabel : str
        What is measured, with its unit.
    intervals : mapping of name to (low, high), optional
        For example bootstrap intervals; say in the caption which.
    chance, published : float, optional
        Vertical lines.
    n : int, optional
        People behind the numbers, added to the title.
    """
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(6.4, 0.38 * len(values) + 1.2))
    intervals = intervals or {}
    for i, (name, value) in enumerate(values.items()):
        colour = COLORS.get(name, COLORS.get(name.split(",")[0], "#8FB8D4"))
        axis.barh(i, value, height=0.62, color=colour)
        low, high = intervals.get(name, (value, value))
        if high > low:
            axis.plot([low, high], [i, i], color="#222222", linewidth=1.4, solid_capstyle="butt")
        axis.annotate(
            f"{value:.3g}", (max(value, high, 0), i), (4, 0), textcoords="offset points", va="center", fontsize=9
        )
    for level, name, style in ((chance, "chance", "--"), (published, "published", ":")):
        if level is not None:
            axis.axvline(level, color=COLORS[name], linestyle=style, linewidth=1.4, label=f"{name}: {level:.3g}")
    axis.set_yticks(range(len(values)), list(values))
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    axis.margins(x=0.12)
    axis.set(xlabel=xlabel, title=f"{title} (N = {n:,})" if n is not None else title)
    if chance is not None or published is not None:
        figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    return figure
