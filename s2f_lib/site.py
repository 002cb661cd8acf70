"""A small Sphinx extension of the book: fills generated tables, and keeps pages quiet when opened from a folder.

Two things that the theme and its companions put on every page make a browser complain where there is no server and no
network: a preload of icon fonts with a cross-origin flag, which pages from a folder may not use (the fonts themselves
load), and the start code of an online kernel, which this book does not have.
"""

from __future__ import annotations

import re
from pathlib import Path

from s2f_lib import blocks

FONT_PRELOAD = re.compile(r'\s*<link rel="preload" as="font"[^>]*>')


def fill_blocks(app, docname, source):
    """Fill the tables of a page (see `s2f_lib.blocks`) as it is read, those that git does not hold too."""
    if not app.env.doc2path(docname).endswith(".ipynb"):
        source[0] = blocks.refreshed(source[0], everything=True)


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


def drop_font_preloads(app, exception):
    """Remove the preloads of fonts from the written pages."""
    if exception is not None or app.builder.format != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        quiet = FONT_PRELOAD.sub("", text)
        if quiet != text:
            path.write_text(quiet, encoding="utf-8")


def setup(app):
    """Register with Sphinx; late, so that the other extensions have added theirs."""
    app.connect("source-read", fill_blocks)
    app.connect("autodoc-process-docstring", mark_commands, priority=100)
    app.connect("autodoc-skip-member", skip_field_aliases)
    app.connect("html-page-context", drop_online_kernel, priority=900)
    app.connect("build-finished", drop_font_preloads)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
