"""The built book as files: offline, described, small, in order. No browser needed."""

from __future__ import annotations

import re
import sys
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from site_files import SITE, pages, read

pytestmark = pytest.mark.skipif(not SITE.exists(), reason="the book is not built; run make book")


def by_name(path: Path) -> str:
    return str(path.relative_to(SITE))


@pytest.mark.parametrize("path", pages(), ids=by_name)
def test_a_page_loads_nothing_from_elsewhere_and_misses_nothing(path):
    page = read(path)
    addresses = [a for a in page.loaded if not a.startswith("data:")]
    assert [a for a in addresses if urlsplit(a).scheme or a.startswith("//")] == []
    missing = [a for a in addresses if not (path.parent / unquote(urlsplit(a).path)).exists()]
    assert missing == []


@pytest.mark.parametrize("path", pages(), ids=by_name)
def test_links_inside_the_book_lead_somewhere(path):
    page, broken = read(path), []
    for link in page.links:
        parts = urlsplit(link)
        if parts.scheme or link.startswith("//") or not (parts.path or parts.fragment):
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        fragment = unquote(parts.fragment)
        if not target.exists() or (fragment and target.suffix == ".html" and fragment not in read(target).names):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("path", pages(), ids=by_name)
def test_every_image_is_described(path):
    undescribed = [i.get("src", "")[-60:] for i in read(path).images if len(i.get("alt", "").split()) < 3]
    files = [src for src in undescribed if not src.startswith("data:")]
    assert files == []


@pytest.mark.parametrize("path", pages(), ids=by_name)
def test_tables_are_tables(path):
    text = re.sub(r"<(pre|script).*?</\1>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert "|--" not in text  # the second line of a Markdown table that was shown as text


@pytest.mark.parametrize("path", pages(), ids=by_name)
def test_no_cell_complains(path):
    complaints = re.findall(r'class="output stderr.*?</pre>', path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert [re.sub(r"<[^>]*>", "", text)[:300] for text in complaints] == []


@pytest.mark.parametrize("path", pages(), ids=by_name)
def test_headings_are_in_order(path):
    headings = read(path).headings
    assert headings[:1] == [1]
    assert headings.count(1) == 1
    assert [(a, b) for a, b in pairwise(headings) if b > a + 1] == []


@pytest.mark.parametrize("path", pages(), ids=by_name)
def test_a_page_stays_under_four_megabytes(path):
    page = read(path)
    own = [path.parent / unquote(i["src"]) for i in page.images if not i["src"].startswith("data:")]
    size = path.stat().st_size + sum(p.stat().st_size for p in set(own) if p.exists())
    assert size <= 4e6, f"{size / 1e6:.1f} MB"


def test_the_site_stays_under_forty_megabytes():
    size = sum(path.stat().st_size for path in SITE.rglob("*") if path.is_file())
    assert size <= 40e6, f"{size / 1e6:.1f} MB"


def test_style_sheets_load_nothing_from_elsewhere():
    found = []
    for path in SITE.rglob("*.css"):
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [
            f"{by_name(path)}: {m}" for m in re.findall(r"""(?:@import|url\()\s*["']?((?:https?:)?//[^"')]+)""", text)
        ]
    assert found == []


def test_the_search_index_knows_the_words_of_the_book():
    index = (SITE / "searchindex.js").read_text(encoding="utf-8").lower()
    for word in ("spectrogram", "retriev", "stereotyp"):
        assert word in index


def test_no_machine_path_and_no_real_clip_is_in_a_page():
    for path in pages():
        text = re.sub(r"data:[a-z]+/[a-z+-]+;base64,[A-Za-z0-9+/=]+", "", path.read_text(encoding="utf-8"))
        assert not re.search(r"(?<![\w.])/(work|home|root|tmp|Users)/[\w.]", text), by_name(path)
        assert not re.search(r"[\w-]{11}_\d{3}\.\d{6}-\d{3}\.\d{6}", text), by_name(path)
