"""Small people and features with a known relation, shared by the tests of the evaluation."""

import os
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from s2f_lib.config import SEEDS
from s2f_lib.evaluate import dataset, study
from s2f_lib.faces.decoder import Decoded
from s2f_lib.faces.recogniser import FaceFeatures
from s2f_lib.people import population


@pytest.fixture(scope="session")
def crowd():
    """600 people to learn from, 400 to test on (other seeds), as tables."""
    train, test = population.sample(600, seed=11), population.sample(400, seed=12)
    return train.table(), test.table()


@pytest.fixture(scope="session")
def features_of():
    """v_f as a fixed linear picture of who somebody is (face scores, sex, age, group), plus an offset."""

    def make(table, seed=0, noise=0.3):
        rng = np.random.default_rng(99)
        columns = ["jaw", "nose", "lip", "lower_face", "androgen", "head", "brow", "eye_size", "melanin"]
        x = table[columns].to_numpy(float)
        male = (table["sex"] == "male").to_numpy(float)[:, None]
        x = np.column_stack([x, 3 * male, (table["age"].to_numpy()[:, None] - 50) / 12])
        v_f = x @ rng.normal(size=(x.shape[1], 64)) + 6 * rng.normal(size=64)
        return (v_f + noise * np.random.default_rng(seed).normal(size=v_f.shape)).astype(np.float32)

    return make


class StandInRecogniser:
    """Small picture -> fixed random features, non-negative, as fc7 after its ReLU."""

    name, feature_dim, logits_dim, image_size, checksum = "stand-in", 96, 0, 64, "stand-in-recogniser"

    def __init__(self):
        self.weight = torch.randn(3 * 16 * 16, 96, generator=torch.Generator().manual_seed(0)) / 12

    def buffers(self):
        return iter([self.weight])

    def __call__(self, images):
        small = torch.nn.functional.adaptive_avg_pool2d(images, 16).flatten(1)
        return FaceFeatures(torch.relu(small @ self.weight + 0.3), None)


class StandInEncoder(torch.nn.Module):
    """Long-term spectrum -> features: hears pitch range and tract length, enough to be above chance once fitted."""

    def __init__(self, dim=96):
        super().__init__()
        self.head = torch.nn.Linear(64, dim)
        torch.nn.init.zeros_(self.head.weight)

    def spectrum(self, waveform):
        window = torch.hann_window(512)
        power = torch.stft(waveform.float(), 512, 256, window=window, return_complex=True).abs()
        return power.mean(dim=2)[:, 1:].clamp_min(1e-6).log().unflatten(1, (64, 4)).mean(dim=2)

    def forward(self, waveform):
        return self.head(self.spectrum(waveform))


class StandInDecoder(torch.nn.Module):
    """Features -> a flat coloured face of 64 pixels and 68 points that move with the features."""

    def forward(self, v_f):
        color = torch.sigmoid(v_f[:, :3] - 1)
        image = color[:, :, None, None].expand(-1, 3, 64, 64) * torch.linspace(0.5, 1, 64)
        base = torch.stack([torch.arange(68) % 9, torch.arange(68) // 9], dim=1) / 10 + 0.1
        points = base + 0.01 * torch.tanh(v_f[:, :1, None]) * torch.arange(68)[None, :, None] / 68
        return Decoded(image, points, image)


class StandInReader:
    """Labels by brightness; like `AttributeNet` in what it returns."""

    def label(self, images):
        light = images.mean(dim=(1, 2, 3)).numpy()
        male = (light < np.median(light)).astype(float)
        group = np.array(list("ABCD"))[np.digitize(light, np.quantile(light, [0.25, 0.5, 0.75]))]
        sex = np.where(male > 0.5, "male", "female")
        return SimpleNamespace(
            sex=sex, group=group, age=20 + 60 * light, sex_probability=np.stack([1 - male, male], axis=1)
        )


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """A cache folder of our own, so that no test reads what another run left."""
    folder = tmp_path_factory.mktemp("s2f_home")
    before = os.environ.get("S2F_HOME")
    os.environ["S2F_HOME"] = str(folder)
    yield folder
    os.environ.pop("S2F_HOME")
    if before is not None:
        os.environ["S2F_HOME"] = before


@pytest.fixture(scope="session")
def stand_ins(home):
    """Recogniser, encoder (a ridge regression on 56 training voices), decoder, reader."""
    recogniser, encoder = StandInRecogniser(), StandInEncoder().eval()
    train = population.sample(56, seed=SEEDS["voice"])
    v_f = torch.from_numpy(dataset.face_features(recogniser, train, workers=1)[:, 0])
    x = torch.from_numpy(dataset.voice_features(Spectrum(encoder), train, workers=1)[:, 0]).double()
    mean = x.mean(dim=0)
    z = x - mean
    weight = torch.linalg.solve(z.T @ z + 30 * torch.eye(64), z.T @ (v_f - v_f.mean(dim=0)).double())
    encoder.head.weight.data = weight.T.float()
    encoder.head.bias.data = (v_f.mean(dim=0).double() - mean @ weight).float()
    return recogniser, encoder.requires_grad_(False), StandInDecoder().eval(), StandInReader()


class Spectrum(torch.nn.Module):
    """The stand-in encoder's input, as an encoder."""

    checksum = "stand-in-spectrum"

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, waveform):
        return self.encoder.spectrum(waveform)


@pytest.fixture(scope="session")
def small_study(stand_ins):
    """56 test people through the stand-ins."""
    return study.evaluation(*stand_ins, 56, train_n=56, corrupted=8, workers=1)
