import json

import numpy as np
import pytest
import torch

from s2f_lib import hub
from s2f_lib.faces import decode, texture_error, to_pictures
from s2f_lib.faces.decoder import DecoderShape, FaceDecoder, load_decoder, to_mean_shape
from s2f_lib.faces.recogniser import to_tensor
from s2f_lib.metrics import face_measures
from tools import train_decoder
from tools.publish import publish
from tools.train_decoder import (
    DecoderConfig,
    Examples,
    _ridge,
    decoder_loss,
    detail_error,
    start_from_decoder,
    start_from_statistics,
    train,
)


def test_first_layer_is_the_papers_f_dec():
    decoder = FaceDecoder()
    assert decoder.f_dec.weight.shape == (1000, 4096)
    assert decoder.shape.image_size == 112


def test_shapes_and_ranges(tiny_decoder):
    decoded = tiny_decoder(torch.randn(3, 32))
    assert decoded.image.shape == decoded.texture.shape == (3, 3, 32, 32)
    assert decoded.landmarks.shape == (3, 68, 2)
    assert 0 <= decoded.image.min() <= decoded.image.max() <= 1


def test_wrong_features_are_refused(tiny_decoder):
    with pytest.raises(ValueError, match=r"\(B, 32\), got \(3, 128\)"):
        tiny_decoder(torch.zeros(3, 128))


def test_frozen_decoder_passes_gradients_to_the_feature_only(tiny_decoder):
    tiny_decoder.freeze()
    before = {k: v.clone() for k, v in tiny_decoder.state_dict().items()}
    v_s = torch.randn(2, 32, requires_grad=True)
    optimiser = torch.optim.Adam([v_s, *tiny_decoder.parameters()], lr=0.1)
    for _ in range(3):
        optimiser.zero_grad()
        tiny_decoder(v_s).image.mean().backward()
        optimiser.step()
    assert v_s.grad.abs().sum() > 0
    assert all(torch.equal(before[k], v) for k, v in tiny_decoder.state_dict().items())


def test_rendering_in_the_mean_shape_changes_nothing(tiny_decoder):
    texture = torch.rand(2, 3, 32, 32)
    image = tiny_decoder.render(tiny_decoder.mean_landmarks.expand(2, -1, -1), texture)
    assert torch.allclose(image, texture, atol=1e-3)


def test_to_the_mean_shape_and_back_gives_the_picture_again(faces):
    pictures, points = to_tensor(faces[0]), torch.from_numpy(faces[1]) / 160
    decoder = FaceDecoder()
    decoder.mean_landmarks.copy_(points.mean(0))
    back = decoder.render(points, to_mean_shape(pictures, points, decoder.mean_landmarks))
    assert (back - pictures).abs().mean() < 0.015
    unwarped = (to_mean_shape(pictures, points, decoder.mean_landmarks) - pictures).abs().mean()
    assert unwarped > 2 * (back - pictures).abs().mean()


def make_examples(count=12, dim=32):
    """Features that carry, linearly, a shift of the landmarks and the brightness of the texture."""
    rng = np.random.default_rng(0)
    cause = rng.normal(size=(count, 2)).astype(np.float32)
    features = (cause @ rng.normal(size=(2, dim)))[:, None] + 0.02 * rng.normal(size=(count, 2, dim))
    base = 0.3 + 0.4 * torch.rand(68, 2, generator=torch.Generator().manual_seed(0))
    landmarks = base + 0.03 * torch.from_numpy(cause[:, :1])[:, None]
    textures = np.clip(128 + 40 * cause[:, 1, None, None, None] * np.ones((1, 112, 112, 3)), 0, 255).astype(np.uint8)
    return Examples(features.astype(np.float16), landmarks, textures, np.ones((count, 32), np.float16), base)


def test_whitening_gives_unit_variance_and_zero_mean():
    examples = make_examples(200)
    decoder = FaceDecoder()
    decoder.f_dec = torch.nn.Linear(32, 1000)
    object.__setattr__(decoder.shape, "feature_dim", 4096)
    start_from_statistics(decoder, examples)
    first = decoder.f_dec(torch.from_numpy(examples.features.astype(np.float32)).flatten(0, 1))
    assert first.mean(0).abs().max() < 0.05
    assert torch.allclose(first[:, :2].std(0), torch.ones(2), atol=0.05)


def test_training_learns_stops_and_continues(tmp_path, monkeypatch, tiny_recogniser):
    monkeypatch.setattr(hub, "load", lambda name, device="cpu": tiny_recogniser)
    monkeypatch.setattr(train_decoder, "start_from_regression", start_from_the_mean)  # which leaves all to be learnt
    examples = make_examples()
    settings = DecoderConfig(max_steps=12, batch_size=6, people=12, items=2, learning_rate=2e-3)
    whole, _ = train(settings, tmp_path / "whole", examples)
    first, _ = train(settings, tmp_path / "whole", examples)  # already done
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), first.state_dict().values()))
    fresh = FaceDecoder(whole.shape)
    start_from_statistics(fresh, examples)
    v_f = examples.features.astype(np.float32).mean(1)
    error = [(decode(d, v_f).landmarks - examples.landmarks).abs().mean() for d in (fresh, whole)]
    assert error[1] < 0.8 * error[0]


@torch.no_grad()
def start_from_the_mean(decoder, examples):
    decoder.mean_landmarks.copy_(examples.mean_landmarks)
    for layer in (decoder.landmark_line, decoder.texture_line, decoder.landmark_branch[-1], decoder.texture_branch[-1]):
        layer.weight.zero_()
        layer.bias.zero_()


def test_training_starts_from_what_a_regression_knows():
    """Twelve people whose features carry landmarks and brightness linearly: both are right before the first step."""
    examples = make_examples()
    decoder = FaceDecoder(DecoderShape(feature_dim=32))
    start_from_statistics(decoder, examples)
    decoded = decode(decoder, examples.features.astype(np.float32).mean(1))
    textures = to_tensor(np.asarray(examples.textures))
    assert (decoded.landmarks - examples.landmarks).abs().mean() < 0.1 * (examples.landmarks[:, 0].std())
    assert (decoded.texture - textures).abs().mean() < 0.2 * (decoder.mean_texture - textures).abs().mean()


def test_a_regression_recovers_a_straight_line():
    inputs = torch.randn(200, 5, generator=torch.Generator().manual_seed(0))
    rows, bias = torch.arange(10.0).view(2, 5), torch.tensor([1.0, -2.0])
    found = _ridge(inputs, inputs @ rows.T + bias, 1e-6)
    assert torch.allclose(found[0], rows, atol=1e-3)
    assert torch.allclose(found[1], bias, atol=1e-3)


def test_detail_counts_each_octave_once():
    """A checkerboard lies in the finest octave only, one of 2 x 2 squares in the next; an even shift in none."""
    fine = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).tile(8, 8)[None, None]
    for difference in (fine, fine.repeat_interleave(2, -1).repeat_interleave(2, -2)):
        assert detail_error(difference) == 1
        assert detail_error(0.5 * difference + 3) == 0.5
    assert detail_error(torch.full((1, 3, 16, 16), 0.7)) == 0


def test_a_decoder_improved_behind_f_dec_keeps_f_dec(tmp_path, monkeypatch, tiny_recogniser):
    known = FaceDecoder(DecoderShape(feature_dim=32))
    monkeypatch.setattr(hub, "load", lambda name, device="cpu": known if "decoder" in name else tiny_recogniser)
    settings = DecoderConfig(max_steps=3, batch_size=6, people=12, init_from="decoder-synthetic-vgg")
    better, _ = train(settings, tmp_path, make_examples())
    changed = {key for key, tensor in better.state_dict().items() if not torch.equal(tensor, known.state_dict()[key])}
    assert not {key for key in changed if key.startswith(("f_dec", "mean"))}
    assert {"landmark_branch.1.weight", "texture_start.weight", "landmark_line.weight", "components"} <= changed


def test_a_decoder_of_another_shape_lends_its_f_dec(tmp_path, monkeypatch, tiny_recogniser):
    known = FaceDecoder(DecoderShape(feature_dim=32, components=5))
    monkeypatch.setattr(hub, "load", lambda name, device="cpu": known if "decoder" in name else tiny_recogniser)
    settings = DecoderConfig(max_steps=1, batch_size=6, people=12, init_from="decoder-synthetic-vgg")
    better, _ = train(settings, tmp_path, make_examples())
    assert torch.equal(better.f_dec.weight, known.f_dec.weight)
    assert better.components.shape[0] == DecoderShape().components


def test_losses_vanish_for_a_perfect_decoder(tiny_decoder, tiny_recogniser):
    v_f = torch.randn(4, 32)
    landmarks, texture = tiny_decoder.landmarks_and_texture(v_f)
    truth = {"landmarks": landmarks, "texture": texture, "identity": tiny_recogniser(tiny_decoder(v_f).image).v_f}
    with torch.no_grad():
        terms = decoder_loss(tiny_decoder, v_f, truth, tiny_recogniser, DecoderConfig(identity_share=1.0))
    assert terms["texture"] == terms["detail"] == terms["landmarks"] == 0
    assert abs(float(terms["identity"])) < 1e-5
    assert abs(float(terms["loss"])) < 1e-5


def test_shipped_weights_come_back_in_single_precision(tmp_path, tiny_decoder):
    shape = vars(tiny_decoder.shape)
    about = {"kind": "face decoder", "licence": "l", "source": "s", "builder": "a:b"}
    path = publish("decoder-tiny", tiny_decoder.state_dict(), shape, folder=tmp_path, **about)
    entry = json.loads(path.with_suffix(".json").read_text())
    loaded = load_decoder(path)
    assert entry["sha256"]
    assert loaded.f_dec.weight.dtype == torch.float32
    v_f = torch.randn(2, 32)
    assert torch.allclose(loaded(v_f).image, tiny_decoder(v_f).image, atol=5e-3)


def test_the_mean_face_has_relative_error_one(tiny_decoder):
    pictures = (np.random.default_rng(0).random((5, 32, 32, 3)) * 255).astype(np.uint8)
    points = tiny_decoder.mean_landmarks.numpy()[None].repeat(5, 0)
    mean = tiny_decoder.mean_texture.expand(5, -1, -1, -1)
    assert texture_error(tiny_decoder, mean, pictures, points) == pytest.approx(1)


def test_correlations_of_equal_landmarks_are_one(faces):
    assert min(face_measures.craniofacial_correlations(faces[1], 3 * faces[1]).values()) > 0.9999


def test_pictures_survive_the_way_to_tensors_and_back(faces):
    assert np.array_equal(to_pictures(to_tensor(faces[0])), faces[0])


def test_a_decoder_can_start_from_the_branches_of_another():
    """Features of another network that say the same: after the start, both decoders give the same face."""
    rng = np.random.default_rng(0)
    cause = rng.normal(size=(300, 6)).astype(np.float32)
    first_kind, second_kind = (cause @ rng.normal(size=(6, dim)).astype(np.float32) for dim in (32, 20))
    torch.manual_seed(0)
    shape = {"first": 24, "hidden": 16, "map_size": 8, "channels": (8, 8)}
    known = FaceDecoder(DecoderShape(feature_dim=32, **shape))
    for layer in (known.landmark_branch[1], known.texture_start, known.landmark_line, known.texture_line):
        layer.weight.data[:, [3, 11]] = 0  # two outputs of f_dec that nothing listens to: the new one goes without
    new = FaceDecoder(DecoderShape(feature_dim=20, **shape | {"first": 22}))
    with torch.no_grad():
        target = known.f_dec(torch.from_numpy(first_kind)).numpy()
    features = second_kind[:, None].repeat(2, axis=1).astype(np.float16)
    start_from_decoder(new, known, Examples(features, None, None, None, None, target), ridge=1e-6)
    with torch.no_grad():
        a = known.landmarks_and_texture(torch.from_numpy(first_kind[:5]))
        b = new.landmarks_and_texture(torch.from_numpy(second_kind[:5]))
    assert torch.allclose(a[0], b[0], atol=1e-3)
    assert torch.allclose(a[1], b[1], atol=1e-3)
