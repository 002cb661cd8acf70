"""Results in Markdown files, drawn from the records: what stands between two markers is never typed by hand.

A file of the book or the README says where a table belongs::

    <!-- results:scorecard -->
    <!-- /results -->

and ``s2f report`` fills it: ``scorecard`` is the table of the paper's claims, ``weights`` the list of
shipped weights, any other name the record of that name. A test fails when a block differs from its record.

Two kinds are filled only while the book is built, because they follow from files that are no results: ``pages``, the
list of pages, and ``api_people``, the modules of a room.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from s2f_lib.io import atomic_write, read_record

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"(<!-- results:(?P<name>[a-z0-9_]+) -->\n)(?P<body>.*?)(<!-- /results -->)", re.DOTALL)

# What a reader is shown of a long record: metric -> words and format; "%" turns a share into per cent.
WORDS: dict[str, dict[str, tuple[str, str]]] = {
    "book": {
        "fresh_book_minutes": ("`make book` from a fresh clone", "{:.1f} min"),
        "second_book_minutes": ("`make book` once more, nothing changed", "{:.1f} min"),
        "test_minutes": ("`make test`", "{:.1f} min"),
        "site_mb": ("the whole site", "{:.1f} MB"),
        "largest_page_mb": ("the largest page with its pictures", "{:.1f} MB"),
        "slowest_page_s": ("until the slowest page shows its text, opened from disk", "{:.1f} s"),
        "external_requests": ("requests that leave the folder", "{:.0f}"),
        "console_errors": ("complaints in the browser's console", "{:.0f}"),
        "images_without_alt": ("images without a description", "{:.0f}"),
    },
    "face_pipeline": {
        "verification_auc": ("recogniser: AUC of same against other person (chance 0.5)", "{:.3f}"),
        "verification_auc_matched": ("... the other one of the same sex, group and age", "{:.3f}"),
        "rank1_of_500": ("... right canonical picture nearest, of 500 (chance 0.2 %)", "%"),
        "true_face_sex_right": ("label classifier on true faces: sex right", "%"),
        "decoder_sex_right": ("... on decoded faces (F2F)", "%"),
        "true_face_group_right": ("label classifier on true faces: group right (chance 25 %)", "%"),
        "decoder_group_right": ("... on decoded faces (F2F)", "%"),
        "true_face_age_mae": ("label classifier on true faces: mean error of the age", "{:.1f} years"),
        "decoder_age_mae": ("... on decoded faces (F2F)", "{:.1f} years"),
        "decoder_dlib_rank1_of_500": ("dlib finds the true face of a decoded one first of 500 (chance 0.2 %)", "%"),
        "decoder_dlib_top10_of_500": ("... among the first ten (chance 2 %)", "%"),
        "decoder_craniofacial_median_r": ("median correlation of twelve face measures, decoded with true", "{:.2f}"),
        "decoder_texture_error_vs_mean_face": ("texture error, as a share of the mean face's", "{:.2f}"),
        "four_pictures_decoder_dlib_rank1_of_500": ("dlib, first of 500, decoded from the mean of four pictures", "%"),
        "dlib_decoder_dlib_rank1_of_500": ("dlib, first of 500, decoded by `decoder-dlib`", "%"),
        "real_gender_kept": ("real photographs: same gender label after `decoder-dlib`", "%"),
        "real_photographs": ("... number of photographs", "{:,.0f}"),
        "recogniser_faces_per_s": ("speed of the recogniser", "{:,.0f} faces/s"),
        "decoder_faces_per_s": ("speed of the decoder", "{:,.0f} faces/s"),
        "weights_mb": ("shipped weights, all together", "{:.0f} MB"),
    },
    "voice_encoder": {
        "clips_seen": ("clips heard in training", "{:,.0f}"),
        "share_of_recoverable": ("gain over chance as a share of the perfect listener's, first 10 %", "%"),
        "sex_read": ("assigned sex right, read off v_s (chance 50 %)", "%"),
        "sex_read_face": ("... read off v_f", "%"),
        "age_read_r": ("correlation with age, read off v_s (chance 0)", "{:.2f}"),
        "age_read_r_face": ("... read off v_f", "{:.2f}"),
        "sex_right": ("assigned sex right, read on the face from the voice (S2F)", "%"),
        "sex_right_f2f": ("... on the face from the face (F2F)", "%"),
        "age_r": ("correlation with age, read on the face from the voice (S2F)", "{:.2f}"),
        "age_r_f2f": ("... on the face from the face (F2F)", "{:.2f}"),
        "null_top10_percent": ("first 10 %, trained and tested where voices know no face (chance 10 %)", "{:.1f} %"),
    },
    "second_engine": {
        "espeak_sex_right": ("assigned sex right, heard from espeak-ng, read on the face (chance 50 %)", "%"),
        "own_sex_right": ("... from our synthesiser", "%"),
        "sex_majority": ("... always the commoner sex", "%"),
        "espeak_age_r": ("correlation with age, heard from espeak-ng (chance 0)", "{:.2f}"),
        "own_age_r": ("... from our synthesiser", "{:.2f}"),
        "espeak_top10_percent": ("own picture among the first 10 %, heard from espeak-ng (chance 10 %)", "{:.1f} %"),
        "own_top10_percent": ("... from our synthesiser", "{:.1f} %"),
    },
    "synthetic_people": {
        "hog_wild_rate": ("wild pictures in which dlib finds a face", "%"),
        "landmark_error": ("distance of its landmarks from the true ones, in distances between the eyes", "{:.3f}"),
        "dlib_auc": ("dlib tells people apart: AUC (chance 0.5)", "{:.3f}"),
        "dlib_auc_matched": ("... people of the same sex, group and age", "{:.3f}"),
        "dlib_auc_restyled": ("... with new hair in every picture", "{:.3f}"),
        "dlib_auc_matched_restyled": ("... new hair, and people of the same sex, group and age", "{:.3f}"),
        "dlib_same_distance": ("mean distance of its features, two pictures of one person", "{:.2f}"),
        "dlib_other_distance": ("... of two people", "{:.2f}"),
        "dlib_false_match_at_0_6": ("pairs of two people that dlib takes for one at its usual threshold", "%"),
        "sex_agreement": ("a packaged classifier's gender label agrees with the assigned sex (chance 50 %)", "%"),
        "sex_agreement_female": ("... people assigned female", "%"),
        "sex_agreement_male": ("... people assigned male", "%"),
        **{f"sex_agreement_group_{group}": (f"... group {group}", "%") for group in "ABCD"},
        "age_r": ("correlation of its age with the assigned age", "{:.2f}"),
        "group_accuracy": ("a linear reader of landmarks and cheek colour names the group (chance 25 %)", "%"),
        "anthropometry_directions_right": ("face measures that differ between the sexes as in the literature", "%"),
        "f0_r": ("pitch that Praat measures, correlation with the one asked for", "{:.3f}"),
        "f2_r": ("second formant, likewise", "{:.3f}"),
        "f2_r_women": ("... women only", "{:.3f}"),
        "f2_r_men": ("... men only", "{:.3f}"),
        "f3_r": ("third formant, likewise", "{:.3f}"),
        "f3_r_women": ("... women only", "{:.3f}"),
        "f3_r_men": ("... men only", "{:.3f}"),
        "tract_length_r_women": ("tract length from formants, nothing fitted, women", "{:.2f}"),
        "tract_length_r_men": ("... men", "{:.2f}"),
        "tract_length_weighted_r_women": ("... by weights fitted on other people, women", "{:.2f}"),
        "tract_length_weighted_r_men": ("... men", "{:.2f}"),
        "tract_length_listener_r_women": ("... a listener who knows the true formants, women", "{:.2f}"),
        "tract_length_listener_r_men": ("... men", "{:.2f}"),
        "speaker_auc": ("a network of real speakers tells the voices apart: AUC (chance 0.5)", "{:.4f}"),
        "speaker_rank1": ("... the other clip of the same person is the nearest, of 150 (chance 0.7 %)", "%"),
        "speaker_same_cosine": ("cosine of its features, two clips of one person", "{:.2f}"),
        "speaker_other_cosine": ("... of two people", "{:.2f}"),
        "null_audio_largest_r": ("largest correlation of sound with body or face, world *null*", "{:.2f}"),
        "null_audio_chance_r": ("... what 95 % of shuffled populations stay below", "{:.2f}"),
        "null_audio_p": ("... its permutation p", "{:.3f}"),
        "physiology_audio_largest_r": ("... world *physiology*", "{:.2f}"),
        "physiology_audio_chance_r": ("... what 95 % of shuffled populations stay below", "{:.2f}"),
        "physiology_audio_p": ("... its permutation p", "{:.3f}"),
        "images_per_s_128px": ("pictures of 128 pixels, 2 processes", "{:.0f} per s"),
        "clips_per_s": ("clips of six seconds, 2 processes", "{:.0f} per s"),
        "image_cpu_ms": ("processor time of a picture", "{:.0f} ms"),
        "clip_cpu_ms": ("... of a clip", "{:.0f} ms"),
        "minutes_per_1000_people": ("1,000 people, 5 pictures and 2 clips each", "{:.1f} min"),
        "import_s": ("import of the package that makes them", "{:.2f} s"),
        "asset_mb": ("packaged data", "{:.1f} MB"),
        "load_average": ("load of the machine when the rates were measured", "{:.1f}"),
    },
}


def record_table(name: str) -> str:
    """A record as Markdown: one row per metric (those of `WORDS`, else all), and below where the numbers come from."""
    from s2f_lib.evaluate.freshness import caution

    record = read_record(name)
    if record is None:
        return f"*`results/{name}.json`: not run yet.*"
    metrics, intervals = record["metrics"], record["intervals"]
    words = WORDS.get(name) or {metric: (metric.replace("_", " "), "") for metric in metrics}
    shown = {metric: told for metric, told in words.items() if metric in metrics}
    some = any(metric in intervals for metric in shown)
    rows = ["| measure | value |" + " 95 % interval |" * some, "|---|---|" + "---|" * some]
    for metric, (text, form) in shown.items():
        low_high = " to ".join(_shown(end, form) for end in intervals[metric]) if metric in intervals else "–"
        low_high = low_high.replace(" %", "", low_high.count(" %") - 1) if "%" in low_high else low_high
        rows.append(f"| {text} | {_shown(metrics[metric], form)} |" + f" {low_high} |" * some)
    seeds = f", seeds {', '.join(map(str, record['seeds']))}" if record["seeds"] else ""
    more = f"All numbers: `results/{name}.json`. " if len(shown) < len(metrics) else ""
    source = (
        f"N = {record['n']:,}{seeds}; recorded {record['date'][:10]} on {record['device']}, by `{record['command']}`."
    )
    notes = f" {record['notes']}" if record["notes"] else ""
    warning = caution(name)
    return "\n".join([*([warning, ""] if warning else []), *rows, "", more + source + notes])


def weights_table() -> str:
    """The weights that `hub.available` lists, as Markdown."""
    from s2f_lib import hub

    rows = ["| name | what | size (MB) | licence | source |", "|---|---|---|---|---|"]
    for entry in hub.available():
        size = "" if entry["size_mb"] is None else number(entry["size_mb"])
        rows.append(f"| `{entry['name']}` | {entry['kind']} | {size} | {entry['licence']} | {entry['source']} |")
    return "\n".join(rows)


def scorecard_table() -> str:
    """The paper's claims with our numbers and verdicts."""
    from s2f_lib.evaluate import scorecard

    return scorecard.markdown().strip()


def pages_table() -> str:
    """The pages of the book with the question each one asks and what it runs on, from their first cell."""
    rows = ["| page | question | runs on |", "|---|---|---|"]
    for path in sorted((ROOT / "book").glob("[0-9][0-9]_*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells[:3] if cell["cell_type"] == "markdown")
        title = re.search(r"^# (.+)$", text, re.MULTILINE)
        told = {key: re.search(rf"\*\*{key}\*\*:? (.+?)\\?$", text, re.MULTILINE) for key in ("Question", "Runs on")}
        question, runs_on = (found[1].strip() if found else "" for found in told.values())
        rows.append(f"| [{title[1] if title else path.stem}]({path.name}) | {question} | {runs_on} |")
    return "\n".join(rows) if len(rows) > 2 else "*No page yet.*"


ROOMS = {
    "foundation": ("config", "hub", "io", "audio", "media"),
    "people": ("people",),
    "faces": ("faces",),
    "corpus": ("corpus",),
    "learning": ("voice_encoder", "losses", "train", "training"),
    "metrics": ("metrics",),
    "evaluate": ("evaluate",),
    "studies": ("studies",),
    "book": ("book", "published", "idea", "blocks", "site", "cli"),
}


def modules(room: str) -> list[str]:
    """Full names of the public modules of a room that exist, packages before what is in them."""
    package = ROOT / "s2f_lib"
    found = []
    for name in ROOMS[room]:
        paths = (
            [package / f"{name}.py"] if (package / f"{name}.py").exists() else sorted((package / name).rglob("*.py"))
        )
        for path in sorted(paths, key=lambda path: (path.parent, path.name != "__init__.py", path.name)):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if not any(part.startswith("_") and part != "__init__" for part in parts):
                found.append(".".join(part for part in parts if part != "__init__"))
    return found


def api_block(room: str) -> str:
    """Directives that draw the reference of a room's modules from their docstrings."""
    directives = []
    for name in modules(room):
        is_package = (ROOT / name.replace(".", "/")).is_dir()  # its members are shown where they are defined
        option = "\n   :no-members:" if is_package else ""
        title = name.removeprefix("s2f_lib.")
        directives.append(f"## {title}\n\n```{{eval-rst}}\n.. automodule:: {name}{option}\n```")
    return "\n\n".join(directives) or "*Nothing here yet.*"


TABLES: dict[str, Callable[[], str]] = {"scorecard": scorecard_table, "weights": weights_table}
BUILT: dict[str, Callable[[], str]] = {
    "pages": pages_table,
    **{f"api_{room}": partial(api_block, room) for room in ROOMS},
}


def number(value: float) -> str:
    """Three significant digits, whole numbers whole.

    Examples
    --------
    >>> number(0.98765), number(1234567), number(45.0)
    ('0.988', '1,234,567', '45')
    """
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _shown(value: float, form: str) -> str:
    """A number in the format that `WORDS` gives for it."""
    if form == "%":
        return f"{100 * value:.1f} %"
    return form.format(value) if form else number(value)


def refreshed(text: str, everything: bool = False) -> str:
    """The text with every block filled from its record; the kinds of the build too if `everything`, else empty."""

    from s2f_lib.evaluate import summaries  # short tables out of long records

    tables = {**summaries.TABLES, **TABLES}

    def fill(match: re.Match) -> str:
        name = match["name"]
        if name in BUILT:
            return f"{match[1]}\n{BUILT[name]()}\n\n{match[4]}" if everything else match[1] + match[4]
        body = tables[name]().strip() if name in tables else record_table(name)
        body = re.sub(
            r"(?<=\d) (?=(%|MB|min|years|per s|faces/s)(?!\w))", "\u00a0", body
        )  # a unit stays with its number
        return f"{match[1]}\n{body}\n\n{match[4]}"

    return BLOCK.sub(fill, text)


def files(root: Path = ROOT) -> list[Path]:
    """The Markdown files that hold blocks."""
    candidates = [root / "README.md", *sorted((root / "book").rglob("*.md"))]
    return [path for path in candidates if path.exists() and BLOCK.search(path.read_text(encoding="utf-8"))]


def main(arguments: Sequence[str] | None = None) -> int:
    """``s2f report``: fill every block of the documents; prints the files that changed."""
    parser = argparse.ArgumentParser(
        prog="s2f report", description="Fill the tables of the documents from the records."
    )
    parser.add_argument("--scorecard", action="store_true", help="first judge every claim and write the scorecard")
    if parser.parse_args(arguments).scorecard:
        from s2f_lib.evaluate import scorecard

        scorecard.write()
    for path in files():
        before = path.read_text(encoding="utf-8")
        after = refreshed(before)
        if after != before:
            with atomic_write(path, "w") as file:
                file.write(after)
            print(f"refreshed {path.relative_to(ROOT)}")
    return 0
