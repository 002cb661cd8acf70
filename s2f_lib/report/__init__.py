"""From the records to what is read: claims and their verdicts, tables, and the blocks of README and book.

- `claims`, `rules`: what the paper claims, and how the records judge it;
- `scorecard`: the verdicts; `tables`: what is shown of a record; `gpu`: what was measured on one;
- `staleness`: a warning where a record is older than its weights;
- `documents`: the blocks of README and book, and ``s2f report``, which refreshes them.
"""
