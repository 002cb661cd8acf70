import numpy as np
import pytest

from s2f_lib import faces as room
from s2f_lib import people
from s2f_lib.faces.detection import Box

pytest.importorskip("dlib", reason="dlib is not installed")


def test_a_face_is_found_where_it_is(faces):
    for picture, points in zip(*faces):
        box = room.detect(picture)[0]
        inside = (points > (box.left, box.top)) & (points < (box.right, box.bottom))
        assert inside[17:].all(axis=1).mean() > 0.85  # brows, eyes, nose and mouth


def test_landmarks_agree_with_the_true_ones(faces):
    for picture, points in zip(*faces):
        found = room.landmarks68(picture, room.detect(picture)[0])
        eyes = np.linalg.norm(points[36] - points[45])
        assert np.linalg.norm(found[17:] - points[17:], axis=1).mean() < 0.12 * eyes


def test_grey_has_no_face_and_says_so():
    choice = room.choose_face(np.full((120, 120, 3), 128, np.uint8))
    assert (choice.box, choice.status) == (None, "no_face")


def test_a_turned_picture_is_named(faces):
    choice = room.choose_face(np.rot90(faces[0][0], 2))
    assert choice.status == "rotated"
    assert "180" in choice.reason


def test_two_faces_need_a_place(faces):
    pair = np.concatenate([faces[0][0], faces[0][1]], axis=1)
    assert room.choose_face(pair, upsample=1).status == "several_faces"
    left = room.choose_face(pair, upsample=1, at=(0.25, 0.5))
    right = room.choose_face(pair, upsample=1, at=(0.75, 0.5))
    assert left.status == right.status == "ok"
    assert left.box.center[0] < 160 < right.box.center[0]
    assert room.choose_face(pair, upsample=1, at=(0.5, 0.0)).status in ("ok", "no_face")


def test_the_much_larger_face_is_taken(faces):
    canvas = np.full((320, 420, 3), 128, np.uint8)
    canvas[:, :320] = people.render_canonical(people.sample(1, seed=77)[0], size=320)
    canvas[100:200, 320:420] = people.render_canonical(people.sample(2, seed=77)[1], size=100)
    choice = room.choose_face(canvas, upsample=1)
    assert choice.status == "ok"
    assert choice.box.center[0] < 320


def test_a_tiny_face_is_refused_with_its_size(faces):
    choice = room.choose_face(faces[0][0], min_size=500)
    assert choice.status == "too_small"
    assert "500" in choice.reason


def test_crop_is_square_and_centred_on_the_face(faces):
    picture = faces[0][0]
    box = room.detect(picture)[0]
    cut = room.crop(picture, box, margin=0.0, size=64)
    assert cut.shape == (64, 64, 3)
    whole = room.crop(picture, Box(0, 0, 160, 160), margin=0.0, size=160)
    assert np.array_equal(whole, picture)
    beyond = room.crop(picture, Box(100, 100, 220, 220), margin=0.0, size=120)
    assert np.array_equal(beyond[:60, :60], picture[100:, 100:])
    assert (beyond[:60, 60:] == picture[100:, -1:]).all()  # filled with the edge


def test_what_is_no_picture_is_refused():
    with pytest.raises(ValueError, match=r"uint8 \(H, W, 3\), got float64 \(8, 8\)"):
        room.detect(np.zeros((8, 8)))
    with pytest.raises(ValueError, match="'hog' or 'cnn'"):
        room.detect(np.zeros((80, 80, 3), np.uint8), method="haar")


def test_a_photo_label_is_a_label(faces):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    sexes = people.sample(6, seed=77).sex
    labels = [room.label_photo(picture) for picture in faces[0]]
    assert all(label is not None and 0.5 <= label.confidence <= 1 and 0 < label.age < 81 for label in labels)
    assert np.mean([label.sex == sex for label, sex in zip(labels, sexes)]) >= 0.5
    assert room.label_photo(np.full((120, 120, 3), 128, np.uint8)) is None


@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (1, 1), (2, 2), (2, 300), (15, 15), (16, 16), (16, 4000)])
@pytest.mark.parametrize("turned", [False, True])
def test_a_picture_that_is_too_small_for_a_face_has_none(shape, turned):
    picture = np.full((*shape, 3), 128, np.uint8)
    picture = picture.swapaxes(0, 1) if turned else picture
    assert room.detect(picture) == []
    assert room.choose_face(picture).status == "no_face"
    assert room.label_photo(picture) is None


@pytest.mark.parametrize(
    "picture", [np.zeros((64, 64), np.uint8), np.zeros((64, 64, 3), np.uint16), np.zeros((0, 0, 4))]
)
def test_what_is_not_an_rgb_picture_of_bytes_is_refused(picture):
    with pytest.raises(ValueError, match=r"one RGB picture, uint8 \(H, W, 3\), got"):
        room.detect(picture)


def test_a_face_is_found_in_any_layout_of_the_memory(faces):
    picture = faces[0][0]
    for other in (np.asfortranarray(picture), picture[:, ::-1][:, ::-1], np.stack([picture, picture])[1]):
        assert room.detect(other) == room.detect(picture)
        assert np.array_equal(room.aligned(other, room.detect(picture)[0], 64, 0.2).shape, (64, 64, 3))
