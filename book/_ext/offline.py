"""Keeps the built pages quiet when they are opened from a folder, without a server and without a network.

Two things that the theme and its companions put on every page make a browser complain there: a preload of icon fonts
with a cross-origin flag, which pages from a folder may not use (the fonts themselves load), and the start code of an
online kernel, which this book does not have.
"""

from __future__ import annotations

import re
from pathlib import Path

FONT_PRELOAD = re.compile(r'\s*<link rel="preload" as="font"[^>]*>')


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
    app.connect("html-page-context", drop_online_kernel, priority=900)
    app.connect("build-finished", drop_font_preloads)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
