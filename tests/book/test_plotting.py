"""The look of the book: faces say what they are, figures carry units and N, nothing global changes."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
import torch
from PIL import Image

from s2f_lib.book import plotting

FACES = (np.random.default_rng(0).random((3, 64, 64, 3)) * 255).astype(np.uint8)


def test_pictures_of_every_layout_come_out_alike():
    channels_first = np.moveaxis(FACES, -1, 1)
    for images in (
        FACES,
        FACES / 255.0,
        channels_first,
        torch.tensor(channels_first),
        torch.tensor(channels_first / 255),
    ):
        np.testing.assert_array_equal(plotting.as_images(images), FACES)


def test_a_picture_without_colours_is_refused():
    with pytest.raises(ValueError, match=r"\(4, 5\)"):
        plotting.as_images(np.zeros((4, 5)))


@pytest.mark.parametrize("size", [32, 64, 128, 224])
def test_the_mark_is_legible_and_covers_only_the_bottom(size):
    plain = np.full((size, size, 3), 200, dtype=np.uint8)
    marked = plotting.mark_face(plain)
    assert marked.shape[0] == marked.shape[1] >= plotting.MIN_MARKED_SIZE
    assert marked.shape[0] % size == 0
    changed = (marked != 200).any(axis=(1, 2))
    assert changed.any()
    assert not changed[: int(0.75 * len(changed))].any()
    band = marked[changed].astype(float)
    assert band.max() - band.min() > 120  # white letters on a dark band


def test_a_saved_face_is_marked_on_itself_and_in_its_file(tmp_path):
    path = plotting.save_face(tmp_path / "face.png", FACES[0], comment="from a test")
    with Image.open(path) as picture:
        assert plotting.FACE_MARK in picture.info["Description"]
        np.testing.assert_array_equal(np.asarray(picture), plotting.mark_face(FACES[0]))


def test_a_grid_marks_made_faces_and_says_how_people_were_picked():
    figure = plotting.face_grid({"reference": FACES, "from voice": FACES}, rule="First three test people")
    reference, made = figure.axes[0].images[0].get_array(), figure.axes[1].images[0].get_array()
    np.testing.assert_array_equal(reference, FACES[0])
    np.testing.assert_array_equal(made, plotting.mark_face(FACES[0]))
    assert figure.get_supxlabel() == f"First three test people. {plotting.FACE_NOTE}"


def test_a_grid_needs_as_many_people_in_each_column():
    with pytest.raises(ValueError, match="'from voice': 2"):
        plotting.face_grid({"reference": FACES, "from voice": FACES[:2]}, rule="all")


def test_bars_show_interval_chance_published_and_n():
    figure = plotting.bars(
        {"voice": 46, "demographics": 22},
        xlabel="Top 10 % (%)",
        intervals={"voice": (42, 50)},
        chance=10,
        published=45.8,
        n=1000,
    )
    axis = figure.axes[0]
    assert [patch.get_width() for patch in axis.patches] == [46, 22]
    assert list(axis.lines[0].get_xdata()) == [42, 50]
    assert "(N = 1,000)" in axis.get_title(loc="left") + axis.get_title()
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {"chance: 10", "published: 45.8"}


def test_only_the_style_function_changes_settings():
    before = dict(mpl.rcParams)
    plotting.bars({"a": 1.0}, xlabel="x")
    assert dict(mpl.rcParams) == before
    with mpl.rc_context():
        plotting.use_book_style()
        assert mpl.rcParams["axes.prop_cycle"].by_key()["color"] == plotting.CYCLE


def test_colours_that_meet_in_one_figure_differ():
    for names in (("voice", "face", "oracle", "demographics", "mean feature"), ("female", "male"), "ABCD"):
        assert len({plotting.COLORS[name] for name in names}) == len(names)
