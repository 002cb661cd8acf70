"""Downloads over HTTP that survive broken connections and never leave a wrong file behind."""

import contextlib
import functools
import http.client
import json
import os
import re
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from s2f_lib.io import files

CHUNK = 1 << 16  # bytes per read
LEAST = 1 << 10  # bytes that an attempt must bring to count as progress
RETRY_STATUS = {408, 425, 429, *range(500, 600)} - {501, 505}
MAX_UNTOLD = 4 << 30  # bytes of a file whose length is not told
USER_AGENT = "s2f-lib (research notebook book)"
# How files begin, by their endings, as regular expressions; an error message in place of a file does not.
BEGINNINGS = {
    ending: row["beginning"].encode()
    for row in files.read_table(Path(__file__).with_name("data") / "beginnings.csv")
    for ending in row["endings"].split()
}
ANY = rb"(?i)(?!\s*(<(!doctype|html|\?xml|error)|\{\s*\"(error|message|detail|code|status)|version https://git-lfs))"


class DownloadError(OSError):
    """A file could not be fetched; the message says what the server did and what to try."""


class ChecksumError(DownloadError):
    """A file is complete but is not the expected one; it has been deleted."""


class Interrupted(Exception):
    """A transfer stopped early and may be tried again, after some seconds if the server says so."""

    def __init__(self, reason: str, wait: float | None = None):
        super().__init__(reason)
        self.wait = wait


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirections to HTTP only, so that no answer leads to FTP or to files of this machine."""

    def redirect_request(self, request, file, code, message, headers, newurl):
        _check_url(newurl)
        file.close()  # urllib would read whatever comes with a redirection to its end
        return super().redirect_request(request, file, code, message, headers, newurl)


class _Connections(urllib.request.HTTPSHandler, urllib.request.HTTPHandler):
    """Opens connections, and ends one that brings less than `LEAST` bytes in a time-out, in its head or behind it."""

    def __init__(self, seconds: float):
        super().__init__()
        self.seconds, self.bytes, self.late = seconds, 0, False
        self._socket, self._done = None, threading.Event()

    def do_open(self, kind, request, **options):
        return super().do_open(functools.partial(self._make, kind), request, **options)

    def _make(self, kind: type, host: str, **options):
        connection = kind(host, **options)
        connect = connection.connect

        def watched() -> None:
            connect()
            if self._socket is None:
                threading.Thread(target=self._watch, daemon=True).start()
            self._socket = connection.sock

        connection.connect = watched
        return connection

    def _watch(self) -> None:
        before = 0
        while not self._done.wait(self.seconds):
            if self.bytes - before < LEAST:
                self.late = True
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
                return
            before = self.bytes

    def check(self) -> None:
        """Refuse what came on a connection that was ended."""
        if self.late:
            raise Interrupted(f"less than {LEAST} bytes came in {self.seconds:g} seconds")

    def close(self) -> None:
        """Watch no longer."""
        self._done.set()


def download(
    url: str, path: str | Path, sha256: str | None = None, *, retries: int = 5, timeout: float = 30.0, wait: float = 1.0
) -> Path:
    """Fetch a file over HTTP(S); continues where a broken transfer stopped, in this call or a later one.

    The bytes so far are kept in ``<path>.part``; the final name appears when everything is there and right. They are
    continued only if the server proves that its file is the same (a strong ETag or a date), or if a checksum will
    tell. A file that is already there is kept if its checksum fits (or none is known), and refused and deleted if not.
    Of two processes that want the same file one waits for the other.

    Parameters
    ----------
    url, path
        Address (``http://`` or ``https://``), and where the file goes; the path is given back.
    sha256 : str, optional
        Expected checksum, 64 hexadecimal digits.
    retries : int
        Attempts in a row that may bring less than a kilobyte before we give up, and times that we begin anew.
    timeout : float
        Seconds with less than a kilobyte after which a connection counts as broken.
    wait : float
        Seconds before the second attempt; doubled each time, at most 60. A server's ``Retry-After`` is obeyed.

    Raises
    ------
    DownloadError
        No such file, too many failures, or a page, an error message or a compressed body in place of the file.
    ChecksumError
        The file is complete but not the expected one. It has been deleted.
    """
    path = Path(path)
    _check_url(url)
    part = path.with_name(path.name + ".part")
    job = _Job(url, part, sha256 is not None, timeout)

    def find() -> Path | None:
        return _verified(path, url, sha256, path) if path.exists() else None

    def fetch() -> None:
        try:
            _try_often(job, retries, wait)
        except DownloadError:
            raise
        except OSError as error:
            raise files.explain(error, path) from error
        job.note.unlink(missing_ok=True)
        _finish(part, path, url, sha256)

    return files.once(path, find, fetch, "another process is downloading it")


class Head(NamedTuple):
    """What the head of an answer says: which bytes come, how large the file is, and which version of it that is."""

    first: int
    end: int | None  # behind the last byte; None where it is not said
    total: int | None
    version: str | None  # a strong ETag, or the date of the last change


def read_head(url: str, status: int, headers: Mapping[str, str], asked: int) -> Head:
    """Hold an answer against what was asked: the bytes of a file from `asked` on, as they are.

    Raises
    ------
    Interrupted
        If it is another piece.
    DownloadError
        If it is a page in place of the file, or packed although nobody asked for that, or nothing at all.
    """
    path = urllib.parse.urlsplit(url).path.lower()
    if "html" in (headers.get("Content-Type") or "").lower() and not path.endswith((".html", ".htm")):
        raise DownloadError(_not_the_file(url, "an HTML page"))
    packed = (headers.get("Content-Encoding") or "identity").lower()
    if packed != "identity" and not ("gzip" in packed and path.endswith((".gz", ".tgz"))):
        raise DownloadError(f"{url}: the server sent the file packed ({packed}), which was not asked for; try later")
    tag = headers.get("ETag") or "W/"
    version = headers.get("Last-Modified") if tag.startswith("W/") else tag
    if status == 206:
        said = headers.get("Content-Range") or ""
        span = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", said.strip(), re.ASCII)
        if span is None or int(span[1]) != asked:
            raise Interrupted(f"the server sent another piece ({said!r}) than the one asked for (from byte {asked})")
        return Head(asked, int(span[2]) + 1, _number(span[3]), version)
    if status != 200:
        raise DownloadError(f"{url}: the server answered {status} and sent no file")
    length = _number(headers.get("Content-Length"))
    return Head(0, length, length, version)


def _number(text: str | None) -> int | None:
    """A header's number, or None where it holds none."""
    return int(text) if text and text.isascii() and text.isdigit() else None


class _Job(NamedTuple):
    """What is fetched, and how."""

    url: str
    part: Path  # the bytes so far
    proven: bool  # a checksum will tell whether the pieces belong together
    timeout: float

    @property
    def note(self) -> Path:
        """Says which version of the remote file the part belongs to, and how large that is."""
        return self.part.with_name(self.part.name + ".json")

    def have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def _try_often(job: _Job, retries: int, wait: float) -> None:
    """Fetch until the part is complete; raises DownloadError when that leads nowhere."""
    failures = restarts = 0
    while True:
        before = job.have()
        try:
            return _fetch(job)
        except Interrupted as reason:
            after = job.have()
            failures = 1 if after - before >= LEAST else failures + 1
            restarts += after < before
            if max(failures, restarts) > retries:
                raise DownloadError(
                    f"{job.url}: gave up after {max(failures, restarts)} attempts that led nowhere: {reason}. "
                    f"{after} bytes are kept; run again to continue"
                ) from reason
            time.sleep(min(60.0, reason.wait if reason.wait is not None else wait * 2 ** (failures - 1)))


def _check_url(url: str) -> None:
    """Only HTTP: a list of addresses from outside must not be able to read local files."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise DownloadError(f"only http:// and https:// addresses are fetched, got {url!r}")


def _fetch(job: _Job) -> None:
    """One attempt: ask for what is missing and append it; raises `Interrupted` if that may be tried again."""
    known = _known(job)
    have = job.have() if known else 0
    if have and have == known.get("total"):
        return
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if known.get("version"):
            headers["If-Range"] = known["version"]
    connections = _Connections(job.timeout)
    try:
        request = urllib.request.Request(job.url, headers=headers)
        with urllib.request.build_opener(_Redirects, connections).open(request, timeout=job.timeout) as answer:
            connections.check()
            if len(set(answer.headers.get_all("Content-Length", ()))) > 1:
                raise DownloadError(f"{job.url}: the server announced two lengths for one file; try another address")
            head = read_head(job.url, answer.status, answer.headers, have)
            about = {"version": head.version, "total": head.total}
            if head.first:  # what the new answer does not say is as before
                before = {name: known.get(name) for name in about}
                about = {name: before[name] if value is None else value for name, value in about.items()}
                if any(value not in (None, about[name]) for name, value in before.items()):
                    job.forget()
                    raise Interrupted("the file at the server has changed between two pieces; starting again", wait=0)
            with files.atomic_write(job.note, "w") as file:
                json.dump({"url": job.url} | about, file)
            _copy(answer, job, head.first, about["total"], connections)
    except urllib.error.HTTPError as error:
        _judge_status(error, job)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise Interrupted(f"{type(error).__name__}: {getattr(error, 'reason', error)}") from error
    except (ValueError, UnicodeError) as error:  # an address or a header that cannot be read
        raise DownloadError(f"{job.url}: the server's answer cannot be read ({error})") from error
    finally:
        connections.close()


def _known(job: _Job) -> dict:
    """What the note beside a part says, if the part may be continued; else nothing, and the part is not used."""
    try:
        known = files.read_json(job.note)
    except (FileNotFoundError, ValueError):
        return {}
    usable = known.get("url") == job.url and (known.get("version") or job.proven)
    return known if usable else {}


def _copy(answer, job: _Job, have: int, total: int | None, connections: _Connections) -> None:
    """Append the body of an answer to the part file; raises `Interrupted` when it ends too early or hardly moves."""
    with open(job.part, "r+b" if have else "wb") as file:
        file.seek(have)
        file.truncate()
        while True:
            try:
                piece = answer.read1(CHUNK)
            except (http.client.HTTPException, OSError) as error:
                raise Interrupted(f"the connection broke after {have} bytes ({type(error).__name__})") from error
            if not piece:
                break
            file.write(piece)
            have += len(piece)
            connections.bytes += len(piece)
            if have > (MAX_UNTOLD if total is None else total):
                file.close()
                job.forget()
                told = "announced" if total is not None else "expected of a file without a length"
                raise DownloadError(f"{job.url}: more than the {total or MAX_UNTOLD} bytes {told}; stopped and deleted")
    if total is not None and have == total:
        return
    connections.check()
    if total is not None or not have:
        raise Interrupted(f"the server announced {total or 'some'} bytes and stopped after {have}")


def _judge_status(error: urllib.error.HTTPError, job: _Job) -> None:
    """Decide whether an HTTP error is worth another attempt."""
    if error.code == 416:  # our part is not a beginning of what the server has now
        job.forget()
        raise Interrupted("the server has a shorter file than the part we kept; starting again", wait=0) from error
    if error.code in RETRY_STATUS:
        after = _number(error.headers.get("Retry-After"))
        raise Interrupted(f"HTTP {error.code} {error.reason}", after) from error
    hints = {401: "it asks for a login", 403: "it refuses access", 404: "the file is not there", 410: "it is gone"}
    hint = hints.get(error.code, "the request failed")
    raise DownloadError(f"{job.url}: HTTP {error.code}, {hint}; check the address") from error


def _finish(part: Path, path: Path, url: str, sha256: str | None) -> None:
    """Check the complete part and give it its name."""
    with open(part, "rb") as file:
        head = file.read(512)
        os.fsync(file.fileno())
    beginning = BEGINNINGS.get(path.suffix.lower().lstrip("."), ANY)
    if sha256 is None and not (head and re.match(beginning, head, re.DOTALL)):
        part.unlink()
        page = b"<html" in head.lower() or b"<!doctype" in head.lower()
        sent = "an HTML page" if page else f"{head[:40]!r} ..." if head else "nothing"
        raise DownloadError(_not_the_file(url, sent))
    _verified(part, url, sha256, path)
    os.replace(part, path)


def _verified(file: Path, url: str, sha256: str | None, path: Path) -> Path:
    """Give the path back if the checksum fits; delete the file and raise if not."""
    if sha256 is not None and (found := files.sha256(file)) != sha256.lower():
        file.unlink()
        raise ChecksumError(
            f"{path.name} from {url} is not the expected file: SHA-256 is {found}, wanted {sha256.lower()}; "
            "it has been deleted. Run again; if it happens twice the file at that address has changed"
        )
    return path


def _not_the_file(url: str, sent: str) -> str:
    """What something else under the name of a file means."""
    return (
        f"{url}: the server sent {sent} in place of the file (a login, quota or error page); nothing was kept. "
        "Open the address in a browser, or give the file by hand"
    )
