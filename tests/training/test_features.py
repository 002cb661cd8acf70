"""Cached face features are never used for another recogniser; memory is counted; scores know chance."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from s2f_lib import voice_encoder
from s2f_lib.training import features, memory, validate


class Recogniser:
    """Stands for a face recogniser: v_f is the mean colour."""

    name, image_size = "stand-in", 4

    def __init__(self, checksum="a"):
        self.checksum = checksum

    def __call__(self, images):
        v_f = images.mean(dim=(2, 3))
        return SimpleNamespace(v_f=v_f, logits=2 * v_f)


@pytest.fixture
def pictures():
    return np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)


def test_features_follow_the_pictures_in_order(pictures):
    targets = features.compute(Recogniser(), [pictures[:2], pictures[2:]], batch_size=2)
    assert np.allclose(targets.v_f, pictures.mean(axis=(1, 2)) / 255, atol=1e-3)
    assert np.allclose(targets.logits, 2 * targets.v_f.astype(np.float32), atol=2e-3)


def test_the_second_call_reads_and_a_stale_cache_is_refused(pictures, tmp_path):
    path = tmp_path / "f.npz"
    first = features.cached(path, Recogniser(), "set 1", lambda: [pictures])

    def never():
        raise AssertionError("computed again")

    assert np.array_equal(features.cached(path, Recogniser(), "set 1", never).v_f, first.v_f)
    with pytest.raises(features.StaleFeatures, match=r"recogniser = 'a', but 'b'.*delete"):
        features.cached(path, Recogniser("b"), "set 1", never)
    with pytest.raises(features.StaleFeatures, match="pictures = 'set 1'"):
        features.cached(path, Recogniser(), "set 2", never)


def test_no_pictures_is_an_error():
    with pytest.raises(ValueError, match="no pictures"):
        features.compute(Recogniser(), [])


def test_memory_grows_with_the_batch_by_what_the_activations_take():
    one, two, three = (memory.step_bytes("paper", n) for n in (1, 2, 3))
    assert two - one == three - two > 0
    # the convolutions' outputs alone, before and behind ReLU and BN, give the order of magnitude
    outputs = sum(s.channels * s.time * s.frequency for s in voice_encoder.layer_walk(voice_encoder.preset("paper")))
    assert 4 * outputs < two - one < 4 * 4 * outputs
    assert one > 4 * 4 * 148_062_976


def test_the_largest_batch_fits_and_twice_as_many_do_not():
    free = 16e9
    batch = memory.largest_batch("paper", free)
    assert memory.step_bytes("paper", batch) <= 0.9 * free < memory.step_bytes("paper", 2 * batch)
    assert memory.largest_batch("paper", 1e9) == 0
    assert memory.largest_batch("paper", free, "bf16") >= batch


def test_quick_scores_on_a_hand_made_gallery():
    v_f = np.eye(20, dtype=np.float32)
    perfect = validate.quick_scores(v_f, v_f)
    assert perfect["angle_deg"] == pytest.approx(0, abs=0.1)
    assert perfect["top10_percent"] == 100
    constant = validate.quick_scores(np.ones((20, 20)), v_f)
    assert constant["top10_percent"] == pytest.approx(10)  # every face is equally near: chance
    assert validate.quick_scores(np.zeros((20, 20)), v_f) == constant  # nothing predicted says no more
    assert constant["angle_deg"] == pytest.approx(np.degrees(np.arccos(1 / np.sqrt(20))), abs=0.1)


def test_predictions_come_in_order_and_leave_the_mode_alone(clips):
    encoder = voice_encoder.VoiceEncoder(
        voice_encoder.preset("quick", channels=[4] * 9, hidden=8, feature_dim=6)
    ).train()
    v_s = validate.predict(encoder, clips, batch_size=5, seconds=3.0)
    assert encoder.training
    encoder.eval()
    with torch.no_grad():
        last = encoder(torch.from_numpy(clips.waveforms[15:16, :48_000]))
    assert np.allclose(v_s[15], last, atol=1e-4)
