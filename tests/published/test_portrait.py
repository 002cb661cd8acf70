"""From a recording to a face, with a head fitted on made-up pairs and a decoder that draws its feature as a grey."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from s2f_lib import audio, hub, io
from s2f_lib.cli import main
from s2f_lib.published import contest, listener, measure, portrait, voices


@pytest.fixture
def head(tmp_path, monkeypatch):
    """A head trained by the command's own function on 60 made-up pairs, in an empty cache folder."""
    rng = np.random.default_rng(0)
    voice = rng.standard_normal((60, 256))
    face = 0.3 + 0.1 * voice[:, :128] + 0.02 * rng.standard_normal((60, 128))
    pairs = contest.Pairs(voice, face, face, np.arange(60), np.array(["female", "male"] * 30))
    monkeypatch.setenv("S2F_HOME", str(tmp_path))
    monkeypatch.setattr(measure, "pairs_of", lambda *_, **__: pairs)
    monkeypatch.setattr(contest, "ALPHAS", (100.0,))
    return portrait.train("nowhere", progress=False)


@pytest.fixture
def tools(monkeypatch):
    """A decoder that draws the mean of the feature, a voice feature of ones, and synthetic people around zero."""

    def decoder(features):
        grey = features.mean(dim=1)[:, None, None, None].expand(-1, 3, 8, 8)
        return SimpleNamespace(image=0.5 + grey)

    monkeypatch.setattr(hub, "load", lambda name, *_, **__: decoder)
    monkeypatch.setattr(hub, "available", lambda: [{"name": portrait.DECODER, "present": True}])
    monkeypatch.setattr(voices, "voice_feature", lambda waveform: np.full(256, float(waveform[0])))
    monkeypatch.setattr(portrait, "synthetic_reference", lambda: portrait.Reference(np.zeros(128), 0.5))


def test_training_writes_a_head_that_predicts(head):
    fitted, real = portrait.load()
    assert head == portrait.default_head()
    assert fitted.predict(np.zeros((1, 256)))[0].mean() == pytest.approx(0.3, abs=0.05)
    assert real.spread > 0


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04" + bytes(200), b"<html>", None])
def test_a_damaged_head_is_named_with_what_makes_it_again(head, damage):
    if damage is None:
        np.savez(head, alpha=1.0)
    else:
        head.write_bytes(damage)
    with pytest.raises(io.WeightFileError, match=rf"{head.name} holds no voice head .*s2f published train"):
        portrait.load()


def test_a_voice_like_nobody_in_particular_gives_the_mean_face(head, tools):
    faces = portrait.average_face(np.zeros(16_000, np.float32))
    assert faces.shape == (3, 8, 8, 3)
    assert faces.dtype == np.uint8
    assert np.abs(faces.astype(int) - 128).max() < 25  # near the synthetic mean, which this decoder draws as grey


def test_exaggeration_moves_away_from_the_mean(head, tools):
    plain, more, most = (face.mean() for face in portrait.average_face(np.ones(16_000, np.float32)))
    assert 128 < plain < more < most


def test_what_is_missing_is_said_in_order(head, monkeypatch, tmp_path):
    monkeypatch.setattr(hub, "available", lambda: [])
    assert "decoder-dlib" in portrait.missing()
    monkeypatch.setattr(hub, "available", lambda: [{"name": portrait.DECODER, "present": True}])
    assert portrait.missing() == ""
    assert "s2f published train" in portrait.missing(tmp_path / "none.npz")
    assert "Not ready here" in listener.listener(tmp_path / "none.npz").value


@pytest.mark.parametrize("named", [True, False])
def test_the_command_draws_by_a_head_that_is_there_or_named(head, tools, tmp_path, monkeypatch, capsys, named):
    from PIL import Image

    (tmp_path / "me.wav").touch()
    spoken = SimpleNamespace(waveform=0.5 * np.ones(32_000, np.float32), notes=())
    monkeypatch.setattr(audio, "load_speech", lambda path, start: spoken)
    monkeypatch.setattr(hub, "describe", lambda name: {"kind": "face decoder"})
    words = ["face", str(tmp_path / "me.wav"), "-o", str(tmp_path / "out.png")]
    if named:
        words += ["--head", str(head.rename(tmp_path / "mine.npz"))]
    assert main(words) == 0
    assert "the head trained here on real pairs" in capsys.readouterr().out
    with Image.open(tmp_path / "out.png") as picture:
        assert "not a person" in picture.text["Description"]
    assert main([*words[:4], "--head", str(tmp_path / "none.npz")]) == 2
    assert "s2f published train" in capsys.readouterr().err


def test_the_upload_shows_faces_or_one_sentence(head, tools, tmp_path, capsys):
    import soundfile
    from matplotlib import pyplot as plt

    soundfile.write(tmp_path / "me.wav", 0.5 * np.ones(32_000), 16_000)
    listener.draw((tmp_path / "me.wav").read_bytes(), ".wav")
    assert plt.get_fignums() == []
    listener.draw(b"no sound", ".wav")
    assert "cannot be used" in capsys.readouterr().out
    assert len(listener.listener().children) == 2


def test_features_are_torch_floats(head, tools, monkeypatch):
    seen = []
    monkeypatch.setattr(
        hub, "load", lambda name: lambda x: seen.append(x) or SimpleNamespace(image=torch.zeros(3, 3, 4, 4))
    )
    portrait.average_face(np.ones(16_000, np.float32))
    assert seen[0].dtype == torch.float32
    assert seen[0].shape == (3, 128)
