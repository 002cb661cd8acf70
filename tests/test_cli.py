"""The command `s2f`: it says what it is, and a user's mistake is one line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from s2f_lib import cli, hub, people
from s2f_lib.book import plotting
from s2f_lib.published import portrait


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

    monkeypatch.setattr(hub, "load", lambda name, *_: decoder if name.startswith("decoder") else Encoder())
    monkeypatch.setattr(portrait, "missing", lambda: "no head here")
    return heard


@pytest.fixture
def recording(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    path = tmp_path / "voice.wav"
    soundfile.write(path, np.sin(np.arange(44_100) ** 1.1 / 90) * np.hanning(44_100), 44_100)
    return path


def test_a_voice_becomes_a_marked_face(networks, recording, tmp_path, capsys):
    out = tmp_path / "face.png"
    assert cli.main(["face", str(recording), "-o", str(out)]) == 0
    assert networks["shape"] == (1, 96_000)
    told = capsys.readouterr().out
    assert "statistical average, not the speaker" in told
    assert "real recordings" in told  # how reliable it is, from the record
    with Image.open(out) as picture:
        assert plotting.FACE_MARK in picture.info["Description"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["face", "nothing.wav"], "there is no sound file nothing.wav"),
        (["people", "0"], "s2f people: "),
        (["people", "4", "--world", "moon"], "moon"),
        (["people", "1000000000"], "10000"),
        (["people", "3", "-o", "people.xyz"], "people.xyz is no picture that can be written"),
        (["people", "3", "-o", "people"], "its ending is one of"),
        (["face", __file__, "--encoder", "decoder-dlib"], "decoder-dlib is a face decoder, wanted is a voice encoder"),
        (["face", __file__, "--decoder", "dlib"], "dlib is a face recogniser, wanted is a face decoder"),
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


def test_a_full_disk_leaves_no_half_sheet(tmp_path, monkeypatch, capsys):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
    assert cli.main(["people", "1", "--size", "64", "-o", str(tmp_path / "people.png")]) == 2
    assert "the disk is full; free some space" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
@pytest.mark.parametrize("words", [["--help"], ["weights", "list"]])
def test_a_full_disk_behind_the_output_is_no_bug(words):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-u", "-m", "s2f_lib", *words], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_name_that_the_terminal_cannot_show_ends_no_command(tmp_path):
    words = ["people", "1", "--size", "64", "-o", "é日.png"]
    ascii_only = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(Path(cli.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-m", "s2f_lib", *words], cwd=tmp_path, env=ascii_only, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "é日.png").exists()


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_says_how_it_is_typed(name, capsys):
    assert cli.main([*name.split(), "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: s2f {name} ")


def test_help_lists_every_command_under_what_one_wants_to_do(capsys):
    assert cli.main(["--help"]) == 0
    told = capsys.readouterr().out
    assert all(f"  s2f {name} " in told for name in cli.COMMANDS)
    assert all(f"\n{task}\n" in told for task in cli.TASKS)
    assert cli.main(["pages", "--help"]) == 0
    told = capsys.readouterr().out
    assert "s2f pages run" in told
    assert "s2f train" not in told
    assert cli.main(["--version"]) == 0
    assert re.fullmatch(r"s2f-lib \d+\.\d+\.\d+\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("words", "hint"), [(["fase", "x.wav"], "s2f face"), (["pages", "rnu"], "s2f pages run"), (["--verbose"], "--help")]
)
def test_an_unknown_command_is_told_the_nearest(words, hint, capsys):
    assert cli.main(words) == 2
    told = capsys.readouterr().err
    assert hint in told
    assert told.count("\n") == 1


def test_help_starts_quickly_because_it_loads_no_network():
    code = "import sys, s2f_lib.cli as c; c.main(['--help']); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def raising(error):
    def run():
        raise error

    return run


def test_what_a_user_can_mend_is_one_line_and_a_bug_is_a_traceback(capsys, tmp_path):
    for mendable, needle in [
        (lambda: people.sample(-1), "n is -1"),
        (lambda: hub.load("moon"), "no weights named 'moon'"),
        (lambda: (tmp_path / "none").read_text(), "none"),
        (lambda: b"\xff".decode(), "utf-8"),
        (lambda: json.loads("{"), "Expecting"),
        (lambda: __import__("no_such_package"), "no_such_package"),
        (raising(MemoryError()), "MemoryError"),
        (raising(SystemExit("two\nlines")), "two"),
    ]:
        assert cli.guarded(mendable, "s2f test") == 2
        told = capsys.readouterr().err
        assert told.startswith("s2f test: ")
        assert needle in told
        assert told.count("\n") == 1
    for bug, kind in [
        (lambda: {}["key"], KeyError),
        (lambda: np.zeros(3) + np.zeros(4), ValueError),
        (lambda: int("x"), ValueError),
        (lambda: None.shape, AttributeError),
    ]:
        with pytest.raises(kind):
            cli.guarded(bug, "s2f test")


def test_an_error_that_a_worker_process_raised_on_purpose_is_one_line_too(capsys):
    with ProcessPoolExecutor(1) as pool:
        assert cli.guarded(lambda: pool.submit(people.sample, -1).result(), "s2f test") == 2
    assert "n is -1" in capsys.readouterr().err


def test_ctrl_c_is_one_line_that_says_what_is_kept(capsys):
    assert cli.guarded(raising(KeyboardInterrupt()), "s2f test") == 130
    assert cli.guarded(raising(SystemExit(3)), "s2f test") == 3
    told = capsys.readouterr().err
    assert "kept" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("people", ["3", "300"])  # what fits into a buffer, and what does not
def test_a_reader_that_has_read_enough_is_no_error(people):
    read, write = os.pipe()
    os.close(read)
    try:
        command = [sys.executable, "-m", "s2f_lib", "people", people]
        buffered = os.environ | {"PYTHONUNBUFFERED": ""}
        done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, env=buffered)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (141, "")
