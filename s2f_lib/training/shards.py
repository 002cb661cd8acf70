"""A made corpus (a folder or an address with shards) as the trainer's source."""

from __future__ import annotations

from pathlib import Path


def corpus_sources(folder: str | Path) -> tuple:
    """Training and validation source of a corpus (folder or fsspec address); the splits are those stored in it."""
    from s2f_lib import corpus

    opened = corpus.open(folder)
    return opened.source("train"), opened.source("validation")
