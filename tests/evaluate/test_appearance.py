import numpy as np
import pytest

from s2f_lib import people
from s2f_lib.evaluate import appearance


def test_pixels_are_means_of_what_they_cover():
    picture = np.zeros((1, 32, 32, 3), np.uint8)
    picture[0, :2, :2] = [[[255, 0, 0], [255, 0, 0]], [[0, 0, 0], [0, 0, 0]]]
    small = appearance.small(picture)
    assert small.shape == (1, 16, 16, 3)
    np.testing.assert_allclose(small[0, 0, 0], [0.5, 0, 0])


def test_wrong_pictures_are_named():
    with pytest.raises(ValueError, match="multiple of 16"):
        appearance.small(np.zeros((1, 30, 30, 3), np.uint8))
    with pytest.raises(ValueError, match="uint8"):
        appearance.small(np.zeros((1, 32, 32, 3)))


@pytest.fixture(scope="module")
def canonical():
    crowd = people.sample(56, seed=77)
    return crowd.table(), people.render_many(crowd, None, 64, "canonical", workers=1)[:, 0]


def test_cheeks_follow_melanin_and_hair_follows_hair(canonical):
    table, pictures = canonical
    light = appearance.skin_and_hair(pictures)
    assert np.corrcoef(light["skin"], table["melanin"])[0, 1] < -0.9
    young = table["age"] < 45  # older hair is grey whatever its first colour was
    assert np.corrcoef(light["hair"][young], table["hair_darkness"][young])[0, 1] < -0.2
