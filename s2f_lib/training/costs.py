"""What a training step of the voice encoder must cost, counted before it is run: operations, bytes, and messages.

A step can be no faster than its multiplications at the machine's matrix peak plus the passes over memory that nothing
hides. The first three convolutions run at full resolution, so the passes of ReLU and batch normalisation over their
outputs weigh about as much as the products do. `step_floor` adds both up; `scaling` says what several GPUs lose by
exchanging gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from s2f_lib.voice_encoder import N_CONV, EncoderConfig, layer_walk, macs_per_clip

# Passes over a layer's numbers behind its convolution, forward and backward: reads and writes of (the convolution's
# output, what the pooling leaves). "fused": one kernel for the statistics, one for ReLU + BN + pooling, and two
# backward, each input read once. "eager": a kernel for each of bias, ReLU, statistics, normalisation, and their
# gradients; pooling also keeps 64-bit indices (4 numbers of 16 bits each, written and read again).
PASSES = {"fused": (5, 3), "eager": (16, 0)}
EAGER_POOL = (3, 10)
# Bytes that a step moves for each weight, whatever the batch: casts to and from 16 bits (12), the length of the
# gradient (12), and AdamW's reading of four and writing of three float32 (28).
STEP_BYTES_PER_WEIGHT = 52


class LayerCost(NamedTuple):
    """One convolution, for one clip."""

    name: str
    macs: int  # multiply-accumulates of the forward pass
    reads: int  # numbers that come in
    writes: int  # numbers that the convolution gives
    pooled: int  # numbers that its pooling leaves


def layer_costs(encoder: EncoderConfig, frames: int = 598) -> list[LayerCost]:
    """Operations and numbers of every convolution, in order."""
    walk, costs = layer_walk(encoder, frames), []
    size = {shape.name: shape.channels * shape.time * shape.frequency for shape in walk}
    before, channels = size["input"], encoder.in_channels
    for i, (kt, kf) in enumerate(encoder.kernels):
        out = size[f"conv{i + 1}"]
        left = size.get(f"pool{i + 1}", out)
        costs.append(LayerCost(f"conv{i + 1}", out * channels * kt * kf, before, out, left))
        before, channels = left, encoder.channels[i]
    return costs


def training_flops(encoder: EncoderConfig, frames: int = 598) -> int:
    """Operations of one training step per clip: three products a layer, but no gradient of the input; a MAC is two."""
    return 6 * macs_per_clip(encoder, frames) - 2 * layer_costs(encoder, frames)[0].macs


@dataclass(frozen=True)
class Floor:
    """Shortest time of one training step, in seconds."""

    batch_size: int
    products: float  # convolutions and FC layers, at the matrix peak or, where that is longer, at the memory's speed
    passes: float  # ReLU, BN and pooling
    weights: float  # optimiser, casts and the length of the gradient

    @property
    def seconds(self) -> float:
        """All together."""
        return self.products + self.passes + self.weights

    @property
    def clips_per_s(self) -> float:
        """Clips per second at this floor."""
        return self.batch_size / self.seconds


def pass_bytes(layer: LayerCost, how: str = "fused", number: int = 2) -> int:
    """Bytes that ReLU, BN and pooling of one layer move for one clip, forward and backward; `number` bytes each."""
    whole, left = PASSES[how]
    if how == "eager" and layer.pooled != layer.writes:
        whole, left = whole + EAGER_POOL[0], left + EAGER_POOL[1]
    return number * (whole * layer.writes + left * layer.pooled)


def step_floor(
    encoder: EncoderConfig, batch_size: int, flops_per_s: float, bytes_per_s: float, how: str = "fused"
) -> Floor:
    """The floor of a training step in 16 bits on a machine whose two ceilings were measured.

    Parameters
    ----------
    encoder : EncoderConfig
    batch_size : int
    flops_per_s : float
        Of a large matrix product.
    bytes_per_s : float
        Of a large copy, bytes read plus bytes written.
    how : {"fused", "eager"}
        See `PASSES`: what a compiler can reach, and what one kernel per operation moves.
    """
    products = passes = 0.0
    for i, layer in enumerate(layer_costs(encoder)):
        kinds = 3 if i else 2  # forward, gradient of the weights, and of the input where anybody wants it
        moved = 2 * kinds * (layer.reads + layer.writes)
        products += max(2 * kinds * layer.macs / flops_per_s, moved / bytes_per_s)
        if i < N_CONV - 1:  # behind the ninth comes the average, at no size
            passes += pass_bytes(layer, how) / bytes_per_s
    flat = encoder.channels[-1] * layer_walk(encoder)[-1].frequency
    connected = flat * encoder.hidden + encoder.hidden * encoder.feature_dim
    products += 6 * connected / flops_per_s
    kernels = sum(layer.macs // layer.writes * width for layer, width in zip(layer_costs(encoder), encoder.channels))
    weights = STEP_BYTES_PER_WEIGHT * (connected + kernels) / bytes_per_s
    return Floor(batch_size, batch_size * products, batch_size * passes, weights)


def floor_table(encoder: EncoderConfig, flops_per_s: float, bytes_per_s: float) -> str:
    """The floor layer by layer, in microseconds a clip, as lines of text."""
    lines = [f"{'':6s} {'GMAC':>6s} {'million out':>11s} {'product':>8s} {'fused':>7s} {'eager':>7s}  (µs a clip)"]
    for i, layer in enumerate(layer_costs(encoder)):
        kinds = 3 if i else 2
        moved = 2 * kinds * (layer.reads + layer.writes) / bytes_per_s
        product = max(2 * kinds * layer.macs / flops_per_s, moved)
        times = [product, *(pass_bytes(layer, how) / bytes_per_s for how in PASSES)]
        times = times if i < N_CONV - 1 else [product, 0, 0]
        shown = " ".join(f"{1e6 * t:{width}.1f}" for t, width in zip(times, (8, 7, 7)))
        lines.append(f"{layer.name:6s} {layer.macs / 1e9:6.2f} {layer.writes / 1e6:11.2f} {shown}")
    return "\n".join(lines)


class Scaling(NamedTuple):
    """What data-parallel training on several GPUs gives, as a share of their number."""

    exchange_seconds: float  # all-reduce of one step's gradients
    efficiency_low: float  # nothing is exchanged while the backward pass runs
    efficiency_high: float  # everything that fits behind the step is


def allreduce_seconds(weights: int, processes: int, link_bytes_per_s: float, number: int = 4) -> float:
    """Time of a ring all-reduce: each process sends and receives 2 (n - 1) / n times the gradients.

    Parameters
    ----------
    weights : int
        How many gradients; `number` bytes each.
    processes : int
        GPUs, each with its own share of the batch.
    link_bytes_per_s : float
        Of the slowest link of the ring, in one direction.
    """
    if processes < 1:
        raise ValueError(f"processes must be at least 1, got {processes}")
    return 2 * (processes - 1) / processes * weights * number / link_bytes_per_s


def scaling(step_seconds: float, weights: int, processes: int, link_bytes_per_s: float) -> Scaling:
    """Efficiency on several GPUs, between two bounds, when one GPU takes `step_seconds` for its share of the batch.

    The truth is near the upper bound here: four fifths of the gradients are those of fc1, which the backward pass
    reaches first, so that they travel while the convolutions are still at work.
    """
    exchange = allreduce_seconds(weights, processes, link_bytes_per_s)
    low, high = step_seconds / (step_seconds + exchange), step_seconds / max(step_seconds, exchange)
    return Scaling(exchange, low, high)
