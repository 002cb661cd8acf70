"""The page "Try it" alone in a folder, and visits to it in Chromium whose microphone is a synthetic voice."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from test_browser import CHROMIUM

from s2f_lib.book import web_page

ROOT = Path(__file__).resolve().parents[2]
READY = "document.querySelector('.s2f-status')?.textContent.startsWith('Ready')"
ANSWERED = "/^Here is/.test(document.querySelector('.s2f-status').textContent) || document.querySelector('.s2f-wrong')"


def write_page(folder: Path, weights: Path) -> Path:
    """The fragment of the book's page with its policy, the scripts and the networks beside it; returns its path."""
    for path in (*web_page.STATIC.iterdir(), weights):
        (folder / path.name).write_bytes(path.read_bytes())
    text = (ROOT / "book/try_it.md").read_text(encoding="utf-8")
    fragment = re.search(r"```\{raw\} html\n(.*?)```", text, re.DOTALL)[1].replace("../_static/", "")
    policy = re.search(r'"http-equiv=Content-Security-Policy": "(.*)"', text)[1]
    head = '<meta charset=utf-8><meta name=viewport content="width=device-width"><title>Try it</title>'
    head += f'<meta http-equiv=Content-Security-Policy content="{policy}">'
    text = f"<!doctype html><html lang=en>{head}<body class=s2f-alone><h1>Try it</h1>{fragment}"
    (folder / "index.html").write_text(text, encoding="utf-8")
    return folder / "index.html"


def recording(path: Path, waveform: np.ndarray, rate: int = 16_000) -> Path:
    """Write a waveform (n,) at 16 kHz as a WAV file of another rate."""
    import soundfile
    from torchaudio.functional import resample

    sound = resample(torch.as_tensor(waveform, dtype=torch.float32), 16_000, rate, lowpass_filter_width=64)
    soundfile.write(path, sound.numpy(), rate, subtype="PCM_16")
    return path


@contextlib.contextmanager
def microphone_of(voice: Path) -> Iterator:
    """A running Chromium that hears this file wherever a page asks for the microphone."""
    from playwright.sync_api import sync_playwright

    microphone = [f"--use-file-for-fake-audio-capture={voice}", "--use-fake-device-for-media-stream"]
    options = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--use-fake-ui-for-media-stream"]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=options + microphone)
        yield running
        running.close()


class Visit:
    """The page opened from its file, with what it asked for and complained about."""

    def __init__(self, browser, page: Path | str, wait: bool = True, **options):
        self.context = browser.new_context(**options)
        self.tab = self.context.new_page()
        self.tab.set_default_timeout(120_000)
        self.asked, self.complaints = [], []
        self.tab.on("request", lambda request: self.asked.append(request.url))
        self.tab.on("console", lambda m: self.complaints.append(m.text) if m.type == "error" else None)
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.add_init_script("addEventListener('s2f-face', (e) => { globalThis.answer = e.detail; }, true);")
        self.tab.goto(page if isinstance(page, str) else page.as_uri())
        if wait:
            self.tab.wait_for_function(READY)

    def answer(self) -> str:
        """Wait for a face or a sentence, and give what the page says."""
        self.tab.wait_for_function(ANSWERED)
        return self.tab.inner_text(".s2f-status")

    def numbers(self, name: str) -> np.ndarray:
        """An array of the last answer: wave, first, image ..."""
        return np.array(self.tab.evaluate(f"Array.from(answer.{name})"), dtype=np.float64)

    def give(self, path: Path) -> str:
        """Choose a file."""
        self.tab.set_input_files("input[type=file]", path)
        return self.answer()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.context.close()
