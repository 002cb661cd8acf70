"""A video on a host, read in the pieces that are asked for, and with every answer held against what was asked.

FFmpeg could open the address itself, but it would lose yt-dlp's headers and cookies, join what does not belong
together, and call a refusal damage. Here each answer is checked (status, range, total, version, length), and what
went wrong has its true name.
"""

from __future__ import annotations

import os
import re
import time
from collections import OrderedDict
from collections.abc import Mapping

__all__ = ["Lost", "RemoteFile", "reason_of_status"]

BLOCK = 1 << 18  # bytes that are kept together
KEPT = 128  # blocks
CHUNK = 8 << 20  # bytes of one request; some hosts slow down those who ask for more
MAX_FETCHED = 1 << 29  # bytes fetched for the clips of one video
MAX_DURATION = 900.0  # s for the clips of one video, however steadily the bytes drip
REFUSED = (401, 402, 403, 407, 423, 425, 426, 429, 451)
SETTLED = ("gone", "no picture", "no sound", "too short")  # reasons that do not pass


class Lost(ValueError):
    """A clip that cannot be had; `reason` is the short word for the manifest, `status` says whether it may pass."""

    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason = reason
        self.status = "skipped" if reason in SETTLED else "waiting" if reason.startswith("host ") else "failed"


def reason_of_status(status: int) -> str:
    """Short word for an HTTP status of the page of a video."""
    if status in (404, 410):
        return "gone"
    return "host refuses" if status in REFUSED else "host stalls" if status in (408, 504) else "host error"


class RemoteFile:
    """A file at an address, for readers that seek.

    Parameters
    ----------
    client : yt_dlp.YoutubeDL
        Makes the requests, with its cookies.
    url : str
    headers : mapping
        Those the host wants for this address.

    Raises
    ------
    Lost
        From `read`: the host refuses, stalls, or its answer is not the one that was asked for.
    """

    def __init__(self, client, url: str, headers: Mapping[str, str]):
        self.client, self.url, self.headers = client, url, dict(headers)
        self.size: int | None = None
        self._version: str | None = None
        self._position = self._fetched = 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._answer, self._next, self._end = None, 0, None  # an open answer, its next byte and the one behind its last
        self._began = time.monotonic()

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most so many; none at the end."""
        number, first = divmod(self._position, BLOCK)
        data = self._block(number)[first:]
        data = data[: size if size >= 0 else None]
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a byte."""
        if whence == os.SEEK_END and self.size is None:
            self._block(0)
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size or 0}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """Where we are."""
        return self._position

    def close(self) -> None:
        """Give the connection back; it may be read from again."""
        if self._answer is not None:
            self._answer.close()
        self._answer = None

    def _block(self, number: int) -> bytes:
        if self.size is not None and number * BLOCK >= self.size:
            return b""
        if number not in self._blocks:
            self._blocks[number] = self._fetch(number * BLOCK)
            while len(self._blocks) > KEPT:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(number)
        return self._blocks[number]

    def _fetch(self, first: int) -> bytes:
        """The block that begins at a byte."""
        from yt_dlp.networking.exceptions import RequestError

        data = b""
        while len(data) < BLOCK and (self.size is None or first + len(data) < self.size):
            try:
                if self._answer is None or self._next != first + len(data):
                    self._ask(first + len(data))
                piece = self._answer.read(BLOCK - len(data))
            except (RequestError, OSError) as error:
                self.close()
                raise _lost(error) from error
            if not piece:
                self._at_end()
            data, self._next = data + piece, self._next + len(piece)
            self._fetched += len(piece)
            if self._fetched > MAX_FETCHED or time.monotonic() - self._began > MAX_DURATION:
                raise Lost("host stalls", f"{self._fetched >> 20} MB in {time.monotonic() - self._began:.0f} s")
        return data

    def _at_end(self) -> None:
        """An answer has no more bytes: as announced, or cut."""
        end, self._answer = self._end, None
        if end is None:
            self.size = end = self._next  # the host said nothing; that was all
        if self._next < end:
            raise Lost("host error", f"the host announced {end} bytes and stopped after {self._next}")

    def _ask(self, first: int) -> None:
        """Begin a new answer at a byte."""
        from yt_dlp.networking import Request

        self.close()
        wanted = {"Range": f"bytes={first}-{first + CHUNK - 1}", "Accept-Encoding": "identity"}
        self._answer = answer = self.client.urlopen(Request(self.url, headers={**self.headers, **wanted}))
        if "html" in (answer.headers.get("Content-Type") or ""):
            raise Lost("host error", "the host sent a page in place of the video")
        if (answer.headers.get("Content-Encoding") or "identity") != "identity":
            raise Lost("host error", "the host sent an encoded answer that nobody asked for")
        version = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
        if self._version not in (None, version):
            raise Lost("host error", "the video changed while it was read")
        self._version = version
        length = answer.headers.get("Content-Length") or ""
        if answer.status == 206:
            span = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", answer.headers.get("Content-Range") or "")
            if not span or int(span[1]) != first:
                raise Lost("host error", f"another piece than the one from byte {first} on")
            self._next, self._end = first, int(span[2]) + 1
            total = int(span[3]) if span[3] != "*" else None
        else:  # the host knows no ranges: all of it, from its beginning
            self._next, total = 0, int(length) if length.isdigit() else None
            self._end = total
        if self.size not in (None, total):
            raise Lost("host error", f"the video has {total} bytes now and had {self.size}")
        self.size = total
        while self._next < first:
            piece = answer.read(min(BLOCK, first - self._next))
            if not piece:
                self._at_end()
                return
            self._next += len(piece)


def _lost(error: Exception) -> Lost:
    """What an error of a connection means."""
    status = getattr(error, "status", None)
    if isinstance(status, int):  # an address of a stream may run out: 404 is not the end of the video
        reason = reason_of_status(status)
        return Lost("host error" if reason == "gone" else reason, f"HTTP {status} for the stream")
    causes = [error, getattr(error, "cause", None), error.__cause__, error.__context__]
    stalled = any(isinstance(cause, TimeoutError) for cause in causes) or "timed out" in str(error).lower()
    return Lost("host stalls" if stalled else "host error", str(error))
