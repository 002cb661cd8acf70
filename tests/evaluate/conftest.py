"""Small people and features with a known relation, shared by the tests of the evaluation."""

import numpy as np
import pytest

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
