"""Downloads over HTTP that survive broken connections and never leave a wrong file behind."""

from __future__ import annotations

import http.client
import json
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from s2f_lib.io import files

__all__ = ["ChecksumError", "DownloadError", "download"]

CHUNK = 1 << 16  # bytes per read
LEAST = 1 << 10  # bytes that an attempt must bring to count as progress
RETRY_STATUS = {408, 425, 429, 500, 502, 503, 504}
USER_AGENT = "s2f-lib (research notebook book)"


class DownloadError(OSError):
    """A file could not be fetched; the message says what the server did and what to try."""


class ChecksumError(DownloadError):
    """A file is complete but is not the expected one; it has been deleted."""


class _Interrupted(Exception):
    """The transfer stopped early and may be tried again, after some seconds if the server says so."""

    def __init__(self, reason: str, wait: float | None = None):
        super().__init__(reason)
        self.wait = wait


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirections to HTTP only, so that no answer leads to FTP or to files of this machine."""

    def redirect_request(self, request, file, code, message, headers, newurl):
        _check_url(newurl)
        return super().redirect_request(request, file, code, message, headers, newurl)


def download(
    url: str,
    path: str | Path,
    sha256: str | None = None,
    *,
    retries: int = 5,
    timeout: float = 30.0,
    wait: float = 1.0,
) -> Path:
    """Fetch a file over HTTP(S); continues where a broken transfer stopped, in this call or a later one.

    The bytes so far are kept in ``<path>.part``; the final name appears when everything is there and right. They are
    continued only if the server proves that its file is the same (a strong ETag or a date), or if a checksum will
    tell. A file that is already there is kept if its checksum fits (or none is known), and refused and deleted if not.
    Of two processes that want the same file one waits for the other.

    Parameters
    ----------
    url : str
        ``http://`` or ``https://`` address.
    path : str or Path
        Where the file goes.
    sha256 : str, optional
        Expected checksum, 64 hexadecimal digits.
    retries : int
        Attempts in a row that may bring less than a kilobyte before we give up, and times that we begin anew.
    timeout : float
        Seconds with less than a kilobyte after which a connection counts as broken.
    wait : float
        Seconds before the second attempt; doubled each time, at most 60. A server's ``Retry-After`` is obeyed.

    Returns
    -------
    Path
        The complete file.

    Raises
    ------
    DownloadError
        No such file, too many failures, or an HTML page or a compressed body in place of the file.
    ChecksumError
        The file is complete but not the expected one. It has been deleted.
    """
    path = Path(path)
    _check_url(url)
    if path.exists():
        return _verified(path, url, sha256, path)
    with files.locked(path, busy="another process is downloading it"):
        if path.exists():
            return _verified(path, url, sha256, path)
        part = path.with_name(path.name + ".part")
        job = _Job(url, part, sha256 is not None, timeout)
        try:
            _try_often(job, retries, wait)
        except DownloadError:
            raise
        except OSError as error:
            raise files.explain(error, path) from error
        job.note.unlink(missing_ok=True)
        return _finish(part, path, url, sha256)


@dataclass(frozen=True)
class _Job:
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
        except _Interrupted as reason:
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
    """One attempt: ask for what is missing and append it; raises `_Interrupted` if that may be tried again."""
    known = _known(job)
    have = job.have() if known else 0
    if have and have == known.get("total"):
        return
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if known.get("version"):
            headers["If-Range"] = known["version"]
    try:
        request = urllib.request.Request(job.url, headers=headers)
        with urllib.request.build_opener(_Redirects).open(request, timeout=job.timeout) as answer:
            start, total = _span(answer, have, known, job)
            _check_answer(answer, job)
            with files.atomic_write(job.note, "w") as file:
                json.dump({"url": job.url, "version": _version(answer) or known.get("version"), "total": total}, file)
            _copy(answer, job, start, total)
    except urllib.error.HTTPError as error:
        _judge_status(error, job)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise _Interrupted(f"{type(error).__name__}: {getattr(error, 'reason', error)}") from error
    except (ValueError, UnicodeError) as error:  # an address or a header that cannot be read
        raise DownloadError(f"{job.url}: the server's answer cannot be read ({error})") from error


def _known(job: _Job) -> dict:
    """What the note beside a part says, if the part may be continued; else nothing, and the part is not used."""
    try:
        known = json.loads(job.note.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    usable = isinstance(known, dict) and known.get("url") == job.url and (known.get("version") or job.proven)
    return known if usable else {}


def _version(answer) -> str | None:
    """What proves that two answers are of the same file: a strong ETag, or the date of its last change."""
    tag = answer.headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified")


def _span(answer, have: int, known: dict, job: _Job) -> tuple[int, int | None]:
    """From which byte on the answer goes, and the size of the whole file if it is announced."""
    length = _number(answer.headers.get("Content-Length", ""))
    if answer.status == 200:
        return 0, length
    if answer.status != 206:
        raise DownloadError(f"{job.url}: the server answered {answer.status} and sent no file")
    said = answer.headers.get("Content-Range", "")
    span = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", said.strip(), re.ASCII)
    if span is None or int(span[1]) != have:
        raise _Interrupted(f"the server sent another piece ({said!r}) than the one asked for (from byte {have})")
    total = known.get("total") if span[3] == "*" else int(span[3])
    changed = known.get("total") not in (None, total) or (
        known.get("version") and _version(answer) not in (None, known["version"])
    )
    if have and changed:
        job.forget()
        raise _Interrupted("the file at the server has changed between two pieces; starting again", wait=0)
    return have, total


def _number(text: str) -> int | None:
    """A header's number, or None where it holds none."""
    return int(text) if text.isascii() and text.isdigit() else None


def _check_answer(answer, job: _Job) -> None:
    """Refuse what cannot be the file, before reading it."""
    path = urllib.parse.urlsplit(job.url).path.lower()
    if "html" in answer.headers.get_content_type() and not path.endswith((".html", ".htm")):
        job.forget()
        raise DownloadError(_html_message(job.url))
    packed = answer.headers.get("Content-Encoding", "identity").lower()
    if packed != "identity" and not ("gzip" in packed and path.endswith((".gz", ".tgz"))):
        job.forget()
        raise DownloadError(
            f"{job.url}: the server sent the file packed ({packed}), which was not asked for; try later"
        )


def _copy(answer, job: _Job, have: int, total: int | None) -> None:
    """Append the body of an answer to the part file; raises `_Interrupted` when it ends too early or hardly moves."""
    since, counted = time.monotonic(), have
    with open(job.part, "r+b" if have else "wb") as file:
        file.seek(have)
        file.truncate()
        while True:
            try:
                piece = answer.read1(CHUNK)
            except (http.client.HTTPException, OSError) as error:
                raise _Interrupted(f"the connection broke after {have} bytes ({type(error).__name__})") from error
            if not piece:
                break
            file.write(piece)
            have += len(piece)
            if total is not None and have > total:
                file.close()
                job.forget()
                raise DownloadError(f"{job.url}: more than the {total} bytes that were announced; stopped and deleted")
            if time.monotonic() - since > job.timeout:
                if have - counted < LEAST and have != total:
                    raise _Interrupted(f"{have - counted} bytes came in {job.timeout:g} seconds")
                since, counted = time.monotonic(), have
    if total is not None and have < total:
        raise _Interrupted(f"the server announced {total} bytes and stopped after {have}")


def _judge_status(error: urllib.error.HTTPError, job: _Job) -> None:
    """Decide whether an HTTP error is worth another attempt."""
    if error.code == 416:  # our part is not a beginning of what the server has now
        job.forget()
        raise _Interrupted("the server has a shorter file than the part we kept; starting again", wait=0) from error
    if error.code in RETRY_STATUS:
        after = _number(error.headers.get("Retry-After", ""))
        raise _Interrupted(f"HTTP {error.code} {error.reason}", after) from error
    hints = {401: "it asks for a login", 403: "it refuses access", 404: "the file is not there", 410: "it is gone"}
    hint = hints.get(error.code, "the request failed")
    raise DownloadError(f"{job.url}: HTTP {error.code}, {hint}; check the address") from error


def _finish(part: Path, path: Path, url: str, sha256: str | None) -> Path:
    """Check the complete part and give it its name."""
    with open(part, "rb") as file:
        head = file.read(512).lstrip().lower()
        os.fsync(file.fileno())
    if head.startswith((b"<!doctype html", b"<html")) and not path.suffix.lower().startswith(".htm"):
        part.unlink()
        raise DownloadError(_html_message(url))
    _verified(part, url, sha256, path)
    os.replace(part, path)
    return path


def _verified(file: Path, url: str, sha256: str | None, path: Path) -> Path:
    """Give the path back if the checksum fits; delete the file and raise if not."""
    if sha256 is not None and (found := files.sha256(file)) != sha256.lower():
        file.unlink()
        raise ChecksumError(
            f"{path.name} from {url} is not the expected file: SHA-256 is {found}, wanted {sha256.lower()}; "
            "it has been deleted. Run again; if it happens twice the file at that address has changed"
        )
    return path


def _html_message(url: str) -> str:
    """What an HTML page under the name of a file means."""
    return (
        f"{url}: the server sent an HTML page in place of the file (a login, quota or error page); nothing was kept. "
        "Open the address in a browser, or give the file by hand"
    )
