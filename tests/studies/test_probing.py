"""What an encoder listens to, on encoders of which we know what they listen to."""

import numpy as np
import pytest
import torch

from s2f_lib import audio
from s2f_lib.studies import probing


def hears_only(low, high):
    """An encoder whose v_s turns with the energy between two bins, and with nothing else."""

    def encoder(sound):
        spectrogram = sound if sound.dim() == 4 else audio.compressed_spectrogram(sound, seconds=None)
        energy = spectrogram[:, :, :, low:high].abs().mean(dim=(1, 2, 3))
        return torch.stack([energy, torch.ones_like(energy)], dim=1)

    return encoder


@pytest.fixture
def noise():
    return (0.1 * np.random.default_rng(0).standard_normal(96_000)).astype(np.float32)


def test_occlusion_finds_the_band_that_matters(noise):
    found = probing.occlusion(hears_only(64, 96), noise, bands=8, slices=3)
    by_band = found.mean(axis=1)
    assert by_band.argmax() == 2
    assert by_band[2] > 100 * np.delete(by_band, 2).max()
    assert np.allclose(found[2], found[2].mean(), rtol=0.05)  # steady noise: every moment counts alike


def test_an_axis_reads_the_label_of_people_it_has_not_seen():
    rng = np.random.default_rng(1)
    label = rng.normal(50, 15, 300)
    v_f = rng.normal(0, 1, (300, 40))
    v_f[:, 3] += label / 5
    axis = probing.linear_probe(v_f[:200], label[:200], strength=0.1)
    read = axis.read(v_f[200:])
    assert np.corrcoef(read, label[200:])[0, 1] > 0.9
    assert read.mean() == pytest.approx(label[200:].mean(), abs=3)


def test_an_axis_reads_an_unsure_answer_as_the_mean_of_the_faces_it_may_be():
    rng = np.random.default_rng(2)
    male = np.arange(60) % 2
    v_f = rng.random((60, 20))
    v_f[:, 0] += 2 * male
    axis = probing.linear_probe(v_f, male)
    assert axis.read(v_f.mean(axis=0)) == pytest.approx(0.5)
    assert axis.read(v_f[:9].mean(axis=0)) == pytest.approx(axis.read(v_f[:9]).mean())
