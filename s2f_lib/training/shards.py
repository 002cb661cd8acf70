"""A made corpus (a folder of shards) as the trainer's source."""

from __future__ import annotations

from pathlib import Path


def corpus_sources(folder: str | Path) -> tuple:
    """Training and validation source of a corpus folder, see `s2f_lib.corpus`; the splits are those stored in it."""
    from s2f_lib import corpus

    opened = corpus.open(folder)
    return opened.source("train"), opened.source("validation")
