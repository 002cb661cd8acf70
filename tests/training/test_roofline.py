"""What a step must cost: counted by hand, and against what the layers themselves say."""

import math

import pytest
import torch

from s2f_lib import voice_encoder
from s2f_lib.training.roofline import allreduce_seconds, efficiency, roofline, training_flops
from s2f_lib.voice_encoder import VoiceEncoder

PAPER = voice_encoder.preset("paper")


def test_training_operations_are_those_that_pytorch_does():
    from torch.utils.flop_counter import FlopCounterMode

    encoder = voice_encoder.preset("quick", channels=(4,) * 9, hidden=16, feature_dim=24)
    network = VoiceEncoder(encoder)
    with FlopCounterMode(display=False) as counter:
        network(torch.randn(2, 2, 598, 257)).sum().backward()
    assert 2 * training_flops(encoder) == counter.get_total_flops()


def test_the_papers_step_without_a_limit_on_memory_is_its_products():
    assert training_flops(PAPER) == pytest.approx(0.535e12, rel=0.01)
    assert roofline(PAPER, 64, 1e15, math.inf) == pytest.approx(64 * training_flops(PAPER) / 1e15, rel=1e-3)


def test_without_a_limit_on_products_what_is_left_are_the_passes_over_memory():
    """Counted by hand for a network whose layers shrink to a single cell: what each reads and writes, in 16 bits."""
    narrow = voice_encoder.preset("quick", channels=(2,) * 9, hidden=3, feature_dim=5)
    walk = voice_encoder.layer_walk(narrow)
    size = {shape.name: shape.channels * shape.time * shape.frequency for shape in walk}
    moved, before = 0, size["input"]
    for i in range(1, 10):
        out = size[f"conv{i}"]
        left = size.get(f"pool{i}", out)
        moved += (4 if i == 1 else 6) * (before + out)  # two or three products, each reading and writing two bytes
        moved += 0 if i == 9 else 2 * (5 * out + 3 * left)
        before = left
    kernels = sum(math.prod(k) * 2 * 2 for k in narrow.kernels)  # two channels in, two out; the sound has two as well
    weights = kernels + 2 * walk[-1].frequency * 3 + 3 * 5
    assert roofline(narrow, 4, math.inf, 1e9) == pytest.approx((4 * moved + 52 * weights) / 1e9)
    assert roofline(narrow, 4, math.inf, 1e9) == pytest.approx(2 * roofline(narrow, 4, math.inf, 2e9))


def test_large_batches_share_the_optimiser():
    rates = [batch / roofline(PAPER, batch, 8e14, 3e12) for batch in (8, 32, 128)]
    assert rates == sorted(rates)
    assert 700 < rates[-1] < 1500


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
    assert allreduce_seconds(24 * processes, processes, link_bytes_per_s=1.0, number=1) == pytest.approx(sent)


def test_efficiency_lies_between_its_bounds():
    exchange = [allreduce_seconds(voice_encoder.PAPER_PARAMETERS, 8, link) for link in (450e9, 1.25e9)]
    assert exchange[0] == pytest.approx(2 * 7 / 8 * 592_251_904 / 450e9)
    (low, high), (slow_low, slow_high) = (efficiency(0.2, seconds) for seconds in exchange)
    assert 0.98 < low < high == 1.0
    assert slow_high == pytest.approx(0.2 / exchange[1])
    assert slow_low < slow_high < 0.3
    assert efficiency(0.2, allreduce_seconds(10, 1, 1e9)) == (1.0, 1.0)
    with pytest.raises(ValueError, match="at least 1"):
        allreduce_seconds(10, 0, 1e9)
