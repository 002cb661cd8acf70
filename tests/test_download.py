"""A download is the right file or none, whatever the server or the network does."""

import concurrent.futures
import gzip
import hashlib
import http.server
import json
import threading
import time

import pytest

from s2f_lib import io

DATA = bytes(range(256)) * 2000  # 512,000 bytes
DIGEST = hashlib.sha256(DATA).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """A file server on this machine that misbehaves as told: `plan` holds one behaviour per coming request."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.plan, self.requests, self.data, self.etag = [], [], DATA, '"one"'
        self.url = f"http://127.0.0.1:{self.server_address[1]}/weights.bin"

    def handle_error(self, request, client_address):
        """A client that goes away is part of the tests."""


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_GET(self):
        server = self.server
        server.requests.append(dict(self.headers))
        act = server.plan.pop(0) if server.plan else "serve"
        if callable(act):
            return act(self)
        if isinstance(act, int):
            return self.reply(act, b"sorry", {"Retry-After": "0"})
        if act == "html":
            return self.reply(200, b"<!DOCTYPE html><html>quota exceeded</html>", {"Content-Type": "text/html"})
        if act == "hidden html":
            return self.reply(200, b"\n<html><body>log in</body></html>", {"Content-Type": "application/x-binary"})
        start = self.start()
        body = server.data[start:]
        head = {"ETag": server.etag}
        status = 206 if start else 200
        if start:
            head["Content-Range"] = f"bytes {start}-{len(server.data) - 1}/{len(server.data)}"
        if act == "wrong piece":
            head["Content-Range"] = f"bytes {start + 7}-{len(server.data) - 1}/{len(server.data)}"
        if act == "break off":
            return self.reply(status, body[: len(body) // 2], head, length=len(body))
        if act == "announce too much":
            return self.reply(status, body, head, length=len(body) + 1000)
        if act == "announce too little":
            return self.reply(status, body[:1000], head)
        if act == "stall":
            self.reply(status, body[: len(body) // 3], head, length=len(body))
            time.sleep(2)
            return None
        if act == "no length":
            return self.reply(status, body, head, length=None)
        return self.reply(status, body, head)

    def start(self):
        """First byte asked for, if the client's version is still ours."""
        if self.headers.get("If-Range") not in (None, self.server.etag) or "Range" not in self.headers:
            return 0
        return int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))

    def reply(self, status, body, headers, length=-1):
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(len(body) if length == -1 else length))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def server():
    made = Server()
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def fetch(server, tmp_path):
    def fetch(sha256=DIGEST, **options):
        return io.download(
            server.url, tmp_path / "get" / "weights.bin", sha256, **{"wait": 0.01, "timeout": 5} | options
        )

    return fetch


def leftovers(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


# --- downloads


def test_a_plain_download_is_right_and_leaves_only_the_file(server, fetch, tmp_path):
    assert fetch().read_bytes() == DATA
    assert leftovers(tmp_path) == ["weights.bin"]
    fetch()
    assert len(server.requests) == 1, "a file that is there is not fetched again"


@pytest.mark.parametrize("act", ["break off", "announce too much", 503, 429, "no length"])
def test_one_mishap_is_survived(server, fetch, act):
    server.plan = [act]
    assert fetch().read_bytes() == DATA


def test_a_broken_transfer_is_continued_not_restarted(server, fetch):
    server.plan = ["break off", "break off"]
    assert fetch().read_bytes() == DATA
    assert [headers.get("Range") for headers in server.requests] == [None, "bytes=256000-", "bytes=384000-"]


def test_a_later_call_continues_where_an_earlier_one_gave_up(server, fetch, tmp_path):
    server.plan = ["break off", 503, 503]
    with pytest.raises(io.DownloadError, match="256000 bytes are kept; run again to continue"):
        fetch(retries=1)
    assert "weights.bin" not in leftovers(tmp_path)
    assert fetch().read_bytes() == DATA
    assert server.requests[-1]["Range"] == "bytes=256000-"


def test_a_stalling_server_is_left_and_tried_again(server, fetch):
    server.plan = ["stall"]
    assert fetch(timeout=0.3).read_bytes() == DATA


def test_a_file_that_changes_between_two_pieces_is_taken_from_the_start(server, fetch):
    server.plan = ["break off", 503]
    with pytest.raises(io.DownloadError):
        fetch(retries=0)
    server.data, server.etag, server.plan = DATA[::-1], '"two"', []
    assert fetch(hashlib.sha256(DATA[::-1]).hexdigest()).read_bytes() == DATA[::-1]


@pytest.mark.parametrize("left", [b"", b'{"url": "ht', b"[]", b"\xff"])
def test_a_part_whose_note_was_cut_off_is_not_used(server, fetch, tmp_path, left):
    (tmp_path / "get").mkdir()
    (tmp_path / "get" / "weights.bin.part").write_bytes(b"of whatever")
    (tmp_path / "get" / "weights.bin.part.json").write_bytes(left)
    assert fetch().read_bytes() == DATA
    assert "Range" not in server.requests[0]
    assert leftovers(tmp_path) == ["weights.bin"]


def test_the_note_beside_a_part_is_whole_or_absent(server, fetch, tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(io.files.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        fetch()
    assert leftovers(tmp_path) == []


def test_a_piece_from_another_place_is_never_joined(server, fetch):
    server.plan = ["break off", "wrong piece"]
    assert fetch().read_bytes() == DATA


def test_a_part_that_is_longer_than_the_file_starts_again(server, fetch):
    server.plan = ["break off", 416]
    assert fetch().read_bytes() == DATA
    assert "Range" not in server.requests[-1]


def test_a_server_that_announces_too_little_is_caught_by_the_checksum(server, fetch, tmp_path):
    server.plan = ["announce too little"]
    with pytest.raises(io.ChecksumError, match="wanted " + DIGEST):
        fetch()
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("act", ["html", "hidden html"])
def test_an_html_page_is_not_a_file(server, fetch, tmp_path, act):
    server.plan = [act]
    with pytest.raises(io.DownloadError, match="HTML page in place of the file"):
        fetch(sha256=None)
    assert leftovers(tmp_path) == []


def test_a_missing_file_is_not_tried_again(server, fetch, tmp_path):
    server.plan = [404]
    with pytest.raises(io.DownloadError, match="HTTP 404, the file is not there"):
        fetch()
    assert len(server.requests) == 1
    assert leftovers(tmp_path) == []


def test_we_give_up_in_the_end(server, fetch):
    server.plan = [503] * 10
    with pytest.raises(io.DownloadError, match="gave up after 3 attempts that led nowhere: HTTP 503"):
        fetch(retries=2)
    assert len(server.requests) == 3


def test_a_wrong_file_already_there_is_refused_and_deleted(fetch, tmp_path):
    (tmp_path / "get").mkdir()
    (tmp_path / "get" / "weights.bin").write_bytes(b"something else")
    with pytest.raises(io.ChecksumError, match="has been deleted"):
        fetch()
    assert fetch().read_bytes() == DATA


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://host/x", "/etc/hostname", "http://"])
def test_only_http_addresses_are_fetched(tmp_path, url):
    with pytest.raises(io.DownloadError, match="only http"):
        io.download(url, tmp_path / "x")


def test_nobody_answers(tmp_path):
    with pytest.raises(io.DownloadError, match="gave up after 2 attempts"):
        io.download("http://127.0.0.1:9/x", tmp_path / "x", retries=1, wait=0.01, timeout=1)


# --- answers that are wrong: the right file or a DownloadError, and an end


def first(handler):
    """First byte that a request asks for, None for the whole file."""
    return int(handler.headers["Range"][6:-1]) if "Range" in handler.headers else None


def answer(status=200, body=DATA, length=-1, **headers):
    """A behaviour for `Server.plan`: always the same answer."""
    return lambda handler: handler.reply(status, body, {k.replace("_", "-"): v for k, v in headers.items()}, length)


def ten_bytes_a_request(handler):
    start = first(handler) or 0
    handler.reply(
        206, DATA[start : start + 10], {"ETag": '"a"', "Content-Range": f"bytes {start}-{start + 9}/{len(DATA)}"}
    )


def the_beginning_or_416(handler):
    if first(handler) is None:
        return handler.reply(200, DATA[:5000], {"ETag": '"a"'}, length=len(DATA))
    return handler.reply(416, b"", {})


def a_byte_now_and_then(handler):
    handler.reply(200, b"", {}, length=len(DATA))
    for k in range(30):
        handler.wfile.write(DATA[k : k + 1])
        time.sleep(0.1)


def dripping(*pieces):
    """A behaviour: pieces of an answer, one byte at a time for longer than anybody waits."""

    def act(handler):
        for piece in pieces:
            for k in range(len(piece)):
                handler.wfile.write(piece[k : k + 1])
                time.sleep(0.02)

    return act


def a_head_that_is_cut(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nServer: no")


def a_redirection_without_end(handler):
    handler.reply(302, b"", {"Location": "/weights.bin"}, length=None)
    for _ in range(200):
        handler.wfile.write(bytes(100))
        time.sleep(0.02)


@pytest.mark.parametrize(
    "act",
    [
        dripping(b"HTTP/1.1 200 OK\r\nServer: " + b"x" * 200),
        dripping(b"HTTP/1.1 100 Continue\r\n\r\n" * 10),
        dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"5\r\nright\r\n4;" + b"x" * 200),
        dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0\r\n", b"a: b\r\n" * 30),
        a_head_that_is_cut,
        a_redirection_without_end,
        ten_bytes_a_request,
        the_beginning_or_416,
        a_byte_now_and_then,
        answer(206, DATA[:100], Content_Range=f"bytes 0-99/{len(DATA)}"),
        answer(206, DATA[:100], Content_Range="bytes 0-99"),
        answer(206, DATA[:100]),
        answer(204, b""),
        answer(429, b"", Retry_After="\xb2"),
        answer(302, b"", Location="http://[::1/x"),
        answer(302, b"", Location="http://127.0.0.1:9/x"),
        answer(302, b"", Location="ftp://127.0.0.1:9/x"),
        answer(302, b"", Location="file:///etc/hostname"),
        answer(body=gzip.compress(DATA), Content_Encoding="gzip"),
        answer(body=DATA, Content_Encoding="br"),
    ],
)
def test_an_answer_without_the_file_ends_in_a_download_error(server, fetch, tmp_path, act):
    server.plan = [act] * 20
    with pytest.raises(io.DownloadError):
        fetch(sha256=None, retries=2, timeout=0.4)
    assert "weights.bin" not in leftovers(tmp_path)
    assert len(server.requests) <= 6


ERRORS = {
    "json": b'{"error": "quota exceeded"}',
    "xml": b'\n<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
    "text": b"rate limit exceeded",
    "pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0",
}
FILES = {
    "a.pth": b"PK\x03\x04",
    "a.pt": b"\x80\x02}q",
    "a.safetensors": b'\x40\0\0\0\0\0\0\0{"a":',
    "a.h5": b"\x89HDF\r\n",
    "a.mat": b"MATLAB 5.0 MAT-file",
    "a.npz": b"PK\x03\x04",
    "a.tar.gz": b"\x1f\x8b\x08",
    "a.PNG": b"\x89PNG\r\n",
    "a.jpeg": b"\xff\xd8\xff\xe0",
    "a.wav": b"RIFF\xff\xff\xff\xffWAVE",
    "a.m4a": b"\0\0\0\x20ftypM4A ",
    "a.webm": b"\x1a\x45\xdf\xa3",
    "a.csv": b"AAAAAAAAAAA,0.0,3.0,0.5,0.5\n",
    "a.txt": b"rate limit exceeded",
    "a.json": b'{"error": 0.1}',
    "a": b"any bytes",
}


@pytest.mark.parametrize("name", FILES)
def test_without_a_checksum_a_file_is_what_begins_like_one(server, tmp_path, name):
    body = FILES[name]
    server.plan = [answer(body=body), *(answer(body=error) for error in ERRORS.values())]
    assert io.download(server.url, tmp_path / name).read_bytes() == body
    taken = {"a.json": {"json", "text", "pointer"}, "a.csv": {"text", "pointer"}, "a.txt": {"text", "pointer"}}
    for kind in ERRORS:
        target = tmp_path / kind / name
        if kind in taken.get(name, {"text"} if name == "a" else ()):
            io.download(server.url, target)
            continue
        with pytest.raises(io.DownloadError, match="in place of the file"):
            io.download(server.url, target)
        assert leftovers(target.parent) == []


def test_a_right_checksum_is_right_however_the_file_begins(server, tmp_path):
    assert io.download(server.url, tmp_path / "a.pth", DIGEST).read_bytes() == DATA


@pytest.mark.parametrize(
    "act", [answer(length="\xb2"), answer(length="-5"), answer(Content_Encoding="identity"), answer(ETag="")]
)
def test_odd_headers_do_no_harm(server, fetch, act):
    server.plan = [act] * 3
    assert fetch(sha256=None).read_bytes() == DATA


OLD = bytes(len(DATA))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {}),  # nothing proves that it is the same file
        ({"ETag": 'W/"a"'}, {"ETag": 'W/"a"'}),
        ({"ETag": '"a"'}, {"ETag": '"b"'}),
        ({"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}, {"Last-Modified": "Tue, 02 Jan 2024 00:00:00 GMT"}),
    ],
)
def test_pieces_of_two_versions_are_never_joined(server, fetch, before, after):
    def new(handler):  # a server that does not look at If-Range
        start = first(handler)
        if start is None:
            return handler.reply(200, DATA, after)
        span = {"Content-Range": f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"}
        return handler.reply(206, DATA[start:], after | span)

    server.plan = [lambda handler: handler.reply(200, OLD[:50_000], before, length=len(OLD)), new, new]
    assert fetch(sha256=None).read_bytes() == DATA


def test_a_file_that_has_grown_is_taken_from_the_start(server, fetch):
    def grown(handler):
        start = first(handler) or 0
        span = {"Content-Range": f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"} if start else {}
        return handler.reply(206 if start else 200, DATA[start:], {"ETag": '"a"'} | span)

    server.plan = [lambda handler: handler.reply(200, OLD[:50_000], {"ETag": '"a"'}, length=60_000), grown, grown]
    assert fetch(sha256=None).read_bytes() == DATA


def test_pieces_without_a_version_are_joined_where_a_checksum_tells(server, fetch):
    server.etag = None
    server.plan = [lambda handler: handler.reply(200, DATA[:50_000], {}, length=len(DATA))]
    assert fetch().read_bytes() == DATA
    assert server.requests[1]["Range"] == "bytes=50000-"


def test_the_announced_size_of_the_whole_file_is_believed(server, fetch):
    def half_a_range(handler):
        start = first(handler)
        body = DATA[start : start + 100_000]
        span = f"bytes {start}-{start + len(body) - 1}/{len(DATA)}"
        return handler.reply(206, body, {"ETag": '"one"', "Content-Range": span})

    server.plan = ["break off", half_a_range, half_a_range]
    assert fetch(sha256=None).read_bytes() == DATA


def test_a_complete_part_is_not_fetched_again(server, fetch, tmp_path):
    (tmp_path / "get").mkdir()
    (tmp_path / "get" / "weights.bin.part").write_bytes(DATA)
    note = {"url": server.url, "version": '"one"', "total": len(DATA)}
    (tmp_path / "get" / "weights.bin.part.json").write_text(json.dumps(note))
    assert fetch().read_bytes() == DATA
    assert not server.requests
    assert leftovers(tmp_path) == ["weights.bin"]


@pytest.mark.filterwarnings("ignore:waiting for")
def test_of_two_downloads_of_one_file_one_waits(server, fetch):
    def slowly(handler):
        time.sleep(0.5)
        handler.reply(200, DATA, {})

    server.plan = [slowly]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        assert {path.read_bytes() for path in pool.map(lambda _: fetch(), range(3))} == {DATA}
    assert len(server.requests) == 1
