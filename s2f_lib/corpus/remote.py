"""A video on a host, read in the pieces that are asked for, and with every answer held against what was asked.

FFmpeg could open the address itself, but it would lose yt-dlp's headers and cookies, join what does not belong
together, and call a refusal damage. Here each answer is checked (status, range, total, version, length), and what
went wrong has its true name.
"""

import functools
import os
import time
from collections.abc import Mapping

from s2f_lib.corpus.steps import Lost
from s2f_lib.io import DownloadError, Interrupted, read_head

BLOCK = 1 << 18  # bytes that are kept together
KEPT = 128  # blocks
PIECE = 1 << 10  # bytes of one read, which waits for all of them, however they drip
CHUNK = 8 << 20  # bytes of one request; some hosts slow down those who ask for more
MAX_FETCHED = 1 << 29  # bytes fetched for the clips of one video
MAX_DURATION = 900.0  # s for the clips of one video, however steadily the bytes drip
REFUSED = (401, 402, 403, 407, 423, 425, 426, 429, 451)


def reason_of_status(status: int) -> str:
    """Short word for an HTTP status of the page of a video."""
    if status in (404, 410):
        return "gone"
    return "host refuses" if status in REFUSED else "host stalls" if status in (408, 504) else "host error"


class RemoteFile:
    """A file at an address, for readers that seek; yt-dlp's client asks, with its cookies and the host's headers.

    `read` raises `Lost` where the host refuses, stalls, or its answer is not the one that was asked for.
    """

    def __init__(self, client, url: str, headers: Mapping[str, str]):
        self.client, self.url, self.headers = client, url, dict(headers)
        self.size: int | None = None
        self._version: str | None = None
        self._position = self._fetched = 0
        self._block = functools.lru_cache(KEPT)(self._fetch)
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

    def _fetch(self, number: int) -> bytes:
        """A block of the file; none behind its end."""
        from yt_dlp.networking.exceptions import RequestError

        data, first = bytearray(), number * BLOCK
        while len(data) < BLOCK and (self.size is None or first + len(data) < self.size):
            try:
                if self._answer is None or self._next != first + len(data):
                    self._ask(first + len(data))
                piece = self._answer.read(min(PIECE, BLOCK - len(data)))
            except (RequestError, OSError) as error:
                self.close()
                raise _lost(error) from error
            if not piece:
                self._at_end()
            data += piece
            self._next += len(piece)
            self._fetched += len(piece)
            if self._fetched > MAX_FETCHED or time.monotonic() - self._began > MAX_DURATION:
                raise Lost("host stalls", f"{self._fetched >> 20} MB in {time.monotonic() - self._began:.0f} s")
        return bytes(data)

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
        try:
            head = read_head(self.url, answer.status, answer.headers, first)
        except (DownloadError, Interrupted) as error:
            raise Lost("host error", str(error)) from error
        if self._version not in (None, head.version) or self.size not in (None, head.total):
            raise Lost("host error", f"the video changed while it was read; it has {head.total} bytes now")
        self._next, self._end, self.size, self._version = head.first, head.end, head.total, head.version
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
