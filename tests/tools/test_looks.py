"""What `synthetic-vgg` is asked to say about a person: checked against the truth, scikit-learn and by hand."""

import numpy as np
import pytest
import torch

from s2f_lib import people
from tools.looks import LookAxes, LookConfig, known_causes, looks_of, principal_components
from tools.pictures import PictureSet
from tools.train_recogniser import RecogniserConfig, weight_at

POPULATION = people.sample(112, seed=9)


@pytest.fixture(scope="module")
def canonical():
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (112, 1, 16, 16, 3), np.uint8)
    return PictureSet(pictures, rng.random((112, 1, 68, 2), np.float32))


def test_causes_are_the_truth_in_standard_deviations():
    table = known_causes(POPULATION)
    assert table.shape == (112, 18)
    assert np.allclose(table.mean(axis=0), 0, atol=1e-5)
    assert np.allclose(table.std(axis=0), 1, atol=1e-5)
    women = POPULATION.sex == "female"
    assert table[women, 0].min() > table[~women, 0].max()
    assert np.array_equal(np.argsort(table[:, 1]), np.argsort(POPULATION.age.astype(np.float32)))


def test_principal_components_are_those_of_scikit_learn():
    from sklearn.decomposition import PCA

    rows = np.random.default_rng(1).normal(size=(50, 6)) * [5, 4, 3, 2, 1, 0.5]
    scores, deviations = principal_components(rows, 3)
    theirs = PCA(3).fit(rows)
    assert np.allclose(deviations, np.sqrt(theirs.explained_variance_ * 49 / 50), rtol=1e-5)
    expected = theirs.transform(rows) / deviations
    assert np.allclose(np.abs(scores), np.abs(expected), atol=1e-4)  # the sign of a component is free


def test_axes_take_the_shares_that_are_asked_for(canonical):
    settings = LookConfig(shape_components=5, picture_components=7)
    looks = looks_of(POPULATION, canonical, settings)
    assert looks.values.shape == (112, 18 + 5 + 7)
    squared = looks.lengths.square()
    assert squared[18:23].sum().item() == pytest.approx(settings.shape_share, rel=1e-5)
    assert squared[23:].sum().item() == pytest.approx(settings.picture_share, rel=1e-5)
    assert looks.lengths[:3].tolist() == pytest.approx(
        [settings.sex_length, settings.age_length, settings.cause_length]
    )
    assert looks.weights.sum().item() == pytest.approx(3)
    assert (looks.weights[0] / looks.weights[1]).item() == pytest.approx(settings.sex_weight)


def test_a_number_is_read_from_the_direction_only():
    axes = LookAxes(3, torch.tensor([0.5, 0.1]))
    with torch.no_grad():
        axes.axes.copy_(torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 1.0]]))
        axes.bias.copy_(torch.tensor([0.0, -1.0]))
    read = axes(torch.tensor([[3.0, 4.0, 0.0]]))  # direction (0.6, 0.8, 0)
    assert read.flatten().tolist() == pytest.approx([0.6 / 0.5, 0.8 / 2**0.5 / 0.1 - 1])
    assert torch.allclose(axes(torch.tensor([[30.0, 40.0, 0.0]])), read)


def test_looks_count_more_in_the_last_fifth():
    settings = RecogniserConfig(max_steps=100, weight_looks=2.0, weight_looks_end=7.0)
    assert [weight_at(step, settings) for step in (0, 79, 80, 99)] == [2.0, 2.0, 7.0, 7.0]
