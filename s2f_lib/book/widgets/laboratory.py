"""Explorers of people and voices: who they are, how they sound, and which face the model makes of it."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from s2f_lib.book import plotting
from s2f_lib.book.widgets.frames import Frame, frame_choice

# cause -> (lowest, highest, step, unit); the keys are names of voice parameters or of person fields
VOICE_CONTROLS = {
    "f0": (80.0, 280.0, 5.0, "Hz"),
    "vtl": (13.0, 19.0, 0.1, "cm"),
    "age": (18.0, 85.0, 1.0, "years"),
    "breath": (0.005, 0.2, 0.005, ""),
}
CAUSE_NAMES = {"f0": "pitch", "vtl": "vocal tract", "breath": "breathiness"}  # the others are called by their key
LANGUAGE_NAMES = {"en": "English", "de": "German", "es": "Spanish", "fr": "French"}
LANGUAGE_NAMES |= {"zh": "Chinese", "hi": "Hindi", "sw": "Swahili", "tr": "Turkish"}


def people_explorer(people: Mapping[str, Frame], filters: Mapping[str, Sequence[str]] | None = None):
    """Choose a person from a list (optionally filtered) and see and hear them; works in the static book.

    ValueError if there is nobody, or a filter names somebody unknown.

    Parameters
    ----------
    people : mapping of name to Frame
        What to show of each person; see `person_frame`.
    filters : mapping of title to names, optional
        For example ``{"all": [...], "labelled female": [...]}``: a second list, chosen first.
    """
    import ipywidgets

    filters = dict(filters) if filters else {"all": list(people)}
    unknown = sorted({name for names in filters.values() for name in names} - set(people))
    if not people or unknown:
        raise ValueError(
            f"nobody is called {', '.join(unknown) or '...'}; there are {', '.join(people) or 'no people'}"
        )
    # one panel each, however many filters show it: the page holds its pictures and sound once
    panels = {name: ipywidgets.HTML(value=frame.html()) for name, frame in people.items()}
    views = [frame_choice("person", {name: panels[name] for name in names}) for names in filters.values()]
    return views[0] if len(views) == 1 else frame_choice("show", dict(zip(filters, views)))


def person_frame(
    label: str, pictures: Mapping[str, Any], waveform: np.ndarray | None = None, seconds: float = 3.0
) -> Frame:
    """One person's pictures side by side, each made picture with its mark, and the voice below.

    Parameters
    ----------
    pictures : mapping of title to image
        For example reference, F2F, S2F and the nearest faces. Titles that begin with "reference", "true", "wild" or
        "nearest" are renders of synthetic people and carry no mark.
    """
    from PIL import Image, ImageDraw, ImageFont

    tiles = []
    for title, image in pictures.items():
        pixels = plotting.as_images(image)
        rendered = title.lower().startswith((*plotting.UNMARKED, "nearest"))
        pixels = pixels if rendered else plotting.mark_face(pixels)
        tile = Image.new("RGB", (144, 164), "white")
        tile.paste(Image.fromarray(pixels).resize((140, 140), Image.Resampling.LANCZOS), (2, 22))
        ImageDraw.Draw(tile).text((72, 4), title, fill="#222", anchor="ma", font=ImageFont.load_default(size=13))
        tiles.append(np.asarray(tile))
    alt = f"{label}: {', '.join(pictures)}; computer-made faces that identify nobody"
    piece = None if waveform is None else waveform[: round(seconds * 16_000)]
    return Frame(label, np.concatenate(tiles, axis=1), alt, plotting.FACE_NOTE, piece)


def voice_laboratory(person: Any, to_face: Callable[[np.ndarray], np.ndarray]):
    """Change one cause of a voice at a time; the voice is synthesised again and the decoded face follows.

    Needs a kernel (JupyterLab, Colab); the static book shows frames of the same sliders instead. The change goes
    through ``person.intervene``, so what it causes downstream follows; ``to_face`` makes a face (H, W, 3) of a waveform
    (96,000,). The ipywidgets.VBox has an attribute ``refresh``, which a test can call.
    """
    import ipywidgets

    from s2f_lib import people
    from s2f_lib.people.causes import LANGUAGES

    sliders = {
        name: ipywidgets.FloatSlider(
            value=float(np.clip(person.voice[name] if name in person.voice else getattr(person, name), low, high)),
            min=low,
            max=high,
            step=step,
            description=_title(name, unit),
            style={"description_width": "130px"},
            layout={"width": "min(460px, 98%)"},
        )
        for name, (low, high, step, unit) in VOICE_CONTROLS.items()
    }
    language = ipywidgets.Dropdown(
        options=[(LANGUAGE_NAMES[code], code) for code in LANGUAGES],
        value=person.language,
        description="language",
        style={"description_width": "130px"},
    )
    panel = ipywidgets.HTML()

    def refresh(_change: Any = None) -> None:
        started = time.perf_counter()
        changed = {name: slider.value for name, slider in sliders.items() if slider.value != slider_start[name]}
        edited = person.intervene(language=language.value, **changed)
        waveform = people.speak(edited, sentences="test", channel=False)
        face = plotting.mark_face(to_face(waveform))
        caption = f"The average face that goes with such voices. {plotting.FACE_NOTE}"
        answer = Frame("the changed voice", face, "decoded face of the changed voice", caption, waveform).html()
        panel.value = f"{answer}<p>Spoken, heard and drawn in {1000 * (time.perf_counter() - started):.0f} ms.</p>"

    slider_start = {name: slider.value for name, slider in sliders.items()}
    for control in (*sliders.values(), language):
        control.observe(refresh, names="value")
    refresh()
    box = ipywidgets.VBox([*sliders.values(), language, panel])
    box.refresh = refresh
    return box


def laboratory_frames(
    person: Any, to_face: Callable[[np.ndarray], np.ndarray], causes: Mapping[str, Sequence[Any]]
) -> dict[str, list[Frame]]:
    """Frames for `frame_tabs`: the person with one cause at each of the given values, heard and decoded.

    Examples of `causes`: ``{"vtl": [14, 16, 18], "language": ["en", "sw"]}``. The keys of the result are the causes in
    words, with their unit.
    """
    from s2f_lib import people

    tabs: dict[str, list[Frame]] = {}
    for cause, values in causes.items():
        step_unit = VOICE_CONTROLS.get(cause, ("",))[-1]
        title = _title(cause, step_unit)
        tabs[title] = []
        for value in values:
            waveform = people.speak(person.intervene(**{cause: value}), sentences="test", channel=False)
            label = f"{LANGUAGE_NAMES.get(value, value)} {step_unit}".strip()
            face = plotting.mark_face(to_face(waveform))
            told = f"{CAUSE_NAMES.get(cause, cause)} {label}"
            alt = f"decoded face of the same synthetic person, {told}"
            tabs[title].append(Frame(label, face, alt, f"{told}. {plotting.FACE_NOTE}", waveform[:32_000]))
    return tabs


def _title(cause: str, unit: str) -> str:
    """A cause in words, with its unit in brackets."""
    return f"{CAUSE_NAMES.get(cause, cause)} ({unit})" if unit else CAUSE_NAMES.get(cause, cause)
