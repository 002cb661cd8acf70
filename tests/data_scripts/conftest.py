"""A video host on this machine, with videos of people who do not exist."""

import contextlib
import functools
import http.server
import threading
import time
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av")


def talking_head(path, *, faces=1, seconds=4.0, sound=True, rotation=None, seed=5, at=0.25, faststart=True):
    """A 384 x 288 video at 10 pictures a second: faces (0 to 2) on grey, and a synthetic voice."""
    from s2f_lib import people
    from s2f_lib.people.speech import speak

    crowd = people.sample(2, seed=seed)
    picture = np.full((288, 384, 3), 120, np.uint8)
    for place, person in zip((at, 1 - at), list(crowd)[:faces]):
        left = round(place * 384) - 96
        picture[48:240, left : left + 192] = people.render_canonical(person, size=192)
    voice = speak(crowd[0], 0, seconds=max(seconds, 1.0))[: round(seconds * 16_000)]
    if rotation:
        picture = np.ascontiguousarray(np.rot90(picture, rotation // 90))
    with av.open(str(path), "w", container_options={"movflags": "faststart"} if faststart else {}) as out:
        video = out.add_stream("libx264", rate=10, options={"preset": "ultrafast", "g": "10"})
        video.height, video.width, video.pix_fmt = *picture.shape[:2], "yuv420p"
        track = out.add_stream("aac", rate=16_000, layout="mono") if sound else None
        for number in range(round(seconds * 10)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if sound:
            samples = av.AudioFrame.from_ndarray(voice[None], format="fltp", layout="mono")
            samples.sample_rate, samples.pts = 16_000, 0
            out.mux(track.encode(samples))
            out.mux(track.encode(None))
    return path


class Host(http.server.BaseHTTPRequestHandler):
    """Serves files with byte ranges; some names misbehave."""

    folder: Path

    def log_message(self, *arguments):
        pass

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body):
        name = self.path.strip("/")
        if name.startswith("stall"):
            time.sleep(12)
            return
        path = self.folder / name
        if name.startswith("html"):
            return self.send(200, b"<!DOCTYPE html><html><title>Sign in</title></html>", "text/html", body)
        if "/" in name or not path.is_file():
            return self.send(404, b"gone", "text/plain", body)
        data = path.read_bytes()
        asked = self.headers.get("Range", "")
        if asked.startswith("bytes="):
            first, _, last = asked[6:].partition("-")
            first, last = int(first), min(int(last or len(data) - 1), len(data) - 1)
            if first >= len(data):
                return self.send(416, b"", "text/plain", body)
            span = {"Content-Range": f"bytes {first}-{last}/{len(data)}"}
            return self.send(206, data[first : last + 1], "video/mp4", body, span)
        return self.send(200, data, "video/mp4", body)

    def send(self, status, data, kind, body, headers=None):
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Accept-Ranges": "bytes", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            with contextlib.suppress(ConnectionError):  # the client has what it wants
                self.wfile.write(data)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that goes away is part of the tests."""


@pytest.fixture(scope="session")
def videos(tmp_path_factory):
    """Videos of every kind that a list from the wild brings."""
    pytest.importorskip("dlib")
    folder = tmp_path_factory.mktemp("host")
    talking_head(folder / "good-one.mp4", seed=5)
    talking_head(folder / "good-two.mp4", seed=6, at=0.75)
    talking_head(folder / "two-faces.mp4", faces=2)
    talking_head(folder / "no-face.mp4", faces=0, seconds=2.0)
    talking_head(folder / "silent.mp4", sound=False, seconds=2.0)
    talking_head(folder / "turned.mp4", rotation=90, seconds=2.0)
    whole = talking_head(folder / "tail.mp4", seconds=2.0, faststart=False).read_bytes()
    (folder / "truncated.mp4").write_bytes(whole[: len(whole) // 3])
    return folder


@pytest.fixture(scope="session")
def host(videos):
    """Address pattern of the running host."""
    server = Server(("127.0.0.1", 0), functools.partial(type("Here", (Host,), {"folder": videos})))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/{{video_id}}.mp4"
    server.shutdown()
    server.server_close()
