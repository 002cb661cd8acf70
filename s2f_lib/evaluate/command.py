"""What the commands of this room share: an encoder by name, a place for the record."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from s2f_lib import hub


def load_encoder(name: str):
    """An encoder by its name in the hub, or from a file written by `voice_encoder.save`."""
    if name.endswith(".safetensors"):
        from s2f_lib import voice_encoder

        return voice_encoder.load(name)
    return hub.load(name)


@contextlib.contextmanager
def results_in(path: str | Path) -> Iterator[str]:
    """Let records go to the folder of ``path`` for a while; gives the record's name."""
    path, before = Path(path), os.environ.get("S2F_RESULTS")
    os.environ["S2F_RESULTS"] = str(path.resolve().parent)
    try:
        yield path.stem
    finally:
        os.environ.pop("S2F_RESULTS")
        if before is not None:
            os.environ["S2F_RESULTS"] = before
