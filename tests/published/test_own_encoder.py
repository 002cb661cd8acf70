"""Our encoder on recordings: the hidden layer by hand, and folds that find a link only where there is one."""

import copy

import numpy as np
import pytest
import torch

from s2f_lib import hub, voice_encoder
from s2f_lib.neighbours.heads import hear
from s2f_lib.published import matching, own_encoder


def tones(pitch, samples=96_000):
    """Square waves with a little noise, (N, samples) int16."""
    noise = np.random.default_rng(0).normal(0, 30, (len(pitch), samples))
    return (3000 * np.sign(np.sin(np.asarray(pitch)[:, None] * np.arange(samples))) + noise).astype(np.int16)


@pytest.fixture
def encoder(monkeypatch):
    """A small encoder in place of the shipped one: it learned nothing but the statistics of tones."""
    torch.manual_seed(0)
    small = voice_encoder.VoiceEncoder(voice_encoder.preset("quick", input="magnitude", feature_dim=16))
    with torch.no_grad():
        for _ in range(25):
            small(torch.from_numpy(tones(np.linspace(0.02, 0.3, 8), 48_000)))
    monkeypatch.setattr(hub, "load", lambda name, device="cpu": copy.deepcopy(small).eval())
    return small.eval()


def test_the_hidden_layer_is_what_the_last_one_gets(encoder):
    sound = 0.1 * torch.randn(2, 48_000, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        feature, v_s = hear(encoder, sound.numpy())
        torch.testing.assert_close(encoder.fc2(torch.from_numpy(feature)), encoder(sound))
    np.testing.assert_allclose(v_s, encoder(sound).detach(), atol=1e-6)
    assert feature.min() >= 0
    assert not encoder.fc2._forward_pre_hooks


def test_fine_tuning_finds_a_planted_link_and_none_where_none_is(encoder):
    rng = np.random.default_rng(0)
    pitch = rng.uniform(0.02, 0.3, 60)
    sound = tones(pitch)
    face = np.stack([np.cos(10 * pitch), np.sin(10 * pitch), pitch], axis=1) + 0.05 * rng.standard_normal((60, 3))
    speakers = np.arange(60) // 2

    def matched(who):
        scores = own_encoder.fine_tuned(sound, face[who], speakers, epochs=2, folds=4)
        return matching.ranks(scores, speakers).match(2).mean()

    assert matched(np.arange(60)) > 0.66
    assert matched(rng.permutation(60)) < 0.6


def test_an_unreadable_recording_counts_as_silence(tmp_path):
    (tmp_path / "cut.wav").write_bytes(b"RIFF")
    assert np.array_equal(own_encoder._clip(tmp_path / "cut.wav"), np.zeros(96_000, np.float32))
