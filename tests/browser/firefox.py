"""Debian's Firefox, headless, driven by its own remote control (Marionette): the little that the tests need."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

FIREFOX = os.environ.get("FIREFOX") or next(filter(None, map(shutil.which, ("firefox-esr", "firefox"))), None)
PREFERENCES = {
    "media.navigator.permission.disabled": True,  # a microphone is given without asking
    "media.navigator.streams.fake": True,  # and is Firefox's own made-up one: a tone
    "media.autoplay.default": 0,
    "media.cubeb.force_mock_context": True,  # a made-up sound card: without one no sound is worked on
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
    "browser.safebrowsing.downloads.remote.enabled": False,
}


class Firefox:
    """One running Firefox; a context manager.

    Parameters
    ----------
    folder : Path
        An empty folder for its profile.
    """

    def __init__(self, folder: Path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        chosen = PREFERENCES | {"marionette.port": self.port}
        (folder / "user.js").write_text(
            "".join(f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in chosen.items())
        )
        command = [FIREFOX, "--headless", "--marionette", "--no-remote", "--profile", str(folder)]
        environment = os.environ | {"HOME": str(folder), "MOZ_REMOTE_ALLOW_SYSTEM_ACCESS": "1"}
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.socket, self.number = self._connect(), 0
        self._receive()  # its greeting
        self("WebDriver:NewSession")
        self("WebDriver:SetTimeouts", script=120_000, pageLoad=120_000)

    def _connect(self, seconds: float = 90) -> socket.socket:
        for _ in range(round(seconds / 0.5)):
            if self.process.poll() is not None:
                raise RuntimeError(f"Firefox ended with status {self.process.returncode}")
            try:
                return socket.create_connection(("127.0.0.1", self.port), timeout=180)
            except OSError:
                time.sleep(0.5)
        self.process.kill()
        raise RuntimeError(f"Firefox did not open its remote control within {seconds:.0f} s")

    def _receive(self) -> Any:
        length = b""
        while (byte := self.socket.recv(1)) != b":":
            if not byte:
                raise RuntimeError("Firefox closed its remote control")
            length += byte
        data = b""
        while len(data) < int(length):
            data += self.socket.recv(int(length) - len(data))
        return json.loads(data)

    def __call__(self, command: str, **parameters: Any) -> Any:
        """Send one command of WebDriver and return its value."""
        self.number += 1
        message = json.dumps([0, self.number, command, parameters]).encode()
        self.socket.sendall(str(len(message)).encode() + b":" + message)
        _, _, error, result = self._receive()
        if error:
            raise RuntimeError(f"{command}: {error['error']}: {error['message']}")
        return result.get("value", result) if isinstance(result, dict) else result

    def open(self, path: Path) -> None:
        """Open a page from its file."""
        self("WebDriver:Navigate", url=path.resolve().as_uri())

    def run(self, body: str) -> Any:
        """Run the body of an async function among the page's own scripts, and return what it gives."""
        text = f"(async () => {{ {body} }})().then((value) => ({{ value }}), (error) => ({{ error: String(error) }}))"
        text += ".then((answer) => { document.documentElement.dataset.answer = JSON.stringify(answer); });"
        waiting = """
          const [text, done] = arguments, root = document.documentElement, script = document.createElement("script");
          delete root.dataset.answer;
          script.textContent = text;
          root.append(script);
          const look = () => (root.dataset.answer ? done(root.dataset.answer) : setTimeout(look, 100));
          look();"""
        answer = json.loads(self("WebDriver:ExecuteAsyncScript", script=waiting, args=[text]))
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer.get("value")

    def screenshot(self, path: Path) -> None:
        """The whole page as a picture."""
        path.write_bytes(base64.b64decode(self("WebDriver:TakeScreenshot", full=True, hash=False)))

    def __enter__(self) -> Firefox:
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
