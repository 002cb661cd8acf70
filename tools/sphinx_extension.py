"""A small Sphinx extension of the book: its pages are plain notebooks, and the built site is more than that.

The sources read well wherever a notebook is opened (JupyterLab, Colab, VS Code, GitHub): the box at the top of a page
is a block quote, a caption is a line in italics below its figure, references and terms are ordinary links. Here the
box becomes an admonition, the caption a caption, and an anchor in raw HTML (``<a id="holm1979simple"></a>``) a place
that links find. Tables of recorded results are filled in.

Three things make a browser complain where there is no server and no network: a preload of icon fonts with a
cross-origin flag, which pages from a folder may not use (the fonts themselves load); the start code of an online
kernel, which this book does not have; and the search, which reads whole pages to show a line of each. The first two are
left out, and the search gets a script with the texts.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import partial
from pathlib import Path

from docutils import nodes

from s2f_lib import io, rooms
from s2f_lib.book import tables, web, web_page
from tools.report import documents
from tools.report.documents import ROOT

ANCHOR = re.compile(r'<a id="([\w-]+)"></a>')
BOX = re.compile(r"^> \*\*(This page)\*\*\n((?:>.*(?:\n|\Z))+)", re.MULTILINE)
CAPTION = re.compile(rf"{ANCHOR.pattern}\*(.+)\*\s*", re.DOTALL)
FONT_PRELOAD = re.compile(r'\s*<link rel="preload" as="font"[^>]*>')
SEARCH_TEXTS = "search-texts.js"


def pages_table() -> str:
    """The pages of the book with the question each one asks and what it runs on, from their first cell."""
    rows = []
    for path in sorted((ROOT / "book").glob("[0-9][0-9]_*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells[:3] if cell["cell_type"] == "markdown")
        title = re.search(r"^# (.+)$", text, re.MULTILINE)
        said = [re.search(rf"\*\*{key}\*\*:? (.+?)\\?$", text, re.MULTILINE) for key in ("Question", "Runs on")]
        rows.append([f"[{title[1] if title else path.stem}]({path.name})", *(m[1].strip() if m else "" for m in said)])
    return tables.markdown(("page", "question", "runs on"), rows, "").strip() if rows else "*No page yet.*"


def modules(page: str) -> list[str]:
    """Full names of the public modules on a page of the reference, packages before what is in them."""
    found = []
    for name in (name for room in rooms.ROOMS if room.page == page for name in room.names):
        file = ROOT / "s2f_lib" / f"{name}.py"
        paths = [file] if file.exists() else sorted((ROOT / "s2f_lib" / name).rglob("*.py"))
        for path in sorted(paths, key=lambda path: (path.parent, path.name != "__init__.py", path.name)):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if not any(part.startswith("_") and part != "__init__" for part in parts):
                found.append(".".join(part for part in parts if part != "__init__"))
    return found


def api_block(page: str) -> str:
    """Directives that draw one page of the reference from the docstrings of its modules."""
    directives = []
    for name in modules(page):
        is_package = (ROOT / name.replace(".", "/")).is_dir()  # its members are shown where they are defined
        option = "\n   :no-members:" if is_package else ""
        title = name.removeprefix("s2f_lib.")
        directives.append(f"## {title}\n\n```{{eval-rst}}\n.. automodule:: {name}{option}\n```")
    return "\n\n".join(directives) or "*Nothing here yet.*"


BUILT = {"pages": pages_table, **{f"api_{room.page}": partial(api_block, room.page) for room in rooms.ROOMS}}


def read_page(app, docname, source):
    """Fill the tables of a page (see `tools.report.documents`) as it is read, or dress a notebook (`dressed`)."""
    if app.env.doc2path(docname).endswith(".ipynb"):
        source[0] = json.dumps(dressed(json.loads(source[0])))
    else:
        source[0] = documents.refreshed(source[0], BUILT)


def dressed(notebook: dict) -> dict:
    """Turn the box of a notebook into an admonition, and a caption below a figure into the caption of that figure.

    Parameters
    ----------
    notebook : dict
        A notebook as JSON. A caption is a Markdown cell of its own, behind the cell that draws:
        ``<a id="fig-name"></a>*Figure 1. What is seen.*``

    Returns
    -------
    dict
        The notebook with captions in the metadata that MyST-NB reads, and without their cells.

    Raises
    ------
    ValueError
        If a caption stands behind something that is not a code cell.

    Examples
    --------
    >>> caption = {"cell_type": "markdown", "source": ['<a id="fig-a"></a>*Figure 1. A line.*']}
    >>> (cell,) = dressed({"cells": [{"cell_type": "code", "metadata": {}}, caption]})["cells"]
    >>> cell["metadata"]["mystnb"]["figure"]
    {'name': 'fig-a', 'caption': 'Figure 1. A line.'}
    """
    cells: list[dict] = []
    for cell in notebook["cells"]:
        text = "".join(cell["source"]) if cell["cell_type"] == "markdown" else ""
        if caption := CAPTION.fullmatch(text):
            if not cells or cells[-1]["cell_type"] != "code":
                raise ValueError(f"the caption {caption[1]!r} stands behind no code cell")
            figure = {"name": caption[1], "caption": caption[2]}
            cells[-1]["metadata"].setdefault("mystnb", {})["figure"] = figure
            continue
        if text:
            cell["source"] = BOX.sub(_admonition, text)
        cells.append(cell)
    return notebook | {"cells": cells}


def _admonition(box: re.Match) -> str:
    """MyST text of a box."""
    lines = [line.removeprefix(">").removeprefix(" ") for line in box[2].splitlines()]
    return f":::{{admonition}} {box[1]}\n:class: tip\n" + "\n".join(lines) + "\n:::\n"


def note_anchors(app, doctree):
    """Let links find the anchors that a page sets in raw HTML (``[Holm (1979)](references.md#holm1979simple)``)."""
    known = app.env.metadata[app.env.docname].setdefault("myst_slugs", {})
    for raw in doctree.findall(nodes.raw):
        known.update({name: (raw.line or 0, name, name) for name in ANCHOR.findall(raw.astext() + "</a>")})


def commands_as_code(lines: list[str]) -> list[str]:
    """Mark the indented commands in the docstring of a module as code; otherwise they would run into one paragraph.

    Examples
    --------
    >>> commands_as_code(["Train.", "", "    python -m x"])
    ['Train.', '', '::', '', '    python -m x']
    """
    marked: list[str] = []
    for before, line in zip(["", *lines], lines):
        told = next((earlier for earlier in reversed(marked) if earlier.strip()), "")
        if (
            line.startswith("    ")
            and not before.strip()
            and told
            and not told.startswith((" ", "- ", "* ", "..", ":"))
        ):
            marked += [] if told.endswith("::") else ["::", ""]
        marked.append(line)
    return marked


def mark_commands(app, what, name, thing, options, lines):
    """Apply `commands_as_code` to the docstrings of modules."""
    if what == "module":
        lines[:] = commands_as_code(lines)


def skip_field_aliases(app, what, name, thing, skip, options):
    """Leave out what Python itself writes about the fields of a named tuple; its docstring or comments tell more.

    Examples
    --------
    >>> from collections import namedtuple
    >>> skip_field_aliases(None, "class", "left", namedtuple("Box", "left").left, False, None)
    True
    """
    return True if (getattr(thing, "__doc__", None) or "").startswith("Alias for field number") else None


def drop_online_kernel(app, pagename, templatename, context, doctree):
    """Leave the scripts and styles of the online kernel (thebe) out of a page."""
    for kind in ("script_files", "css_files"):
        context[kind] = [item for item in context.get(kind, []) if "thebe" not in _text(item).lower()]


def _text(item) -> str:
    """File name and content of a script or style sheet."""
    attributes = getattr(item, "attributes", {})
    return f"{getattr(item, 'filename', item)} {attributes.get('body', '')}"


def leave_numbers_to_captions(app, config):
    """Figures carry their number in the source, for those who read it elsewhere; an extension switches a second on."""
    config.numfig = False


def load_search_texts(app, pagename, templatename, context, doctree):
    """Let the search page load what `finish_pages` writes for it."""
    if pagename == "search":
        app.add_js_file(SEARCH_TEXTS)


def finish_pages(app, exception):
    """Remove the preloads of fonts from the written pages, and write the texts of which the search shows excerpts."""
    if exception is not None or app.builder.format != "html":
        return
    texts = {}
    for path in sorted(Path(app.outdir).rglob("*.html")):
        text = path.read_text(encoding="utf-8")
        quiet = FONT_PRELOAD.sub("", text)
        if quiet != text:
            path.write_text(quiet, encoding="utf-8")
        texts[path.relative_to(app.outdir).as_posix()] = sections(quiet)
    script = f"window.searchTexts = {json.dumps(texts)};\n"  # book.js gives them to the search
    (Path(app.outdir) / "_static" / SEARCH_TEXTS).write_text(script, encoding="utf-8")


def sections(page: str) -> str:
    """Return the text of a page without its cells of code, in sections with their names.

    Examples
    --------
    >>> sections('<main role="main"><section id="a"><h1>Title</h1><p>One <b>word</b>.</p></section></main>')
    '<section id="a">Title One word.</section>'
    """
    from bs4 import BeautifulSoup, SoupStrainer

    soup = BeautifulSoup(page, "html.parser", parse_only=SoupStrainer("article") if "<article" in page else None)
    for tag in soup.select("script, style, .headerlink, .cell"):
        tag.decompose()
    for tag in soup.find_all(True):
        if tag.name == "section" and tag.get("id"):
            tag.attrs = {"id": tag["id"]}
        else:
            if tag.name in ("p", "li", "td", "h1", "h2", "h3", "pre", "dt"):
                tag.append(" ")
            tag.unwrap()
    return re.sub(r"\s+", " ", str(soup)).replace(" </", "</").strip()


def check_networks(path: str | Path, encoder: str = web.ENCODER, decoder: str = web.DECODER) -> None:
    """Refuse a script that was damaged, or made from other weights than the hub's of these names: io.ChecksumError."""
    header, again = web.header(Path(path)), f"make it again: s2f weights export-web -o {path}"
    if (
        header.get("format") != web.FORMAT
        or hashlib.sha256(header["packed"].encode()).hexdigest() != header["packed_sha256"]
    ):
        raise io.ChecksumError(f"{path} is damaged or of another format; {again}")
    for name, wanted in web.sources(encoder, decoder).items():
        if header["sources"].get(name) != wanted:
            raise io.ChecksumError(
                f"{path} was made from {name} {header['sources'].get(name)}, here is {wanted}; {again}"
            )


def add_networks(app, config):
    """Put the scripts of the page "Try it" among the static files, with the networks in it, made where they are not."""
    if not Path(app.confdir, "book/try_it.md").exists():
        return
    networks = web.export_web()
    check_networks(networks)  # what does not fit the weights that are here is not published
    config.html_static_path += [str(web_page.STATIC), str(networks.parent)]


def setup(app):
    """Register with Sphinx; late, so that the other extensions have added theirs."""
    app.connect("config-inited", add_networks, priority=100)  # before Sphinx looks whether the folders are there
    app.connect("config-inited", leave_numbers_to_captions, priority=900)
    app.connect("source-read", read_page)
    app.connect("doctree-read", note_anchors)
    app.connect("autodoc-process-docstring", mark_commands, priority=100)
    app.connect("autodoc-skip-member", skip_field_aliases)
    app.connect("html-page-context", drop_online_kernel, priority=900)
    app.connect("html-page-context", load_search_texts)
    app.connect("build-finished", finish_pages)
    return {"env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
