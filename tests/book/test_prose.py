"""The text of the book as it lies in the repository: pages that any notebook shows, links that lead somewhere."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

from s2f_lib import io
from s2f_lib.book import pages
from s2f_lib.published import paper

ROOT = Path(__file__).resolve().parents[2]
BOOK = sorted((ROOT / "book").glob("*.ipynb"))
TEXTS = sorted([*BOOK, *(ROOT / "book").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
by_stem = pytest.mark.parametrize("page", BOOK, ids=lambda p: p.stem)


def cells(page: Path, kind: str | None = None) -> list[dict]:
    found = json.loads(page.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in found if kind in (None, cell["cell_type"])]


def tags(cell: dict) -> set[str]:
    return set(cell["metadata"].get("tags", []))


def text(cell: dict) -> str:
    return "".join(cell["source"])


def prose(path: Path) -> str:
    """Markdown of a page or a document, without code."""
    if path.suffix == ".ipynb":
        whole = "\n\n".join(text(cell) for cell in cells(path, "markdown"))
    else:
        whole = path.read_text(encoding="utf-8")
    return re.sub(r"```.*?```|`[^`\n]*`", "", whole, flags=re.DOTALL)


# --- pages


@by_stem
def test_a_page_is_a_valid_notebook(page):
    nbformat.validate(nbformat.read(page, as_version=4))


@by_stem
def test_only_compared_cells_store_an_output(page):
    stored = [i for i, cell in enumerate(cells(page, "code")) if cell["outputs"] and "keep_output" not in tags(cell)]
    assert stored == []
    for cell in cells(page, "code"):
        if "keep_output" in tags(cell):
            assert "nbval-check-output" in tags(cell)
            assert len(json.dumps(cell["outputs"])) < 4000
        if "nbval-check-output" in tags(cell):
            assert cell["outputs"], "a compared cell without a stored output compares nothing"


@by_stem
def test_the_parameters_are_constants_with_type_and_help(page):
    found = pages.parameters(page)
    assert found
    assert [p.name for p in found if not p.help] == []
    (cell,) = (cell for cell in cells(page, "code") if "parameters" in tags(cell))
    bare = [node.lineno for node in ast.parse(text(cell)).body if not isinstance(node, ast.AnnAssign)]
    assert bare == [], "a parameter without its type"


@by_stem
def test_code_cells_fit_on_a_screen(page):
    assert [i for i, cell in enumerate(cells(page, "code")) if len(text(cell).splitlines()) > 25] == []


@by_stem
def test_the_first_imports_name_at_most_four_of_our_modules(page):
    first = next(text(cell) for cell in cells(page, "code") if "from s2f_lib" in text(cell))
    imports = [node for node in ast.walk(ast.parse(first)) if isinstance(node, ast.ImportFrom)]
    ours = [alias.name for node in imports if node.module.split(".")[0] == "s2f_lib" for alias in node.names]
    assert 1 <= len(ours) <= 4, ours


@by_stem
def test_a_page_tells_more_than_it_computes(page):
    words = sum(len(text(cell).split()) for cell in cells(page, "markdown"))
    lines = sum(bool(line.strip()) for cell in cells(page, "code") for line in text(cell).splitlines())
    assert words / lines >= 5, f"{words} words for {lines} lines of code"


@by_stem
def test_a_page_opens_with_its_question_and_ends_with_exercises(page):
    prose = [text(cell) for cell in cells(page, "markdown")]
    assert prose[0].startswith("# ")
    opening = "\n".join(prose[:2])
    for word in ("**Question**", "**Needs**", "**Runs on**", "**Writes**"):
        assert word in opening
    whole = "\n".join(prose)
    assert "## What we learned" in whole
    assert "does not show" in whole
    exercises = whole.split("## Exercises")[1]
    assert 2 <= exercises.count("<details>") <= 4


@by_stem
def test_a_page_keeps_numbers_for_the_table_of_a_sweep(page):
    assert sum("plotting.keep(" in text(cell) for cell in cells(page, "code")) == 1


@by_stem
def test_a_page_links_its_difficult_words_to_the_glossary(page):
    linked = re.findall(r"\(glossary\.md#([\w-]+)\)", prose(page))
    assert linked
    assert len(linked) == len(set(linked)), "once a page is enough"


@by_stem
def test_a_page_is_written_in_what_every_notebook_shows(page):
    """JupyterLab, Colab, VS Code and GitHub know Markdown and HTML, and no macros of ours."""
    whole = "\n".join(text(cell) for cell in cells(page, "markdown"))
    assert re.findall(r"^:::.*|\{[\w:-]+\}`|\\v[sf]\b", whole, re.MULTILINE) == []


@by_stem
def test_code_is_folded_by_what_each_host_understands(page):
    for cell in cells(page, "code"):
        folded = bool(tags(cell) & {"hide-input", "hide-cell"})  # the book
        assert cell["metadata"].get("jupyter", {}).get("source_hidden", False) == folded  # JupyterLab
        assert (cell["metadata"].get("cellView") == "form") == folded  # Colab


@by_stem
def test_no_machine_path_no_star_import_no_drive(page):
    source = "\n".join(text(cell) for cell in cells(page))
    assert not re.search(r"(?<![\w.:])/(work|tmp|root|home)/\w", source)
    assert "import *" not in source
    assert "drive.mount" not in source


@by_stem
def test_figures_have_caption_number_and_alt_text(page):
    captions, everything = {}, cells(page)
    for cell, below in pairwise(everything):
        if not (caption := re.fullmatch(r'<a id="(fig-[\w-]+)"></a>\*Figure (\d+)\. (.+)\*', text(below))):
            assert cell["cell_type"] == "markdown" or "image" not in cell["metadata"].get("mystnb", {}), "no caption"
            continue
        name, number, words = caption.groups()
        captions[name] = number
        assert cell["metadata"]["mystnb"]["image"]["alt"]
        if re.search(r"face_grid|mark_face|render_|contact_sheet|explorer|laboratory", text(cell)):
            assert "computer-made" in words.lower(), words
    assert list(captions.values()) == [str(i + 1) for i in range(len(captions))], "numbers in order"
    linked = re.findall(r"\[Figure (\d+)\]\(#([\w-]+)\)", "\n".join(map(text, everything)))
    assert [(number, name) for number, name in linked if captions.get(name) != number] == []


@by_stem
def test_a_page_is_small(page):
    assert page.stat().st_size < 100_000


# --- links


@cache
def anchors(path: Path) -> set[str]:
    """Places of a text that a link can name: anchors in HTML, and headings as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    named = {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
    return named | set(re.findall(r'<a id="([\w-]+)">', prose(path)))


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_to_something_that_is_there(path):
    broken = []
    for address in re.findall(r"\]\(([^)\s]+)\)", prose(path)):
        if re.match(r"[a-z]+:", address):
            continue
        name, _, fragment = address.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (fragment and fragment not in anchors(target)):
            broken.append(address)
    assert broken == []


def test_the_references_are_those_of_the_bibliography():
    from pybtex.database import parse_file

    entries = parse_file(ROOT / "book/references.bib").entries
    whole = (ROOT / "book/references.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r'^- <a id="([\w-]+)"></a>(.+)$', whole, re.MULTILINE))
    assert set(listed) == set(entries)
    for key, entry in entries.items():
        assert f"({entry.fields['year']})" in listed[key]
        assert re.sub(r"[{}]", "", entry.fields["title"]).replace("--", "\u2013") in listed[key]


# --- what the introduction says


@pytest.mark.parametrize("name", ["README.md", "book/intro.md"])
def test_what_held_and_what_did_not_is_what_was_measured(name):
    said = " ".join((ROOT / name).read_text(encoding="utf-8").split())
    evaluation, ethics = map(io.read_record, ("evaluation_synthetic", "ethics"))
    where = {"experiment": "identity", "predictor": "voice", "k": 10}
    found = evaluation.value("top_percent", predictor="voice", seconds=6, k=10, metric="cosine", within=None)
    oracle = evaluation.value("top_percent", predictor="oracle", k=10, within=None)
    labels = found - ethics.value("top_percent_gain", **where, against="sex and decade")
    alike = ethics.value("match", experiment="identity", within="sex, decade and group", k=2)
    assert f"for {100 * found:.0f} % of the people, where chance is 10 %" in said
    assert f"reaches about {100 * oracle:.0f} %" in said
    assert f"without any sound, finds {100 * labels:.0f} %" in said
    assert f"picks the right one in {100 * alike:.0f} % of the cases, where chance is 50 %" in said
    printed = {row["attribute"]: row for row in paper.table()}
    assert "age and ancestry agree no better than a constant guess" in said
    assert all(printed[of]["s2f"] <= printed[of]["constant"] for of in ("age_same_decade", "ethnicity"))
    assert "the first 1 *percent* of 5,000 faces" in said
    assert abs(100 * paper.in_gallery(paper.TRUE_RANKS).top_percent(1) - paper.RETRIEVAL[6, "cosine"][1]) < 3


def test_what_the_readme_says_of_a_recogniser_that_knows_names_alone():
    record, said = io.read_record("recognisers"), " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    of = {"measure": "match", "k": 2, "predictor": "oracle", "within": None}
    names, causes = (100 * record.value(**of, recogniser=name) for name in ("dlib", "synthetic-vgg"))
    assert f"finds the right of two faces in {names:.0f} % instead of {causes:.0f} %" in said
