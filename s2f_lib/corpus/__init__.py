"""Corpora: one interface over synthetic people, published examples and your own downloads.

A corpus is a folder with ``corpus.json`` (what it is), ``manifest.csv`` (one row per clip), ``splits.json`` (who is in
train, validation and test) and ``shards/*.tar``.

    clips = corpus.open("synthetic")
    clips.summary()
    for batch in clips.source("train").batches(plan): ...
"""

from s2f_lib.corpus.folder import Corpus, open
