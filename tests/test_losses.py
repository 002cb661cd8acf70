"""Every term on numbers worked out by hand, and what the paper's sum promises."""

import math

import pytest
import torch
from torch import nn

from s2f_lib import config, losses
from s2f_lib.losses import LossConfig, VoiceLoss

V_S = torch.tensor([[3.0, 0.0, 4.0], [1.0, -2.0, 2.0]])
V_F = torch.tensor([[0.0, 0.0, 5.0], [1.0, 2.0, 2.0]])


def linear(weight: list[list[float]], bias: list[float]) -> nn.Linear:
    layer = nn.Linear(len(weight[0]), len(weight))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight))
        layer.bias.copy_(torch.tensor(bias))
    return layer


@pytest.fixture
def f_dec() -> nn.Linear:
    return linear([[1.0, 1.0, 0.0], [0.0, 0.0, -2.0]], [5.0, 1.0])


@pytest.fixture
def f_vgg() -> nn.Linear:
    return linear([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [0.0, 0.0])


@pytest.fixture
def batch(f_vgg) -> dict:
    return {"v_f": V_F, "logits": f_vgg(V_F).detach()}


def test_l1_and_l2_by_hand():
    assert losses.l1_distance(V_S, V_F).tolist() == [4.0, 4.0]  # 3 + 0 + 1, 0 + 4 + 0
    assert losses.l2_distance(V_S, V_F).tolist() == [10.0, 16.0]  # 9 + 1, 16


def test_normalised_distance_by_hand():
    # cosines: (4*5)/(5*5) = 0.8 and (1 - 4 + 4)/(3*3) = 1/9; the distance is 2 - 2 cos
    expected = torch.tensor([2 - 2 * 0.8, 2 - 2 / 9])
    assert torch.allclose(losses.normalized_distance(V_S, V_F), expected)
    assert torch.allclose(losses.normalized_distance(7 * V_S, V_F), expected)


def test_decoder_distance_by_hand(f_dec):
    # first row: f_dec(v_s) - f_dec(v_f) = (3 + 0, -2 * (4 - 5)) = (3, 2); second: (-4, 0)
    assert losses.decoder_distance(f_dec, V_S, V_F).tolist() == [5.0, 4.0]


def test_distillation_by_hand():
    # target logits (0, 2 ln 3) at T = 2: p = (1/4, 3/4); prediction (0, 0): log p = -ln 2 whatever the target
    target, flat = torch.tensor([[0.0, 2 * math.log(3)]]), torch.zeros(1, 2)
    assert losses.distillation(flat, target).item() == pytest.approx(math.log(2))
    floor = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    assert losses.distillation(target, target).item() == pytest.approx(floor)


def test_the_floor_is_where_the_distillation_is_smallest():
    target = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    logits = target.clone().requires_grad_(True)
    losses.distillation(logits, target).sum().backward()
    assert logits.grad.abs().max() < 1e-6
    assert (losses.distillation(target + torch.randn(5, 7), target) > losses.distillation(target, target)).all()


def test_contrastive_term_by_hand():
    # orthogonal unit faces, each voice on its own face, T = 1: every cross-entropy is ln(e + 1) - 1
    eye = torch.eye(2)
    assert losses.info_nce(eye, eye, temperature=1.0).tolist() == pytest.approx([math.log(math.e + 1) - 1] * 2)
    knows_nothing = torch.ones(8, 3)
    assert losses.info_nce(knows_nothing, torch.rand(8, 3), 1.0).mean().item() == pytest.approx(math.log(8), rel=0.05)


def test_contrastive_term_leaves_out_the_same_speaker():
    v_s, v_f = torch.randn(3, 4), torch.randn(3, 4)
    v_s[1], v_f[1] = v_s[0], v_f[0]
    together = losses.info_nce(v_s, v_f, speaker=torch.tensor([5, 5, 9]))
    assert torch.isfinite(together).all()
    apart = losses.info_nce(v_s[[0, 2]], v_f[[0, 2]])
    assert together[0].item() == pytest.approx(apart[0].item(), abs=1e-5)


@pytest.mark.parametrize("term", ["l1_distance", "l2_distance", "normalized_distance"])
def test_distances_are_zero_for_equal_features(term):
    assert getattr(losses, term)(V_F, V_F).abs().max() < 1e-12


def test_the_published_weights_are_the_defaults():
    assert LossConfig().weights() == {"decoder": 1.0, "normalized": 0.025, "distill": 200.0}
    assert LossConfig().temperature == 2.0


def test_the_papers_sum_by_hand(f_dec, f_vgg, batch):
    total, terms = VoiceLoss(LossConfig(), f_dec, f_vgg)(V_S, batch)
    assert set(terms) == {"decoder", "normalized", "distill"}
    p = [torch.softmax(torch.tensor(x) / 2, 0) for x in ([0.0, 0.0], [1.0, 2.0])]
    q = [torch.softmax(torch.tensor(x) / 2, 0) for x in ([3.0, 0.0], [1.0, -2.0])]
    distill = [-(a * b.log()).sum().item() for a, b in zip(p, q)]
    expected = (5.0 + 4.0) / 2 + 0.025 * (0.4 + 2 - 2 / 9) / 2 + 200 * sum(distill) / 2
    assert total.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", sorted(LossConfig.PRESETS))
def test_a_batch_repeated_twice_has_the_same_loss(name, f_dec, f_vgg, batch):
    loss = VoiceLoss(config.preset(LossConfig, name), f_dec, f_vgg)
    twice = {key: torch.cat([value, value]) for key, value in batch.items()}
    assert loss(torch.cat([V_S, V_S]), twice)[0].item() == pytest.approx(loss(V_S, batch)[0].item(), rel=1e-6)


def test_gradients_reach_the_voice_and_never_the_frozen_layers(f_dec, f_vgg, batch):
    v_s = V_S.clone().requires_grad_(True)
    loss = VoiceLoss(LossConfig(), f_dec, f_vgg)
    loss(v_s, batch)[0].backward()
    assert (v_s.grad.norm(dim=1) > 0).all()
    assert not any(p.requires_grad or p.grad is not None for p in loss.parameters())
    assert all(p.requires_grad for p in f_dec.parameters())  # the caller's own layer is left as it was


def test_gradient_magnitudes_by_hand(f_dec, f_vgg, batch):
    loss = VoiceLoss(LossConfig(weight_l1=1.0, weight_l2=1.0), f_dec, f_vgg)
    found = losses.gradient_magnitudes(loss, V_S, batch)
    # l1: signs (1, 0, -1) and (0, -1, 0); l2: 2 (v_s - v_f) = (6, 0, -2) and (0, -8, 0)
    assert found["l1"] == pytest.approx((math.sqrt(2) + 1) / 2)
    assert found["l2"] == pytest.approx((math.sqrt(40) + 8) / 2)
    # decoder: W^T sign(W (v_s - v_f)) = (1, 1, -2) and (-1, -1, 0)
    assert found["decoder"] == pytest.approx((math.sqrt(6) + math.sqrt(2)) / 2)


def test_rederived_weights_make_all_terms_pull_equally(f_dec, f_vgg, batch):
    magnitudes = losses.gradient_magnitudes(VoiceLoss(LossConfig(), f_dec, f_vgg), V_S, batch)
    balanced = losses.rederive_weights(magnitudes, LossConfig())
    pulls = [weight * magnitudes[term] for term, weight in balanced.weights().items()]
    assert pulls == pytest.approx([magnitudes["decoder"]] * 3)
    assert balanced.weight_decoder == 1.0
    assert set(balanced.weights()) == {"decoder", "normalized", "distill"}
    without = losses.rederive_weights(magnitudes, LossConfig(weight_decoder=0.0))
    assert without.weight_normalized == 0.025


def test_missing_layers_and_empty_losses_are_refused(f_vgg):
    with pytest.raises(ValueError, match="f_dec"):
        VoiceLoss(LossConfig(), None, f_vgg)
    with pytest.raises(ValueError, match="at least one term"):
        VoiceLoss(LossConfig(weight_decoder=0, weight_normalized=0, weight_distill=0))
    with pytest.raises(ValueError, match="no gradient with respect to v_s from l1"):
        losses.rederive_weights({"decoder": 1.0}, config.preset(LossConfig, "l1"))


def test_smooth_l1_is_squared_near_by_and_absolute_beyond():
    a, b = torch.zeros(1, 3), torch.tensor([[0.5, 3.0, -2.0]])
    assert losses.smooth_l1_distance(a, b).item() == pytest.approx(0.125 + 2.5 + 1.5)
