import json

import numpy as np
import pytest
import torch

from s2f_lib import io
from s2f_lib.evaluate import own_corpus


class Source:
    """Forty clips of ten speakers; the first sample of a clip tells its feature."""

    def __init__(self, n=40):
        self.v_f = np.abs(np.random.default_rng(0).normal(size=(n, 8))).astype(np.float32) + 0.1

    def __len__(self):
        return len(self.v_f)

    @property
    def mean_feature(self):
        return self.v_f.mean(axis=0)

    def take(self, rows, seconds=None, shifts=None):
        waveform = np.zeros((len(rows), 96_000), np.int16)
        waveform[:, :8] = self.v_f[rows] * 1000
        return {"waveform": torch.from_numpy(waveform), "v_f": torch.from_numpy(self.v_f[rows]), "speaker": rows // 4}


class Corpus:
    def __init__(self, n=40):
        self.n = n

    def source(self, split):
        return Source(self.n)


def encoder(waveform):
    return waveform[:, :8] * 32.768


def test_a_perfect_encoder_finds_every_clip(monkeypatch):
    monkeypatch.setattr(own_corpus.corpus, "open", lambda path: Corpus())
    n, rows, notes = own_corpus.run("x", encoder)
    assert n == 40
    assert "10 speakers" in notes
    found = io.Record(rows)
    assert found.value("recall_at", k=1, seconds=6) == 1
    mean, other = (found.value("angle", predictor=name) for name in ("mean feature", "random pair"))
    assert found.value("angle", predictor="voice", seconds=6) < 0.2 < mean < other
    assert found.value("match", k=2, predictor="chance") == 0.5


def test_an_encoder_of_another_recogniser_is_refused(monkeypatch):
    monkeypatch.setattr(own_corpus.corpus, "open", lambda path: Corpus())
    monkeypatch.setattr(Source, "about", {"recogniser": {"name": "vgg-face", "checksum": "bbb"}}, raising=False)
    with pytest.raises(ValueError, match="with name synthetic-vgg, the corpus holds those of vgg-face"):
        own_corpus.run("x", encoder, {"name": "synthetic-vgg", "checksum": "aaa"})
    with pytest.raises(ValueError, match="with checksum aaa, the corpus holds those of bbb"):
        own_corpus.run("x", encoder, {"name": "vgg-face", "checksum": "aaa"})
    assert own_corpus.run("x", encoder, {"name": "vgg-face"})[0] == own_corpus.run("x", encoder)[0] == 40


def test_hub_and_run_say_what_an_encoder_was_made_for(tmp_path):
    assert own_corpus.made_for("voice-encoder-synthetic")["name"] == "synthetic-vgg"
    assert own_corpus.made_for(str(tmp_path / "voice_encoder.safetensors")) == {}
    told = {"name": "vgg-face", "checksum": "bbb"}
    (tmp_path / "data.json").write_text(json.dumps({"kind": "downloaded", "recogniser": told}))
    assert own_corpus.made_for(str(tmp_path / "voice_encoder.safetensors")) == told


def test_an_empty_test_part_says_what_to_do(monkeypatch):
    monkeypatch.setattr(own_corpus.corpus, "open", lambda path: Corpus(0))
    with pytest.raises(ValueError, match="extract_features"):
        own_corpus.run("x", encoder)
