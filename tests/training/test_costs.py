"""What a step must cost: counted by hand, and against what the layers themselves say."""

import math

import pytest
import torch

from s2f_lib import voice_encoder
from s2f_lib.training import costs
from s2f_lib.voice_encoder import VoiceEncoder

PAPER = voice_encoder.preset("paper")


def test_operations_and_numbers_are_those_of_the_layers():
    """PyTorch counts the operations of a forward pass itself; the shapes are those of the tensors."""
    from torch.utils.flop_counter import FlopCounterMode

    encoder = voice_encoder.preset("quick", channels=(4, 5, 6, 7, 8, 9, 10, 11, 12), hidden=16, feature_dim=24)
    network, sizes = VoiceEncoder(encoder).eval(), []
    for conv in network.convs:
        conv.register_forward_hook(lambda _, inputs, out: sizes.append((inputs[0][0].numel(), out[0].numel())))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 2, 598, 257))
    found = costs.layer_costs(encoder)
    assert [(layer.reads, layer.writes) for layer in found] == sizes
    connected = 12 * costs.layer_walk(encoder)[-1].frequency * 16 + 16 * 24
    assert 2 * (sum(layer.macs for layer in found) + connected) == counter.get_total_flops()


def test_training_operations_are_those_that_pytorch_does():
    from torch.utils.flop_counter import FlopCounterMode

    encoder = voice_encoder.preset("quick", channels=(4,) * 9, hidden=16, feature_dim=24)
    network = VoiceEncoder(encoder)
    with FlopCounterMode(display=False) as counter:
        network(torch.randn(2, 2, 598, 257)).sum().backward()
    assert 2 * costs.training_flops(encoder) == counter.get_total_flops()


def test_the_papers_numbers():
    assert costs.training_flops(PAPER) == pytest.approx(0.535e12, rel=0.01)
    first = costs.layer_costs(PAPER)[0]
    assert first.writes == 64 * 595 * 254
    assert costs.pass_bytes(first, "fused") == 2 * 8 * 64 * 595 * 254  # nothing is pooled: eight passes of two bytes
    assert costs.pass_bytes(first, "eager") == 2 * costs.pass_bytes(first, "fused")
    third = costs.layer_costs(PAPER)[2]
    assert third.pooled == 128 * 294 * 248
    assert costs.pass_bytes(third, "fused") == 2 * (5 * third.writes + 3 * third.pooled)


def test_without_a_limit_on_memory_only_the_products_are_left_and_the_other_way_round():
    products = costs.step_floor(PAPER, 64, 1e15, math.inf)
    assert products.seconds == pytest.approx(64 * costs.training_flops(PAPER) / 1e15, rel=1e-3)
    memory = costs.step_floor(PAPER, 1, math.inf, 1e12)
    weights = memory.weights * 1e12 / costs.STEP_BYTES_PER_WEIGHT
    assert weights == pytest.approx(voice_encoder.PAPER_PARAMETERS, rel=1e-3)  # biases and BN are left out
    twice = costs.step_floor(PAPER, 1, math.inf, 2e12)
    assert memory.seconds == pytest.approx(2 * twice.seconds)


def test_fusing_and_large_batches_lower_the_floor():
    fused, eager = (costs.step_floor(PAPER, 64, 8e14, 3e12, how).clips_per_s for how in ("fused", "eager"))
    assert eager < 700 < fused
    rates = [costs.step_floor(PAPER, b, 8e14, 3e12).clips_per_s for b in (8, 32, 128)]
    assert rates == sorted(rates)
    assert "conv3" in costs.floor_table(PAPER, 8e14, 3e12)


def ring(processes, chunks):
    """A ring all-reduce of `chunks` numbers, step by step: how many numbers each process sends, and the sums."""
    values = [[float(p + c) for c in range(chunks)] for p in range(processes)]
    share, sent = chunks // processes, 0
    for add in (True, False):
        for step in range(processes - 1):
            moves = []
            for p in range(processes):
                block = (p - step + (0 if add else 1)) % processes
                part = slice(block * share, (block + 1) * share)
                moves.append(((p + 1) % processes, part, values[p][part]))
            sent += share
            for to, part, numbers in moves:
                values[to][part] = [a + b for a, b in zip(values[to][part], numbers)] if add else numbers
    return sent, values


@pytest.mark.parametrize("processes", [2, 4, 8])
def test_the_exchange_is_what_a_ring_sends(processes):
    sent, values = ring(processes, 24 * processes)
    assert all(v == values[0] for v in values)
    assert values[0][5] == sum(p + 5 for p in range(processes))
    assert costs.allreduce_seconds(24 * processes, processes, link_bytes_per_s=1.0, number=1) == pytest.approx(sent)


def test_scaling_lies_between_its_bounds():
    one = costs.scaling(0.2, voice_encoder.PAPER_PARAMETERS, 1, 450e9)
    assert one == (0.0, 1.0, 1.0)
    fast, slow = (costs.scaling(0.2, voice_encoder.PAPER_PARAMETERS, 8, link) for link in (450e9, 1.25e9))
    assert fast.exchange_seconds == pytest.approx(2 * 7 / 8 * 592_251_904 / 450e9)
    assert 0.98 < fast.efficiency_low < fast.efficiency_high == 1.0
    assert slow.efficiency_high == pytest.approx(0.2 / slow.exchange_seconds)
    assert slow.efficiency_low < slow.efficiency_high < 0.3
    with pytest.raises(ValueError, match="at least 1"):
        costs.allreduce_seconds(10, 0, 1e9)
