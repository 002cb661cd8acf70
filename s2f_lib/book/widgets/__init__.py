"""Interactive views: what moves with Python behind it in JupyterLab, and what still moves in the static book.

In the published page no Python runs. Everything here is therefore built from two layers: frames that were drawn
beforehand and are switched by the browser alone (`frame_slider`, `frame_tabs`, `people_explorer`, `loss_explorer`), and
one live view that needs a kernel (`voice_laboratory`), which says so when there is none.
"""

from s2f_lib.book.widgets.frames import Frame, frame_slider, frame_tabs, sound_html
from s2f_lib.book.widgets.laboratory import (
    LANGUAGE_NAMES,
    laboratory_frames,
    people_explorer,
    person_frame,
    voice_laboratory,
)
from s2f_lib.book.widgets.loss_field import loss_explorer, loss_field
