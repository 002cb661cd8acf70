import numpy as np
import pytest

from s2f_lib.metrics import embedding

rng = np.random.default_rng(0)
LABELS = np.repeat([0, 1, 2], 60)
CLOUDS = 5 * np.eye(3)[LABELS] @ rng.normal(size=(3, 20)) + rng.normal(size=(180, 20))


def test_neighbours_are_those_of_sklearn():
    from sklearn.neighbors import NearestNeighbors

    found = embedding.neighbours(CLOUDS, 5)
    theirs = NearestNeighbors(n_neighbors=6, metric="cosine").fit(CLOUDS).kneighbors(CLOUDS)[1][:, 1:]
    assert all(set(a) == set(b) for a, b in zip(found, theirs, strict=True))


def test_purity_sees_clouds_and_not_noise():
    clouds = embedding.purity_test(CLOUDS, LABELS, times=100)
    assert clouds["value"] > 0.95
    assert clouds["p"] < 0.02
    assert clouds["chance"] == pytest.approx(59 / 179, abs=0.02)
    noise = embedding.purity_test(rng.normal(size=(180, 20)), LABELS, times=100)
    assert noise["low"] - 0.03 < noise["value"] < noise["high"] + 0.03


def test_purity_by_hand():
    rows = np.array([[1], [0], [1]])
    assert embedding.purity(rows, np.array(["a", "a", "b"])) == pytest.approx(2 / 3)


def test_the_map_keeps_clouds_apart():
    points = embedding.tsne(CLOUDS, perplexity=20)
    assert points.shape == (180, 2)
    centres = np.stack([points[k == LABELS].mean(axis=0) for k in range(3)])
    nearest = np.linalg.norm(points[:, None] - centres[None], axis=2).argmin(axis=1)
    assert (nearest == LABELS).mean() > 0.95


def test_too_few_clips_are_refused():
    with pytest.raises(ValueError, match="more than 90"):
        embedding.tsne(CLOUDS[:50])
    with pytest.raises(ValueError, match="k should lie"):
        embedding.neighbours(CLOUDS[:5], 5)
