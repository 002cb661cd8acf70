"""The built site, read without a browser."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
SCREENSHOTS = ROOT / "_build" / "screenshots"


def pages() -> list[Path]:
    """The content pages of the built book (not index, search and the like)."""
    return sorted((SITE / "book").rglob("*.html")) if SITE.exists() else []


@dataclass
class Page(HTMLParser):
    """What the checks want to know about one HTML file."""

    path: Path
    loaded: list[str] = field(default_factory=list)  # addresses that a browser fetches by itself
    links: list[str] = field(default_factory=list)
    images: list[dict] = field(default_factory=list)
    headings: list[int] = field(default_factory=list)
    names: set[str] = field(default_factory=set)  # anchors
    _inside: int = 0  # depth inside <article>

    def __post_init__(self):
        super().__init__()
        self.feed(self.path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = {key: value or "" for key, value in attrs}
        if "id" in given:
            self.names.add(given["id"])
        if tag == "article":
            self._inside += 1
        if tag in ("script", "img", "iframe", "audio", "video", "source") and given.get("src"):
            self.loaded.append(given["src"])
        if (
            tag == "link"
            and given.get("href")
            and given.get("rel") in ("stylesheet", "preload", "icon", "shortcut icon")
        ):
            self.loaded.append(given["href"])
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if tag == "img" and self._inside:
            self.images.append(given)
        if self._inside and len(tag) == 2 and tag[0] == "h" and tag[1].isdigit():
            self.headings.append(int(tag[1]))

    def handle_endtag(self, tag):
        if tag == "article":
            self._inside -= 1


@cache
def read(path: Path) -> Page:
    """One HTML file, read once: many pages link to it."""
    return Page(path)
