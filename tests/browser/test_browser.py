"""The built book in a real browser, opened from the folder: no request leaves, nothing complains, things move."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from site_files import SCREENSHOTS, SITE, pages

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = [
    pytest.mark.skipif(not SITE.exists(), reason="the book is not built; run make book"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine; set CHROMIUM=/path/to/chromium"),
]
NOTEBOOKS = [path for path in pages() if re.match(r"\d\d_", path.name)]
SIZES = {"light": (1280, 900), "dark": (1280, 900), "phone": (390, 844)}
PAPER = {"paper": (794, 1123)}  # A4 at 96 dots an inch
SHOWN = """() => [...document.querySelectorAll(".jupyter-widgets img")]
  .filter(e => e.offsetParent !== null).map(e => e.src.length + e.src.slice(-400))"""
FIRST_TEXT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Infinity"
HEARD = """async () => Promise.all([...document.querySelectorAll("audio")].map(async player => {
  const bytes = Uint8Array.from(atob(player.src.split(",")[1]), c => c.charCodeAt(0));
  const sound = await new OfflineAudioContext(1, 1, 16000).decodeAudioData(bytes.buffer);
  const wave = sound.getChannelData(0);
  return [sound.duration, Math.sqrt(wave.reduce((sum, x) => sum + x * x, 0) / wave.length)];
}))"""
CONTRAST = """() => {
  const channel = c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const parse = s => (s.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = e => { for (; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3] === 1) return c; }
    return [255, 255, 255]; };
  const low = [];
  for (const e of document.querySelectorAll("article p, article li, article h1, article h2, article td, article a")) {
    if (!e.innerText || !e.innerText.trim()) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) low.push(e.tagName + ": " + e.innerText.slice(0, 40));
  }
  return low;
}"""


CUT = """() => [...document.querySelectorAll("article :is(pre, table, .cell_output, div.output)")]
  .filter(e => e.getClientRects().length && e.scrollWidth > e.clientWidth + 2).map(e => e.innerText.slice(0, 60))"""


def by_name(path: Path) -> str:
    return str(path.relative_to(SITE))


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        options = [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--autoplay-policy=no-user-gesture-required",
        ]
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield running
        running.close()


class Visit:
    """One page opened in one look, with all it asked for and complained about."""

    def __init__(self, browser, path: Path, look: str = "light"):
        width, height = (SIZES | PAPER)[look]
        scheme = "dark" if look == "dark" else "light"
        self.context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        self.tab = self.context.new_page()
        self.tab.set_default_timeout(60_000)
        self.external, self.complaints = [], []
        self.tab.on("request", self._request)
        self.tab.on("console", lambda m: self.complaints.append(m.text) if m.type == "error" else None)
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.goto(path.as_uri(), wait_until="load")
        self.tab.wait_for_timeout(500)
        self.seconds = self.tab.evaluate(FIRST_TEXT) / 1000  # until something could be read

    def _request(self, request):
        if not request.url.startswith(("file:", "data:", "blob:")):
            self.external.append(request.url)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.context.close()


@pytest.mark.parametrize("path", pages(), ids=by_name)
def test_a_page_is_quiet_readable_and_fits(browser, path):
    """Light, dark and phone: no request, no complaint, enough contrast, no sideways scrolling; a picture is kept.

    The quickest of the three shows its text within two seconds, where nothing else keeps the machine busy.
    """
    seconds = []
    for look in SIZES:
        with Visit(browser, path, look) as visit:
            seconds.append(visit.seconds)
            SCREENSHOTS.mkdir(parents=True, exist_ok=True)
            visit.tab.screenshot(path=SCREENSHOTS / f"{path.stem}-{look}.png", full_page=path in NOTEBOOKS)
            assert visit.external == []
            assert visit.complaints == []
            theme = visit.tab.evaluate("document.documentElement.dataset.theme")
            assert theme == ("dark" if look == "dark" else "light")
            assert visit.tab.evaluate(CONTRAST) == []
            assert visit.tab.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 1
    if os.getloadavg()[0] < os.cpu_count():
        assert min(seconds) < 2, seconds


def test_mathematics_is_drawn(browser):
    drawn = []
    for path in NOTEBOOKS:
        if "math notranslate" in path.read_text(encoding="utf-8"):
            with Visit(browser, path) as visit:
                visit.tab.wait_for_selector("mjx-container svg", state="attached")
                drawn.append(path)
                assert visit.tab.locator("mjx-merror").count() == 0, path.name
    assert drawn or not NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=by_name)
def test_players_of_a_page_have_sound_in_them(browser, path):
    """Every player's data is decoded by the browser: longer than half a second, and not silence."""
    with Visit(browser, path) as visit:
        count = visit.tab.locator("audio").count()
        if not count:
            pytest.skip("this page has no sound")
        heard = visit.tab.evaluate(HEARD)
        assert len(heard) == count
        assert min(seconds for seconds, _ in heard) > 0.5, heard
        assert min(loudness for _, loudness in heard) > 0.01, heard  # root mean square, of 1


@pytest.mark.parametrize("path", NOTEBOOKS, ids=by_name)
def test_sliders_move_their_frames_by_keyboard(browser, path):
    """Every visible slider of the static page can be focused, and a key on it changes the picture that is shown."""
    with Visit(browser, path) as visit:
        handles = visit.tab.locator(".noUi-handle:visible")
        if not handles.count():
            pytest.skip("this page has no slider")
        for i in range(handles.count()):
            handle = handles.nth(i)
            handle.scroll_into_view_if_needed()
            before = visit.tab.evaluate(SHOWN)
            at_end = handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax")
            handle.focus()
            handle.press("ArrowLeft" if at_end else "ArrowRight")
            visit.tab.wait_for_timeout(200)
            assert visit.tab.evaluate(SHOWN) != before, f"slider {i} of {path.name} moves no picture"
        assert visit.complaints == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=by_name)
def test_lists_and_tabs_work_by_keyboard(browser, path):
    """Every visible list and tab bar of the static page is reached by the keyboard, and changes what is shown."""
    with Visit(browser, path) as visit:
        lists, bars = visit.tab.locator(".jupyter-widgets select:visible"), visit.tab.locator(".lm-TabBar:visible")
        if not lists.count() + bars.count():
            pytest.skip("this page has neither lists nor tabs")
        for i in range(lists.count()):
            # a filter may keep the person and change only the other list
            before = visit.tab.evaluate(SHOWN), lists.all_inner_texts()
            lists.nth(i).focus()
            lists.nth(i).press("ArrowDown")
            visit.tab.wait_for_timeout(200)
            after = visit.tab.evaluate(SHOWN), lists.all_inner_texts()
            assert after != before, f"list {i} of {path.name} shows nothing else"
        for i in range(bars.count()):
            before = visit.tab.evaluate(SHOWN)
            bars.nth(i).locator('[role="tab"][tabindex="0"]').first.focus()
            visit.tab.keyboard.press("ArrowRight")
            visit.tab.keyboard.press("Enter")
            visit.tab.wait_for_timeout(200)
            assert visit.tab.evaluate(SHOWN) != before, f"tabs {i} of {path.name} show nothing else"
        assert visit.complaints == []


def test_search_finds_a_page_and_shows_a_line_of_it(browser):
    with Visit(browser, SITE / "search.html") as visit:
        visit.tab.goto((SITE / "search.html").as_uri() + "?q=spectrogram")
        visit.tab.wait_for_selector("#search-results p.context")
        visit.tab.wait_for_function("() => /found/.test(document.querySelector('#search-results').innerText)")
        lines = visit.tab.locator("#search-results p.context").all_inner_texts()
        assert sum("spectrogram" in line.lower() for line in lines) >= 3
        assert visit.external == []
        assert visit.complaints == []


@pytest.mark.parametrize("path", pages(), ids=by_name)
def test_nothing_is_cut_on_paper(browser, path):
    """On A4 no block is wider than its frame, and the whole is not wider than the sheet."""
    with Visit(browser, path, "paper") as visit:
        visit.tab.emulate_media(media="print")
        visit.tab.wait_for_timeout(300)
        assert visit.tab.evaluate(CUT) == []
        assert visit.tab.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 1
