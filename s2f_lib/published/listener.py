"""A small upload (and, in Colab, record) widget: a voice of the reader's in, an average face out. Needs a kernel."""

import base64
import sys
import tempfile
from pathlib import Path
from typing import Any

from s2f_lib.published import portrait

RECORD_SECONDS = 6
RECORDER = Path(__file__).with_name("static") / "record.js"  # for Colab


def listener(head: str | Path | None = None) -> Any:
    """An upload button that draws the faces of a recording; in Colab a button that records six seconds too.

    It says what is missing where the head (``s2f published train``) or the decoder is not on this machine. Nothing is
    uploaded anywhere but to the kernel that runs the page, and nothing is kept.
    """
    import ipywidgets

    if reason := portrait.missing(head):
        return ipywidgets.Label(f"Not ready here: {reason}")
    upload = ipywidgets.FileUpload(accept="audio/*,video/*", multiple=False, description="A recording")
    shown = ipywidgets.Output()

    def show(data: bytes, ending: str) -> None:
        shown.clear_output()
        with shown:
            draw(data, ending, head)

    def uploaded(change: dict) -> None:
        if files := change["new"]:  # version 7 of ipywidgets: name -> content; later: one entry per file
            name, file = next(iter(files.items())) if isinstance(files, dict) else (files[0]["name"], files[0])
            show(bytes(file["content"]), Path(name).suffix)

    def recorded(_button: Any) -> None:  # the browser asks for permission first
        from google.colab import output

        script = RECORDER.read_text(encoding="utf-8").replace("SECONDS", str(RECORD_SECONDS))
        show(base64.b64decode(output.eval_js(script).split(",")[1]), ".webm")

    upload.observe(uploaded, names="value")
    buttons = [upload]
    if "google.colab" in sys.modules:
        buttons.append(ipywidgets.Button(description=f"Record {RECORD_SECONDS} s", icon="microphone"))
        buttons[1].on_click(recorded)
    return ipywidgets.VBox([ipywidgets.HBox(buttons), shown])


def draw(data: bytes, ending: str, head: str | Path | None = None) -> None:
    """Show the marked faces of a recording's bytes, or one sentence saying what is wrong with it."""
    from IPython.display import display
    from matplotlib import pyplot as plt

    from s2f_lib import audio
    from s2f_lib.book import plotting

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"recording{ending or '.wav'}"
        path.write_bytes(data)
        try:
            faces = portrait.average_face(audio.load(path), head)
        except ValueError as error:
            print(f"this recording cannot be used: {error}")
            return
    columns = {f"exaggerated {alpha:g}": faces[[i]] for i, alpha in enumerate((0.0, portrait.EXAGGERATION, 1.4))}
    figure = plotting.face_grid(columns, rule="Average of people who sound alike", size=2.0)
    display(figure)
    plt.close(figure)
