"""A host that refuses, stalls, cuts and lies on a third of its answers gives the same shards as an honest one."""

import contextlib
import functools
import hashlib
import http.server
import threading
import time
from collections import Counter

import pytest

from data_scripts import _common, build_shards, crop_faces, download_avspeech, make_splits
from s2f_lib import corpus
from s2f_lib.corpus import manifest

pytest.importorskip("dlib")
TIMEOUT = 0.6  # s
WICKED = ("429", "403", "503", "stall", "cut", "page", "piece", "total", "encoded", "garbage")


class Host(http.server.BaseHTTPRequestHandler):
    """Serves a few videos under any number of ids; how it answers depends on the id and on how often it was asked."""

    videos: list[bytes]
    asked: Counter
    honest: bool

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        name = self.path.strip("/")
        self.asked[name] += 1
        digest = hashlib.sha256(f"{name} {self.asked[name]}".encode()).digest()
        data = self.videos[int(name[4:7]) % len(self.videos)]
        first = int((self.headers.get("Range") or "bytes=0-")[6:].partition("-")[0])
        mood = "" if self.honest or digest[0] >= 85 else WICKED[digest[1] % len(WICKED)]
        with contextlib.suppress(ConnectionError):
            self.answer(data, first, mood)

    def answer(self, data, first, mood):
        if mood.isdigit():
            return self.send(int(mood), b"busy", {})
        if mood == "stall":
            time.sleep(2 * TIMEOUT)
            return None
        if mood == "page":
            return self.send(200, b"<!DOCTYPE html><html><title>Sign in</title></html>", {"Content-Type": "text/html"})
        headers = {"Content-Type": "video/mp4", "Accept-Ranges": "bytes"}
        if mood == "encoded":
            headers["Content-Encoding"] = "gzip"
        if mood == "garbage" and first == 0:
            data = bytes(len(data))
        if not self.headers.get("Range"):
            return self.send(200, data, headers, cut=mood == "cut")
        total = len(data) + (mood == "total" and first > 0)
        told = first + 512 * (mood == "piece")
        headers["Content-Range"] = f"bytes {told}-{len(data) - 1}/{total}"
        return self.send(206, data[first:], headers, cut=mood == "cut")

    def send(self, status, data, headers, cut=False):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data)), "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data[: len(data) // 3] if cut else data)
        self.close_connection = True


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that goes away is part of the test."""


@contextlib.contextmanager
def serve(videos, honest, handler=Host):
    kind = type("Here", (handler,), {"videos": videos, "asked": Counter(), "honest": honest})
    server = Server(("127.0.0.1", 0), functools.partial(kind))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/{{video_id}}.mp4"
    finally:
        server.shutdown()
        server.server_close()


def command(module, *arguments):
    return _common.guarded(lambda: module.main([*map(str, arguments), "--quiet"]))


def fetched(folder, out, address):
    """One call; gives how many clips are there, by status."""
    words = (folder / "list.csv", out / "1", "--address", address, "--wait", "0", "--timeout", TIMEOUT)
    command(download_avspeech, *words)
    rows = manifest.read(out / "1" / "manifest.csv")
    assert len(rows) == len((folder / "list.csv").read_text().splitlines()), "every clip is accounted for"
    return Counter(row["status"] for row in rows)


def shards(out):
    """The rest of the way; name -> SHA-256 of the shards."""
    assert command(crop_faces, out / "1", out / "2", "--size", "64") == 0
    assert command(make_splits, out / "2", out / "splits.json") == 0
    packed = (out / "2", out / "corpus", "--splits", out / "splits.json", "--clips-per-shard", 10)
    assert command(build_shards, *packed) == 0
    return {shard["name"]: shard["sha256"] for shard in corpus.open(out / "corpus").info["shards"]}


def test_a_host_that_lies_on_a_third_of_its_answers_loses_nothing(tmp_path, videos):
    clips = 24  # three shards
    films = [(videos / f"{name}.mp4").read_bytes() for name in ("good-one", "good-two")]
    with open(tmp_path / "list.csv", "w") as file:
        for n in range(clips):
            file.write(f"clip{n:03d}abcd,{0.1 * (n % 9):.1f},{1.6 + 0.1 * (n % 9):.1f},{(0.25, 0.75)[n % 2]},0.5\n")
    with serve(films, honest=True) as address:
        assert fetched(tmp_path, tmp_path / "honest", address) == {"ok": clips}
    with serve(films, honest=False) as address:
        counts = [fetched(tmp_path, tmp_path / "hostile", address)]
        assert 0 < counts[0]["ok"] < clips
        assert not counts[0]["skipped"], "nothing is given up"
        while counts[-1] != {"ok": clips}:
            assert len(counts) < 40
            counts.append(fetched(tmp_path, tmp_path / "hostile", address))
            assert counts[-1]["ok"] >= counts[-2]["ok"]
    made = shards(tmp_path / "hostile")
    assert made == shards(tmp_path / "honest")
    assert len(corpus.open(tmp_path / "hostile" / "corpus")) == clips


def test_after_many_refusals_in_a_row_the_step_stops_and_says_so(tmp_path, capsys):
    (tmp_path / "list.csv").write_text("".join(f"clip{n:03d},0.0,3.0,0.5,0.5\n" for n in range(60)))

    class Refusing(Host):
        def answer(self, data, first, mood):
            asked.add(self.path)
            return self.send(429, b"", {})

    asked = set()
    with serve([b""], honest=True, handler=Refusing) as address:
        status = command(download_avspeech, tmp_path / "list.csv", tmp_path / "1", "--address", address, "--wait", "0")
    assert status == 2
    assert "20 requests in a row were refused (the last: host refuses: " in capsys.readouterr().err
    assert len(asked) < 30, "the rest of the list was not burned"
    rows = manifest.read(tmp_path / "1" / "manifest.csv")
    assert Counter(row["status"] for row in rows) == {"waiting": 60}
    assert Counter(row["reason"] for row in rows)["host refuses"] == 20


class Members(Host):
    """Page and stream are for those who bring the cookie; FFmpeg's own requests are not answered at all."""

    def answer(self, data, first, mood):
        if "pass=yes" not in self.headers.get("Cookie", "") or "Lavf" in self.headers.get("User-Agent", ""):
            return self.send(403, b"members only", {})
        return super().answer(data, first, mood)


def test_cookies_that_come_later_open_the_stream_and_stay_secret(tmp_path, videos):
    (tmp_path / "list.csv").write_text("clip000,0.5,2.0,0.25,0.5\n")
    cookies = "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tpass\tyes\n"
    (tmp_path / "cookies.txt").write_text(cookies)
    with serve([(videos / "good-one.mp4").read_bytes()], honest=True, handler=Members) as address:
        words = (tmp_path / "list.csv", tmp_path / "1", "--address", address, "--wait", "0")
        assert command(download_avspeech, *words) == 1
        (row,) = manifest.read(tmp_path / "1" / "manifest.csv")
        assert (row["status"], row["reason"]) == ("waiting", "host refuses")
        assert command(download_avspeech, *words, "--cookies", tmp_path / "cookies.txt") == 0
    assert (tmp_path / "cookies.txt").read_text() == cookies, "read, never written"
    kept = [path.read_bytes() for path in (tmp_path / "1").rglob("*") if path.is_file()]
    assert not any(b"pass" in data or b"cookies.txt" in data for data in kept)
