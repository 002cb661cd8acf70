"""Memory of a training step: counted without running it, and kept from step to step on the CPU."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from s2f_lib.voice_encoder import EncoderConfig, VoiceEncoder, preset

# Numbers of the parameters in glibc's malloc.h, and what its own adjustment ends at after the first large array
TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4
DEFAULTS = {MMAP_MAX: 65_536, MMAP_THRESHOLD: 2**25, TRIM_THRESHOLD: 2**26}
FIXED_COPIES = 4  # float32 weights, gradients, and Adam's two averages


def step_bytes(encoder: EncoderConfig | str, batch_size: int, mixed_precision: str = "no", frames: int = 598) -> int:
    """Bytes that weights, gradients, Adam and the tensors kept for the backward pass need together.

    Counted on PyTorch's meta device, where tensors have a shape and no content. Workspace of the convolutions and the
    allocator's loss are not in it: plan with a tenth more.

    `batch_size` counts the clips on one device; in "bf16" the kept tensors take half the space.
    """
    fixed, per_clip = _parts(preset(encoder) if isinstance(encoder, str) else encoder, frames)
    return fixed + batch_size * (per_clip // 2 if mixed_precision == "bf16" else per_clip)


def largest_batch(encoder: EncoderConfig | str, free_bytes: int, mixed_precision: str = "no") -> int:
    """Largest power of two of clips whose step fits in nine tenths of `free_bytes`; 0 if not even one does."""
    batch = 0
    while step_bytes(encoder, max(2 * batch, 1), mixed_precision) <= 0.9 * free_bytes:
        batch = max(2 * batch, 1)
    return batch


def explain_out_of_memory(encoder: EncoderConfig, batch_size: int, mixed_precision: str, device: torch.device) -> str:
    """What to say when a step did not fit: what was tried, what fits into the device or this machine, what helps."""
    if device.type == "cuda":
        total_bytes = torch.cuda.get_device_properties(device).total_memory
    else:
        total_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    fits = largest_batch(encoder, total_bytes, mixed_precision)
    tried, total = step_bytes(encoder, batch_size, mixed_precision) / 1e9, total_bytes / 1e9
    text = f"batch_size {batch_size} of preset {encoder.name!r} needs about {tried:.1f} GB, there are {total:.1f} GB; "
    if not fits:
        return text + "not even one clip fits: take a narrower preset or a larger device"
    text += f"{fits} fits (about {step_bytes(encoder, fits, mixed_precision) / 1e9:.1f} GB). Set batch_size={fits}"
    return text + (", or mixed_precision='bf16'" if mixed_precision == "no" else ", or gradient_checkpointing=True")


def _parts(encoder: EncoderConfig, frames: int) -> tuple[int, int]:
    """Bytes that do not depend on the batch, and bytes per clip, float32."""
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor.untyped_storage().nbytes()
        holders.append(tensor)  # or a storage could be freed and its number given to the next
        return tensor

    sizes = []
    for batch in (2, 4):
        kept, holders = {}, []
        with torch.device("meta"):
            network = VoiceEncoder(encoder)
            sound = torch.empty(batch, 2, frames, 257)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            network(sound)
        sizes.append(sum(kept.values()))
    weights = sum(p.numel() * p.element_size() for p in network.parameters())
    return FIXED_COPIES * weights, (sizes[1] - sizes[0]) // 2


@contextmanager
def keep_freed_memory(device: torch.device) -> Iterator[None]:
    """While this lasts, memory that tensors free stays with the process; afterwards it goes back to the system.

    Every step of a run frees and takes the same arrays. glibc maps arrays above 32 MB anew each time, and the system
    fills each of their pages with zeros: a quarter of the processor time of a step of ``quick``. The price is a tenth
    more resident memory. Where there is no glibc, or on a GPU, nothing is done.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" and device.type == "cpu" else None
    if not hasattr(libc, "mallopt"):
        yield
        return
    libc.mallopt(MMAP_MAX, 0)
    libc.mallopt(TRIM_THRESHOLD, -1)
    try:
        yield
    finally:
        for parameter, value in DEFAULTS.items():
            libc.mallopt(parameter, value)
        libc.malloc_trim(0)
