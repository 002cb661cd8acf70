"""What a training step of the voice encoder must cost, counted before it is run: operations, bytes, and messages.

A step can be no faster than its multiplications at the machine's matrix peak plus the passes over memory that nothing
hides. The first three convolutions run at full resolution, so the passes of ReLU and batch normalisation over their
outputs weigh about as much as the products do.
"""

import math

from s2f_lib.voice_encoder import N_CONV, EncoderConfig, layer_walk, macs_per_clip

# Passes over a layer's numbers behind its convolution where a compiler fuses what it can: one kernel for the
# statistics, one for ReLU + BN + pooling, and two backward, each input read once. Of the convolution's output, and of
# what the pooling leaves.
PASSES, PASSES_BEHIND_POOLING = 5, 3
# Bytes that a step moves for each weight, whatever the batch: casts to and from 16 bits (12), the length of the
# gradient (12), and AdamW's reading of four and writing of three float32 (28).
STEP_BYTES_PER_WEIGHT = 52


def training_flops(encoder: EncoderConfig, frames: int = 598) -> int:
    """Operations of one training step per clip: three products a layer, but no gradient of the input; a MAC is two."""
    first = layer_walk(encoder, frames)[1]
    macs = first.channels * first.time * first.frequency * encoder.in_channels * math.prod(encoder.kernels[0])
    return 6 * macs_per_clip(encoder, frames) - 2 * macs


def roofline(encoder: EncoderConfig, batch_size: int, flops_per_s: float, bytes_per_s: float) -> float:
    """Shortest time, in seconds, of a training step of 6 s clips in 16 bits; what two measured peaks allow.

    Parameters
    ----------
    encoder : EncoderConfig
    batch_size : int
    flops_per_s : float
        Of a large matrix product.
    bytes_per_s : float
        Of a large copy, bytes read plus bytes written.

    Notes
    -----
    Three parts are added: products, each at the matrix peak or, where that is longer, at the memory's speed; passes of
    ReLU, BN and pooling; and, whatever the batch, the optimiser's passes over the weights.
    """
    walk = {shape.name: shape for shape in layer_walk(encoder)}
    reads, channels, clip, weights = _size(walk["input"]), encoder.in_channels, 0.0, 0
    for i in range(N_CONV):
        writes = _size(walk[f"conv{i + 1}"])
        left = _size(walk.get(f"pool{i + 1}", walk[f"conv{i + 1}"]))
        macs = writes * channels * math.prod(encoder.kernels[i])
        products = 3 if i else 2  # forward, gradient of the weights, and of the input where anybody wants it
        clip += 2 * products * max(macs / flops_per_s, (reads + writes) / bytes_per_s)
        if i < N_CONV - 1:  # behind the ninth comes the average, at no size
            clip += 2 * (PASSES * writes + PASSES_BEHIND_POOLING * left) / bytes_per_s
        weights += encoder.channels[i] * channels * math.prod(encoder.kernels[i])
        reads, channels = left, encoder.channels[i]
    connected = channels * walk["average"].frequency * encoder.hidden + encoder.hidden * encoder.feature_dim
    clip += 6 * connected / flops_per_s
    return batch_size * clip + STEP_BYTES_PER_WEIGHT * (connected + weights) / bytes_per_s


def allreduce_seconds(weights: int, processes: int, link_bytes_per_s: float, number: int = 4) -> float:
    """Seconds of a ring all-reduce of `weights` gradients, `number` bytes each, over links of one speed.

    Each process sends and receives 2 (n - 1) / n times the gradients.
    """
    if processes < 1:
        raise ValueError(f"processes must be at least 1, got {processes}")
    return 2 * (processes - 1) / processes * weights * number / link_bytes_per_s


def efficiency(step_seconds: float, exchange_seconds: float) -> tuple[float, float]:
    """Share of their number that several GPUs give, when one takes `step_seconds` for its share of the batch.

    Between two bounds: nothing of the exchange of gradients is hidden behind the step, or all that fits. The truth is
    near the upper one here: four fifths of the gradients are those of fc1, which the backward pass reaches first, so
    that they travel while the convolutions are still at work.
    """
    return step_seconds / (step_seconds + exchange_seconds), step_seconds / max(step_seconds, exchange_seconds)


def _size(shape) -> int:
    return shape.channels * shape.time * shape.frequency
