import numpy as np
import pytest
import torch
import torch.nn.functional as F

from s2f_lib import hub, io
from s2f_lib.faces.recogniser import extract, to_tensor
from s2f_lib.faces.vgg import VGGFace, VGGRecogniser, VGGShape, synthetic_vgg

SHAPE = VGGShape((4, 4, 8, 8, 8), 2, 64, 8, 32, 6)


def test_feature_is_nonnegative_after_relu_and_signed_before(tiny_recogniser):
    images = torch.rand(4, 3, 64, 64)
    before = synthetic_vgg(tiny_recogniser.network, after_relu=False)(images)
    after = tiny_recogniser(images)
    assert after.v_f.min() == 0 > before.v_f.min()
    assert torch.equal(before.v_f.relu(), after.v_f)
    assert torch.equal(before.logits, after.logits)


def test_fc8_of_the_feature_gives_the_logits(tiny_recogniser):
    features = tiny_recogniser(torch.rand(3, 3, 64, 64))
    assert torch.allclose(tiny_recogniser.fc8(features.v_f), features.logits)


def test_pixels_are_prepared_as_documented():
    how = {"name": "x", "mean": (10.0, 20.0, 30.0), "scale": 2.0}
    images = torch.full((1, 3, 64, 64), 0.5)
    rgb = VGGRecogniser(VGGFace(SHAPE), **how).prepare(images)
    assert rgb[0, :, 0, 0].tolist() == [(127.5 - m) / 2 for m in (10, 20, 30)]


def test_any_picture_size_is_taken(tiny_recogniser):
    large = torch.nn.functional.interpolate(torch.rand(1, 3, 4, 4), (200, 150), mode="bilinear")
    assert tiny_recogniser(large).v_f.shape == (1, 32)


def test_frozen_means_frozen(tiny_recogniser):
    before = {k: v.clone() for k, v in tiny_recogniser.state_dict().items()}
    tiny_recogniser.train()
    images = torch.rand(2, 3, 64, 64, requires_grad=True)
    optimiser = torch.optim.SGD([images, *tiny_recogniser.parameters()], lr=1.0)
    tiny_recogniser(images).v_f.sum().backward()
    optimiser.step()
    assert not tiny_recogniser.training
    assert images.grad.abs().sum() > 0
    assert all(torch.equal(before[k], v) for k, v in tiny_recogniser.state_dict().items())


def test_wrong_images_are_refused(tiny_recogniser):
    with pytest.raises(ValueError, match=r"to_tensor\(\) turns uint8"):
        tiny_recogniser(torch.zeros(2, 64, 64, 3, dtype=torch.uint8))
    with pytest.raises(ValueError, match="got float64"):
        to_tensor(np.zeros((4, 4, 3)))


def test_extract_gives_what_the_recogniser_gives_in_any_batch_size(tiny_recogniser, faces):
    pictures = faces[0].reshape(2, 3, *faces[0].shape[1:])
    v_f, logits = extract(tiny_recogniser, pictures, batch_size=4)
    direct = tiny_recogniser(to_tensor(faces[0]))
    assert v_f.shape == (2, 3, 32)
    assert np.allclose(v_f.reshape(6, -1), direct.v_f, atol=1e-5)
    assert np.allclose(logits.reshape(6, -1), direct.logits, atol=1e-5)


def test_dlib_names_the_same_person_twice_and_tells_others_apart(faces):
    pytest.importorskip("dlib", reason="dlib is not installed")
    dlib = hub.load("dlib")
    first = dlib(to_tensor(faces[0]))
    again = dlib(to_tensor(np.clip(faces[0] * 0.9, 0, 255).astype(np.uint8)))  # a little darker
    assert first.v_f.shape == (6, 128)
    assert first.logits is None
    assert 1.2 < float(first.v_f.norm(dim=1).mean()) < 1.6
    distance = torch.cdist(first.v_f, again.v_f)
    assert (distance.argmin(dim=1) == torch.arange(6)).all()


def test_dlib_without_a_face_takes_the_middle():
    pytest.importorskip("dlib", reason="dlib is not installed")
    blank = torch.full((1, 3, 100, 100), 0.5)
    assert hub.load("dlib")(blank).v_f.shape == (1, 128)


def test_the_shipped_recogniser_is_thirteen_convolutions_and_three_layers(faces):
    """v_f and logits, worked out from the tensors of the file alone."""
    state, shape = io.read_tensors(hub.find("synthetic-vgg"))
    pictures = faces[0][:2, ::2, ::2]  # 80 pixels, the network's own size
    maps = (torch.from_numpy(pictures.copy()).permute(0, 3, 1, 2) - 127.5) / 64
    numbers = iter(sorted({int(name.split(".")[1]) for name in state if name.startswith("features.")}))
    for count in (2, 2, 3, 3, 3):
        for _ in range(count):
            k = next(numbers)
            stride = shape["first_stride"] if k == 0 else 1
            maps = F.relu(F.conv2d(maps, state[f"features.{k}.weight"], state[f"features.{k}.bias"], stride, padding=1))
        maps = F.max_pool2d(maps, 2)
    fc6 = F.relu(F.linear(maps.flatten(1), state["fc6.weight"], state["fc6.bias"]))
    v_f = F.relu(F.linear(fc6, state["fc7.weight"], state["fc7.bias"]))
    found = extract(hub.load("synthetic-vgg"), pictures)
    np.testing.assert_allclose(found[0], v_f.numpy(), atol=1e-5)
    np.testing.assert_allclose(found[1], F.linear(v_f, state["fc8.weight"], state["fc8.bias"]).numpy(), atol=1e-4)
