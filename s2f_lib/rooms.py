"""The map of the library: its rooms from the ground up. A room imports only itself and rooms before it.

The overview in the package's docstring, the pages of the reference and the test of the layers are made from `ROOMS`.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ROOMS", "Room", "overview"]


class Room(NamedTuple):
    """Modules or packages that stand side by side, the page of the reference that shows them, and what they are for."""

    names: tuple[str, ...]
    page: str
    words: str


ROOMS = (
    Room(("rooms", "io", "config", "hub"), "foundation", "files, records, settings and weights by name"),
    Room(("audio", "media"), "foundation", "sound to the paper's spectrogram, video to frame and sound"),
    Room(("metrics",), "metrics", "similarity, retrieval, labels, face measures, intervals and tests"),
    Room(("people",), "people", "synthetic people with a known face and voice"),
    Room(("faces",), "faces", "detector, frozen recognisers, face decoder"),
    Room(("corpus",), "corpus", "one interface over synthetic, published and downloaded data"),
    Room(("voice_encoder", "losses"), "learning", "the network and what it minimises"),
    Room(("training",), "learning", "how it learns"),
    Room(("evaluate",), "evaluate", "every measure of the paper, with the baselines it left out"),
    Room(("studies",), "studies", "ablation of the loss, ethics, probing, growth with the data"),
    Room(("neighbours",), "studies", "contrastive embeddings beside it, and a benchmark that others can enter"),
    Room(("book",), "book", "its look, its explorers, its tables out of the records, and how its pages are run"),
    Room(("published",), "book", "the authors' own examples, measured again"),
    Room(("cli",), "book", "the command line"),
)


def overview() -> str:
    """The rooms as a list, one line each."""
    return "\n".join(f"- {', '.join(f'`{name}`' for name in room.names)}: {room.words};" for room in ROOMS)[:-1] + "."
