"""The command `s2f`: it says what it is, and a user's mistake is one line."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from s2f_lib import cli, hub
from s2f_lib.book import plotting


@pytest.fixture
def networks(monkeypatch):
    """Stand-ins for the shipped networks: the command is tested here, not what they draw."""

    class Decoded:
        image = torch.full((1, 3, 64, 64), 0.5)

    heard = {}

    class Encoder(torch.nn.Module):
        def forward(self, waveform):
            heard["shape"] = tuple(waveform.shape)
            return torch.zeros(1, 8)

    def decoder(v_s):
        return Decoded

    monkeypatch.setattr(hub, "load", lambda name, *_: Encoder() if name == "voice-encoder-synthetic" else decoder)
    return heard


@pytest.fixture
def recording(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    path = tmp_path / "voice.wav"
    soundfile.write(path, np.sin(np.arange(44_100) / 30), 44_100)
    return path


def test_a_voice_becomes_a_marked_face(networks, recording, tmp_path, capsys):
    out = tmp_path / "face.png"
    assert cli.main(["face", str(recording), "-o", str(out)]) == 0
    assert networks["shape"] == (1, 96_000)
    told = capsys.readouterr().out
    assert "statistical average, not the speaker" in told
    with Image.open(out) as picture:
        assert plotting.FACE_MARK in picture.info["Description"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["face", "nothing.wav"], "there is no sound file nothing.wav"),
        (["people", "0"], "s2f: "),
        (["people", "4", "--world", "moon"], "moon"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(arguments, message, capsys):
    assert cli.main(arguments) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_a_text_file_is_no_voice(networks, tmp_path, capsys):
    path = tmp_path / "voice.wav"
    path.write_text("not a sound")
    assert cli.main(["face", str(path), "-o", str(tmp_path / "face.png")]) == 2
    assert "voice.wav" in capsys.readouterr().err
    assert not (tmp_path / "face.png").exists()


def test_a_picture_that_is_no_png_is_refused_before_anything_is_heard(networks, recording, tmp_path, capsys):
    assert cli.main(["face", str(recording), "-o", str(tmp_path / "face.jpg")]) == 2
    assert "face.png" in capsys.readouterr().err
    assert "shape" not in networks


def test_people_are_listed_and_drawn(tmp_path, capsys):
    out = tmp_path / "a new folder" / "people.png"
    assert cli.main(["people", "3", "--size", "64", "-o", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "age" in lines[0]
    assert len(lines) == 5
    assert "identify nobody" in lines[-1]
    with Image.open(out) as picture:
        assert picture.width > 100


@pytest.mark.parametrize(
    "command",
    [["--help"], ["--version"], ["face", "--help"], ["train", "--help"], ["evaluate", "--help"], ["pages", "--help"]],
)
def test_help_is_there(command, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(command)
    assert stop.value.code == 0
    assert re.search(r"usage|s2f-lib \d", capsys.readouterr().out)


def test_help_starts_quickly_because_it_loads_no_network():
    code = (
        "import sys, s2f_lib.cli as c\ntry: c.main(['--help'])\nexcept SystemExit: pass\nprint('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
