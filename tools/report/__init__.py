"""From the records to what is read: claims and their verdicts, and the blocks of README and book.

- `claims`, `rules`: what the paper claims, and how the records judge it;
- `scorecard`: the verdicts; `blocks`: tables that only documents show; `documents`: where they are filled in.

A maintainer refreshes all of it with ``python -m tools.report``.
"""
