"""Downloads over HTTP that survive broken connections and never leave a wrong file behind."""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

from s2f_lib.io import files

__all__ = ["ChecksumError", "DownloadError", "download"]

CHUNK = 1 << 16  # bytes per read
RETRY_STATUS = {408, 425, 429, 500, 502, 503, 504}
USER_AGENT = "s2f-lib (research notebook book)"


class DownloadError(OSError):
    """A file could not be fetched; the message says what the server did and what to try."""


class ChecksumError(DownloadError):
    """A file is complete but is not the expected one; it has been deleted."""


class _Interrupted(Exception):
    """The transfer stopped early and may be continued."""

    def __init__(self, reason: str, wait: float | None = None):
        super().__init__(reason)
        self.wait = wait


def download(
    url: str,
    path: str | Path,
    sha256: str | None = None,
    *,
    retries: int = 5,
    timeout: float = 30.0,
    wait: float = 1.0,
    max_bytes: int | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Path:
    """Fetch a file over HTTP(S); continues where a broken transfer stopped, in this call or a later one.

    The bytes so far are kept in ``<path>.part``; the final name appears when everything is there and right.
    A file that is already there is kept if its checksum fits (or none is known), and refused and deleted if not.

    Parameters
    ----------
    url : str
        ``http://`` or ``https://`` address.
    path : str or Path
        Where the file goes.
    sha256 : str, optional
        Expected checksum, 64 hexadecimal digits.
    retries : int
        Attempts in a row that may bring not one new byte before we give up.
    timeout : float
        Seconds without any byte after which a connection counts as broken.
    wait : float
        Seconds before the second attempt; doubled each time, at most 60. A server's ``Retry-After`` is obeyed.
    max_bytes : int, optional
        Refuse anything larger, whatever the server announces.
    progress : callable, optional
        Called with (bytes so far, bytes in all or None).

    Returns
    -------
    Path
        The complete file.

    Raises
    ------
    DownloadError
        No such file, too many failures, an HTML page in place of the file, or too many bytes.
    ChecksumError
        The file is complete but not the expected one. It has been deleted.
    """
    path = Path(path)
    _check_url(url)
    if path.exists():
        return _verified(path, url, sha256, path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        failures, limits = 0, (timeout, max_bytes)
        while True:
            before = part.stat().st_size if part.exists() else 0
            try:
                _fetch(url, part, limits, progress)
                break
            except _Interrupted as reason:
                after = part.stat().st_size if part.exists() else 0
                failures = 1 if after > before else failures + 1
                if failures > retries:
                    raise DownloadError(
                        f"{url}: gave up after {failures} attempts without a new byte: {reason}. "
                        f"{after} bytes are kept; run again to continue"
                    ) from reason
                time.sleep(min(60.0, reason.wait if reason.wait is not None else wait * 2 ** (failures - 1)))
    except DownloadError:
        raise
    except OSError as error:
        raise files.explain(error, path) from error
    return _finish(part, path, url, sha256)


def _check_url(url: str) -> None:
    """Only HTTP: a list of addresses from outside must not be able to read local files."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise DownloadError(f"only http:// and https:// addresses are fetched, got {url!r}")


def _fetch(url: str, part: Path, limits: tuple, progress: Callable | None) -> None:
    """One attempt: ask for what is missing and append it; raises `_Interrupted` if that may be tried again."""
    timeout, max_bytes = limits
    have = part.stat().st_size if part.exists() else 0
    note = part.with_name(part.name + ".json")  # which version of the remote file the part belongs to
    known = _known(note) if have else {}
    have = have if known.get("url") == url else 0
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if known.get("version"):
            headers["If-Range"] = known["version"]
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout) as answer:
            have = have if _continues(answer, have) else 0
            total = _total(answer, have)
            _check_answer(answer, url, part, total, max_bytes)
            version = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
            if version and version.startswith("W/"):
                version = answer.headers.get("Last-Modified")  # a weak tag may not be used to join pieces
            with files.atomic_write(note, "w") as file:
                json.dump({"url": url, "version": version}, file)
            _copy(answer, part, have, total, max_bytes, url, progress)
    except urllib.error.HTTPError as error:
        _judge_status(error, url, part)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise _Interrupted(f"{type(error).__name__}: {getattr(error, 'reason', error)}") from error
    note.unlink(missing_ok=True)


def _known(note: Path) -> dict:
    """What the note beside a part says; nothing where it is missing or cannot be read, so the part is not used."""
    try:
        known = json.loads(note.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _continues(answer, have: int) -> bool:
    """Whether the server sends the rest we asked for, and not the file from the start."""
    if answer.status != 206:
        return False
    span = answer.headers.get("Content-Range", "")
    if not span.startswith(f"bytes {have}-"):
        raise _Interrupted(f"the server sent another piece ({span!r}) than the one asked for (from byte {have})")
    return True


def _total(answer, have: int) -> int | None:
    """Size of the whole file as announced, or None."""
    length = answer.headers.get("Content-Length", "")
    return have + int(length) if length.isdigit() else None


def _check_answer(answer, url: str, part: Path, total: int | None, max_bytes: int | None) -> None:
    """Refuse what cannot be the file, before reading it."""
    wants_html = urllib.parse.urlsplit(url).path.endswith((".html", ".htm"))
    if "html" in answer.headers.get_content_type() and not wants_html:
        part.unlink(missing_ok=True)
        raise DownloadError(_html_message(url))
    if max_bytes is not None and total is not None and total > max_bytes:
        raise DownloadError(f"{url}: the server announces {total} bytes, more than the {max_bytes} that are allowed")


def _copy(answer, part: Path, have: int, total: int | None, max_bytes: int | None, url: str, progress) -> None:
    """Append the body of an answer to the part file; raises `_Interrupted` when it ends too early."""
    with open(part, "r+b" if have else "wb") as file:
        file.seek(have)
        file.truncate()
        while True:
            try:
                piece = answer.read1(CHUNK)
            except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
                raise _Interrupted(f"the connection broke after {have} bytes ({type(error).__name__})") from error
            if not piece:
                break
            file.write(piece)
            have += len(piece)
            if max_bytes is not None and have > max_bytes:
                file.close()
                part.unlink()
                raise DownloadError(f"{url}: more than the {max_bytes} bytes that are allowed; stopped and deleted")
            if progress is not None:
                progress(have, total)
    if total is not None and have < total:
        raise _Interrupted(f"the server announced {total} bytes and stopped after {have}")


def _judge_status(error: urllib.error.HTTPError, url: str, part: Path) -> None:
    """Decide whether an HTTP error is worth another attempt."""
    if error.code == 416:  # our part is not a beginning of what the server has now
        part.unlink(missing_ok=True)
        raise _Interrupted("the server has a shorter file than the part we kept; starting again", wait=0) from error
    if error.code in RETRY_STATUS:
        after = error.headers.get("Retry-After", "")
        raise _Interrupted(f"HTTP {error.code} {error.reason}", float(after) if after.isdigit() else None) from error
    hints = {401: "it asks for a login", 403: "it refuses access", 404: "the file is not there", 410: "it is gone"}
    hint = hints.get(error.code, "the request failed")
    raise DownloadError(f"{url}: HTTP {error.code}, {hint}; check the address") from error


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
