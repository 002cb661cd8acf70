"""The page "Try it": the same numbers as torch, a face from a voice in two browsers, and nothing leaves the page."""

from __future__ import annotations

import functools
import http.server
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
import reference
from firefox import FIREFOX, Firefox
from test_browser import CHROMIUM
from try_it_page import READY, Visit, microphone_of, recording, write_page

from s2f_lib import audio, hub, io
from s2f_lib.audio import degrade, level
from s2f_lib.book import web, web_page
from s2f_lib.voice_encoder import VoiceEncoder
from tools import sphinx_extension

needs_node = pytest.mark.skipif(reference.NODE is None, reason="no node on this machine")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine; set CHROMIUM=/path/to/it")
needs_firefox = pytest.mark.skipif(FIREFOX is None, reason="no Firefox on this machine; set FIREFOX=/path/to/it")
KEPT = """async () => [localStorage.length, sessionStorage.length, document.cookie.length,
  (await indexedDB.databases()).length]"""


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """The exported networks; what stands beside them comes from few people (from all of them, in a minute)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(web_page, "LEARNED_FROM", 40)
        patch.setattr(web_page, "TRIED_ON", 180)
        return web.export_web(out=tmp_path_factory.mktemp("web") / web.FILE)


@pytest.fixture(scope="module")
def page(weights, tmp_path_factory) -> Path:
    """A folder with the fragment of the book's page, its scripts and its networks, and nothing else."""
    return write_page(tmp_path_factory.mktemp("page"), weights)


@pytest.fixture(scope="module")
def voice(tmp_path_factory) -> Path:
    """Six seconds of a synthetic voice as a WAV file at 48 kHz, for the made-up microphone."""
    return recording(tmp_path_factory.mktemp("voice") / "voice.wav", reference.voices(2)[1], 48_000)


# --- numbers


@needs_node
def test_the_script_draws_what_torch_draws(weights, tmp_path):
    clips = reference.voices(4)
    theirs, ours = reference.by_torch(clips), reference.by_node(clips, weights, tmp_path)
    assert np.abs(theirs.image - ours.image).max() <= 3 / 255
    assert np.linalg.norm(theirs.landmarks - ours.landmarks, axis=-1).max() * ours.image.shape[-1] <= 0.1
    assert reference.degrees(theirs.first, ours.first).max() <= 1


@needs_node
def test_an_encoder_with_the_papers_input_is_computed_too(weights, tmp_path, monkeypatch):
    """Real and imaginary part as two channels, without batch normalisation; random weights."""
    torch.manual_seed(0)
    from s2f_lib import voice_encoder

    encoder = VoiceEncoder(voice_encoder.preset("quick", batch_norm=False)).eval()
    decoder = hub.load(web.DECODER)
    arrays, settings = web._networks(encoder, decoder)
    header = web.header(weights)
    empty = {name: np.ones(shape, np.float32) for name, (_, _, shape) in header["arrays"].items() if name not in arrays}
    packed, index = web._pack(arrays | empty)
    header |= {"config": header["config"] | settings, "arrays": index, "packed": packed}
    changed = tmp_path / "weights.js"
    changed.write_text(f"globalThis.S2F_WEIGHTS = {web.json.dumps(header)};")
    clips = reference.voices(1)
    ours = reference.by_node(clips, changed, tmp_path)
    with torch.no_grad():
        first = decoder.f_dec(encoder(torch.as_tensor(clips))).numpy()
    assert reference.degrees(first, ours.first).max() < 1


@needs_node
@pytest.mark.parametrize("kind", ["quiet", "late", "short", "offset", "two voices", "door"])
def test_the_page_takes_the_six_seconds_that_the_library_takes(weights, tmp_path, kind):
    a, b = reference.voices(2)
    sounds = {"quiet": 0.003 * a, "short": a[:40_000], "offset": 0.3 * a + 0.1}
    sounds |= {"late": np.pad(a, (112_000, 30_000)), "two voices": np.concatenate([0.02 * a, b[:50_000], a])}
    sounds["door"] = np.concatenate([0.9 * np.sign(np.sin(np.arange(400) / 3)), np.zeros(200_000), 0.03 * a])
    waveform = sounds[kind].astype(np.float32)
    theirs = level.load_speech(recording(tmp_path / "recording.wav", waveform))
    said, clip = reference.prepared_by_node(audio.load(tmp_path / "recording.wav"), weights, tmp_path)
    assert said["start"] == pytest.approx(theirs.start, abs=1e-6)
    assert said["level"] == pytest.approx(theirs.level_db, abs=0.01)
    assert np.abs(clip - theirs.waveform).max() < 1e-4


@needs_node
@pytest.mark.parametrize("kind", ["zeros", "faint", "white", "pink", "hum", "beep"])
def test_the_page_refuses_what_the_library_refuses(weights, tmp_path, kind):
    random = np.random.default_rng(1).standard_normal(96_000)
    sounds = {"zeros": np.zeros(96_000), "faint": 1e-6 * random, "white": 0.05 * random}
    sounds["pink"] = degrade.without_speech("noise")(np.zeros((1, 96_000)))[0]
    time = np.arange(96_000) / 16_000
    sounds["hum"] = sum(0.1 / k * np.sin(2 * np.pi * 50 * k * time + k) for k in range(1, 12))
    sounds["beep"] = 0.3 * np.sin(2 * np.pi * 1000 * time[:9_000])
    with pytest.raises(level.NoSpeech) as refused:
        level.load_speech(recording(tmp_path / "recording.wav", sounds[kind]))
    said, _ = reference.prepared_by_node(audio.load(tmp_path / "recording.wav"), weights, tmp_path)
    assert {"silent": "silent", "no speech": "no speech"}[refused.value.reason] in said["complaint"]


def test_a_script_from_other_weights_is_refused(weights, tmp_path):
    sphinx_extension.check_networks(weights)
    text = weights.read_text(encoding="utf-8")
    other = tmp_path / "other.js"
    other.write_text(text.replace(hub.describe(web.ENCODER)["sha256"], "0" * 64), encoding="utf-8")
    with pytest.raises(io.ChecksumError, match=f"was made from {web.ENCODER}"):
        sphinx_extension.check_networks(other)
    middle = text.index('"packed": "') + 5000
    other.write_text(text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1 :], encoding="utf-8")
    with pytest.raises(io.ChecksumError, match="damaged"):
        sphinx_extension.check_networks(other)


def test_networks_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(ValueError, match="4096 numbers, the decoder takes 128"):
        web.export_web(decoder="decoder-dlib", out=tmp_path / "x.js")


def test_a_page_with_its_networks_is_small(weights):
    size = sum(path.stat().st_size for path in (*web_page.STATIC.iterdir(), weights))
    assert size <= 6.9e6


# --- Chromium


@pytest.fixture(scope="module")
def chromium(voice):
    with microphone_of(voice) as browser:
        yield browser


@needs_chromium
def test_a_recorded_voice_becomes_a_face_and_nothing_leaves_or_stays(chromium, page, voice):
    with Visit(chromium, page) as visit:
        before = len(visit.asked)
        visit.tab.click(".s2f-record")
        visit.tab.wait_for_function("/Recording … [1-6]/.test(document.querySelector('.s2f-record').textContent)")
        assert visit.tab.is_visible("meter")
        assert visit.answer() == "Here is your recording."
        assert visit.tab.is_visible(".s2f-results canvas >> nth=2")
        assert visit.numbers("wave").shape == (96_000,)
        assert visit.numbers("wave").std() > 0.01
        later = visit.asked[before:]
        assert [url for url in later if not url.startswith("blob:")] == []  # blobs are the player's, in this page
        assert visit.tab.evaluate(KEPT) == [0, 0, 0, 0]
        with pytest.raises(Exception, match="Failed to fetch"):
            visit.tab.evaluate("fetch('https://example.org/')")
        visit.complaints.clear()
        visit.tab.reload()
        visit.tab.wait_for_function(READY)
        assert "your recording" not in visit.tab.inner_text(".s2f-status")


@needs_chromium
@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_a_file_of_any_rate_gives_the_face_of_the_library(chromium, page, tmp_path, rate):
    clip = reference.voices(3)[2]
    path = recording(tmp_path / f"{rate}.wav", clip, rate)
    with Visit(chromium, page) as visit:
        assert visit.give(path) == f"Here is {path.name}."
        visit.tab.evaluate("globalThis.answer = null")
        visit.give(path)  # the same file, chosen again, is heard again
        wave = visit.numbers("wave").astype(np.float32)
        read = audio.load(path)
        gain = wave @ read / (read @ read)
        heard = reference.by_torch(np.stack([wave, gain * read]).astype(np.float32))
        assert reference.degrees(heard.first[:1], heard.first[1:]) <= 2
        assert reference.degrees(visit.numbers("first")[None], heard.first[:1]) <= 1
        assert np.abs(visit.numbers("image").reshape(heard.image[0].shape) - heard.image[0]).max() <= 3 / 255


@needs_chromium
@pytest.mark.parametrize("kind", ["silence", "noise", "clipping", "short", "text"])
def test_what_is_no_voice_gets_a_sentence_and_no_face(chromium, page, tmp_path, kind):
    random, clip = np.random.default_rng(0), reference.voices(1)[0]
    sounds = {"silence": np.zeros(96_000), "noise": 0.05 * random.standard_normal(96_000), "short": clip[:4_000]}
    sounds["clipping"] = np.clip(40 * clip, -1, 1)
    path = tmp_path / f"{kind}.wav"
    if kind == "text":
        path.write_text("this is no sound")
    else:
        recording(path, sounds[kind])
    words = {"silence": "silent", "noise": "steady noise", "clipping": "distorted", "short": "at least 0.5 s"}
    with Visit(chromium, page) as visit:
        assert words.get(kind, "no sound that this browser can read") in visit.give(path)
        assert not visit.tab.is_visible(".s2f-results")
        assert visit.complaints == []


@needs_chromium
def test_sliders_move_the_face_by_keyboard(chromium, page):
    with Visit(chromium, page) as visit:
        before = visit.numbers("image")
        for number in (0, 1):
            handle = visit.tab.locator("input[type=range]").nth(number)
            handle.focus()
            for _ in range(4):
                handle.press("ArrowLeft")
            visit.tab.wait_for_function("document.querySelector('.s2f-turned').textContent.includes('°')")
            assert handle.get_attribute("aria-valuetext") not in ("as it is", "all six seconds")
        visit.tab.wait_for_timeout(3000)
        assert np.abs(visit.numbers("image") - before).max() > 5 / 255
        visit.tab.get_by_text("Back to the voice as it was").press("Enter")
        visit.tab.wait_for_function("document.querySelector('.s2f-turned').textContent.startsWith('Move')")
        assert np.abs(visit.numbers("image") - before).max() < 1e-6


@needs_chromium
def test_the_face_carries_its_mark_in_the_picture(chromium, page):
    with Visit(chromium, page) as visit:
        face = "document.querySelector('canvas[aria-label^=\"a made face\"]')"
        row = visit.tab.evaluate(f"Array.from({face}.getContext('2d').getImageData(0, 334, 336, 1).data)")
        assert np.array(row).reshape(-1, 4)[:, :3].mean() < 80  # the dark band
        assert "statistical average, not a person" in visit.tab.evaluate(f"{face}.getAttribute('aria-label')")
        assert "nobody's face" in visit.tab.inner_text(".s2f-results")


@needs_chromium
def test_the_page_is_read_before_its_networks_are_there(chromium, page):
    with Visit(chromium, page, wait=False) as visit:
        assert visit.tab.is_visible("h1")
        assert "made-up voice" in visit.tab.inner_text("[data-s2f-try-it]")
        visit.tab.wait_for_function(READY)
        weights = [i for i, url in enumerate(visit.asked) if url.endswith(web.FILE)]
        assert weights == [len([url for url in visit.asked if not url.startswith("blob:")]) - 1]  # asked for last


@needs_chromium
def test_a_page_without_networks_says_so(chromium, page, tmp_path):
    for path in page.parent.iterdir():
        if path.name != web.FILE:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with Visit(chromium, tmp_path / "index.html", wait=False) as visit:
        visit.tab.wait_for_selector(".s2f-wrong")
        assert "make book" in visit.tab.inner_text(".s2f-status")


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_can_be_read(chromium, page, scheme):
    from test_browser import CONTRAST

    with Visit(chromium, page, viewport={"width": 390, "height": 844}, color_scheme=scheme) as visit:
        assert visit.tab.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 1
        wanted = "figcaption, dd, dt, button, .s2f-private, .s2f-status, .s2f-slider span, output"
        listed = CONTRAST.replace("article p, article li, article h1, article h2, article td, article a", wanted)
        assert listed != CONTRAST
        assert visit.tab.evaluate(listed) == []
        unnamed = "[...document.querySelectorAll('canvas, audio, meter')].filter((e) => !e.getAttribute('aria-label'))"
        assert visit.tab.evaluate(f"{unnamed}.length") == 0


@needs_chromium
def test_the_same_page_in_a_cell_of_a_notebook(chromium, weights, tmp_path):
    """As JupyterLab serves it, from this machine: a frame in a page, which may use the microphone."""
    (tmp_path / "cell.html").write_text(f"<!doctype html><title>cell</title>{web_page.cell(weights)}", encoding="utf-8")
    served = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), served) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/cell.html"
        with Visit(chromium, address, wait=False, permissions=["microphone"]) as visit:
            frame = visit.tab.frame_locator("iframe")
            frame.locator(".s2f-status", has_text="Ready").wait_for()
            frame.get_by_role("button", name="Record six seconds").click()
            frame.locator(".s2f-status", has_text="Here is your recording").wait_for()
        server.shutdown()


# --- Firefox


@needs_firefox
def test_firefox_records_and_draws_and_asks_for_nothing(page, tmp_path):
    """The microphone is a synthetic voice of the page itself; without any sound card the page says so."""
    script = """
      const until = async (done) => { for (let i = 0; i < 900; i++) { if (done()) return;
        await new Promise((ok) => setTimeout(ok, 100)); } throw new Error(document.body.innerText.slice(0, 400)); };
      const said = () => document.querySelector('.s2f-status')?.textContent || '';
      const asked = () => performance.getEntriesByType('resource').filter((entry) => !/^(blob|data):/.test(entry.name));
      await until(() => said().startsWith('Ready'));
      const loaded = asked().length, context = new AudioContext(), source = context.createBufferSource();
      const bytes = Uint8Array.from(atob(S2F_WEIGHTS.page.voices[1].sound), (c) => c.charCodeAt(0));
      source.buffer = await context.decodeAudioData(bytes.buffer);
      const microphone = context.createMediaStreamDestination();
      source.loop = true;
      source.connect(microphone);
      source.start();
      navigator.mediaDevices.getUserMedia = async () => microphone.stream;
      document.querySelector('.s2f-record').click();
      await until(() => said().startsWith('Here') || document.querySelector('.s2f-wrong'));
      const kept = localStorage.length + sessionStorage.length + document.cookie.length;
      return [context.currentTime > 0, said(), asked().length - loaded, kept];
    """
    with Firefox(tmp_path) as firefox:
        firefox.open(page)
        sounds, said, asked, kept = firefox.run(script)
        silent = "Nothing could be recorded: the microphone sends nothing. Choose a file or a made-up voice instead."
        assert said == ("Here is your recording." if sounds else silent)
        assert (asked, kept) == (0, 0)
