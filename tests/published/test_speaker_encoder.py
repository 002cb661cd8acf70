"""The variant that reads a speaker recogniser's feature: what is no voice and how loud it is must not matter."""

import numpy as np
import pytest
import torch

from s2f_lib import audio, people
from s2f_lib.people import speech
from s2f_lib.published.speaker_encoder import SpeakerEncoder
from s2f_lib.published.voices import voice_feature


@pytest.fixture(scope="module")
def voice():
    return speech.speak(people.sample(1, seed=11)[0])


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    made = SpeakerEncoder(5).eval().requires_grad_(False)
    made.mean_face += torch.arange(5.0)
    return made


def answer(encoder, sound):
    return encoder(torch.from_numpy(np.asarray(sound, np.float32))[None])[0].numpy()


def test_it_is_the_linear_map_of_the_feature_of_the_voice_at_its_usual_level(encoder, voice):
    leveled, _ = audio.leveled(voice)
    by_hand = encoder.linear.weight.numpy() @ voice_feature(leveled) + encoder.linear.bias.numpy()
    np.testing.assert_allclose(answer(encoder, voice), by_hand, rtol=1e-5)


@pytest.mark.parametrize("level_db", [-60, -40, -20, 6])
def test_a_softer_copy_has_the_same_answer(encoder, voice, level_db):
    loud, soft = answer(encoder, voice), answer(encoder, voice * 10 ** (level_db / 20))
    cosine = loud @ soft / np.linalg.norm(loud) / np.linalg.norm(soft)
    assert np.degrees(np.arccos(min(cosine, 1.0))) < 0.5


@pytest.mark.parametrize("amplitude", [0.0, 1e-6, 0.01, 0.3])
def test_silence_and_white_noise_are_answered_by_the_mean_face(encoder, amplitude):
    noise = amplitude * np.random.default_rng(0).standard_normal(audio.SAMPLE_RATE * 6)
    np.testing.assert_array_equal(answer(encoder, noise), np.arange(5.0))
