"""Clips as any recording of them: channels on magnitudes, noise without speech, and an answer that loudness leaves."""

import numpy as np
import pytest
import torch

from s2f_lib import voice_encoder
from s2f_lib.audio import degrade
from s2f_lib.losses import LossConfig
from s2f_lib.training import ArraySource, TrainConfig
from s2f_lib.training.voice import VoiceTrainer

SMALL = {
    "channels": [4] * 9,
    "hidden": 8,
    "feature_dim": 6,
    "input": "magnitude",
    "normalise_level": True,
    "init": "he",
}


def encoder(**changes) -> voice_encoder.VoiceEncoder:
    torch.manual_seed(0)
    return voice_encoder.VoiceEncoder(voice_encoder.preset("quick", **(SMALL | changes))).eval()


def speechlike(clips: int = 3, seconds: float = 3.0) -> np.ndarray:
    """Harmonic tones that come and go, (clips, samples) float32."""
    time = np.arange(round(16_000 * seconds)) / 16_000
    rng = np.random.default_rng(0)
    pitch = rng.uniform(90, 240, (clips, 1))
    tones = sum(np.sin(2 * np.pi * k * pitch * time) / k for k in range(1, 20))
    return (0.05 * tones * (1 + np.sin(2 * np.pi * 3 * time))).astype(np.float32)


@pytest.mark.parametrize("kind", ["magnitude", "complex"])
@pytest.mark.parametrize("decibels", [-60, -20, 6])
def test_loudness_leaves_the_answer_as_it_is(kind, decibels):
    network, sound = encoder(input=kind), torch.from_numpy(speechlike())
    with torch.no_grad():
        usual, other = network(sound), network(sound * 10 ** (decibels / 20))
    torch.testing.assert_close(other, usual, rtol=1e-3, atol=2e-3)  # the compression is linear near silence
    assert not torch.allclose(network(sound.roll(1, 0)), usual, rtol=1e-3, atol=2e-3)  # it does listen


def test_magnitudes_are_heard_as_the_sound_they_are_of():
    network, sound = encoder(), torch.from_numpy(speechlike())
    magnitudes = voice_encoder.magnitude_of_sound(sound)[:, 0]
    with torch.no_grad():
        torch.testing.assert_close(network(magnitudes), network(sound))


def test_silence_is_answered_and_finite():
    with torch.no_grad():
        assert torch.isfinite(encoder()(torch.zeros(1, 48_000))).all()


def test_a_channel_is_drawn_for_each_clip_and_repeats_with_its_seed():
    magnitude = voice_encoder.magnitude_of_sound(torch.from_numpy(speechlike(16)))[:, 0]
    heard = [degrade.random_channel(magnitude, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(heard[0], heard[1])
    assert not torch.equal(heard[0], heard[2])
    assert heard[0].shape == magnitude.shape
    assert torch.isfinite(heard[0]).all()
    assert (heard[0] >= 0).all()


def test_speech_stays_in_most_channels():
    magnitude = voice_encoder.magnitude_of_sound(torch.from_numpy(speechlike(64)))[:, 0]
    heard = degrade.random_channel(magnitude, torch.Generator().manual_seed(0))
    loudness = magnitude.square().sum(dim=2), heard.square().sum(dim=2)
    rise_and_fall = [np.corrcoef(a, b)[0, 1] for a, b in zip(*(part.numpy() for part in loudness))]
    assert np.median(rise_and_fall) > 0.8
    assert min(rise_and_fall) < 0.95  # and some lose part of it


def test_white_noise_alone_is_as_flat_as_white_noise():
    noise = degrade.noise_alone(400, 60, 257, torch.Generator().manual_seed(0))
    assert noise.shape == (400, 60, 257)
    slope = noise.log().mean(dim=1) @ torch.linspace(-1, 1, 257)
    assert slope.min() < -5
    assert slope.max() > 2
    real = voice_encoder.magnitude_of_sound(torch.randn(8, 48_000))
    spread = [float((x / x.mean(dim=-2, keepdim=True)).std()) for x in (real, noise)]
    assert spread[1] == pytest.approx(spread[0], rel=0.05)


def test_clips_without_speech_are_to_be_answered_by_the_mean_face():
    rng = np.random.default_rng(0)
    v_f = rng.random((400, 6)).astype(np.float16)
    magnitudes = rng.random((400, 120, 257)).astype(np.float16)
    config = TrainConfig(
        encoder_changes=SMALL, loss=LossConfig(**LossConfig.PRESETS["l2"]), augment=("no_speech",), seconds=1.2
    )
    trainer = VoiceTrainer(config, ArraySource(magnitudes, v_f))
    batch = trainer.source.take(np.arange(400))
    batch["v_f"] = batch["v_f"].float()
    sound = trainer._sound(batch)
    changed = (sound != batch["waveform"].float()).flatten(1).any(dim=1)
    assert 4 <= changed.sum() <= 30
    torch.testing.assert_close(batch["v_f"][changed], trainer.mean_feature.expand(int(changed.sum()), -1))
    torch.testing.assert_close(batch["v_f"][~changed], torch.from_numpy(v_f)[~changed].float())


def test_a_window_of_magnitudes_is_one_of_the_sound():
    sound = (speechlike(2, 6.0) * 32_767).astype(np.int16)
    magnitudes = voice_encoder.magnitude_of_sound(torch.from_numpy(sound))[:, 0].numpy()
    source = ArraySource(magnitudes, np.zeros((2, 3), np.float32))
    shifts = np.array([25, 100])  # frames
    cut = source.take(np.array([0, 1]), 3.0, shifts)["waveform"]
    for row, shift in enumerate(shifts):
        part = torch.from_numpy(sound[row : row + 1, 160 * shift : 160 * shift + 48_000])
        torch.testing.assert_close(cut[row], voice_encoder.magnitude_of_sound(part)[0, 0])


def test_channels_need_magnitudes():
    with pytest.raises(ValueError, match="magnitude"):
        TrainConfig(augment=("channel",))
