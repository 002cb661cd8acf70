"""Is bf16 the same network? Loss and gradients of one batch, then the angle after equally many steps."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import torch
from torch import nn

from benchmarks import gpu_corpus
from benchmarks.gpu_common import DEVICE, Session, layers, random_clips, settings
from s2f_lib import hub, training
from s2f_lib.training.data import ArraySource, Plan
from s2f_lib.training.loop import Trainer

ENOUGH = 2000  # clips of the corpus; with fewer, noise is learned by heart instead
STEPS, BATCH = 200, 16
SHARE = 0.4  # of the time left, for the float32 run: the slower of the two
PRECISIONS = ("no", "bf16")


def numerics(session: Session) -> None:
    """bf16 against true float32 (no TF32) on the same batches, from the same start."""
    source, validation, frozen, words = material(session)
    batch_size = 2 if session.dry else BATCH
    config = settings(session.dry, batch_size=batch_size, learning_rate=2e-4, evaluate_every=STEPS)
    with exact_float32():
        pairs = [one_gradient(replace(config, mixed_precision=p), source, frozen) for p in PRECISIONS]
        (loss, gradient), (half_loss, half_gradient) = pairs
        found = {
            "bf16_loss_relative_difference": abs(half_loss - loss) / abs(loss),
            "bf16_gradient_cosine": nn.functional.cosine_similarity(gradient, half_gradient, dim=0).item(),
            "bf16_gradient_relative_error": ((half_gradient - gradient).norm() / gradient.norm()).item(),
        }
        session.keep("gpu_training", "numerics", found, n=batch_size)
        steps = 3 if session.dry else affordable(replace(config, mixed_precision="no"), source, frozen, session.left())
        config = replace(config, max_steps=steps)
        runs = [
            training.run(replace(config, mixed_precision=p), source, validation=validation, **frozen)
            for p in PRECISIONS
        ]
    single, half = (run.final("angle_deg") for run in runs)
    angles = {"bf16_angle_deg": half, "float32_angle_deg": single, "bf16_angle_gap_deg": abs(half - single)}
    told = f"bf16 against float32 (no TF32): {steps} steps of {batch_size}, {words}."
    session.keep("gpu_training", "numerics", found | angles, n=batch_size, notes=[told])


def material(session: Session) -> tuple[ArraySource, ArraySource, dict, str]:
    """Clips to learn from, others to be scored on, frozen layers, and what they are in words."""
    folder, wanted = session.folder / "corpus", 2 if session.dry else ENOUGH
    if gpu_corpus.done(folder, "train") < wanted or not gpu_corpus.complete(folder, "validation"):
        few = random_clips(4 if session.dry else 64)
        return few, few, layers(), f"on {len(few)} clips of noise, scored on the same clips"
    source, validation = gpu_corpus.load(folder, "train", wanted), gpu_corpus.load(folder, "validation")
    words = f"on {wanted} synthetic speakers, scored on {len(validation)} others"
    return source, validation, training.frozen_layers(hub.load("synthetic-vgg")), words


def affordable(config: training.TrainConfig, source: ArraySource, frozen: dict, seconds: float) -> int:
    """Steps, at most `STEPS`, that take a `SHARE` of the seconds; measured on two steps after a first one."""
    trainer = Trainer(replace(config, max_steps=1), source, **frozen)
    trainer.fit()
    before, trainer.config = trainer.seconds, replace(config, max_steps=3)
    trainer.fit()
    return int(min(STEPS, max(10, SHARE * seconds / ((trainer.seconds - before) / 2))))


def one_gradient(config: training.TrainConfig, source: ArraySource, frozen: dict) -> tuple[float, torch.Tensor]:
    """Loss of the first batch, and the gradient of all weights as one vector.

    The last layer starts at random here, and not at zero as in training: behind zeros no other weight has a gradient.
    """
    trainer = Trainer(replace(config, start_from_mean=False), source, **frozen)
    batch = next(source.batches(Plan(config.batch_size, random_start=True)))
    batch = {k: v.to(DEVICE) for k, v in batch.items()}
    batch = {k: v.float() if v.dtype == torch.float16 else v for k, v in batch.items()}
    trainer.network.train()
    with torch.autocast(DEVICE.type, torch.bfloat16, enabled=config.mixed_precision == "bf16"):
        v_s = trainer.network(batch["waveform"])
    total, _ = trainer.loss(v_s, batch)
    total.backward()
    return total.item(), torch.cat([p.grad.float().flatten().cpu() for p in trainer.encoder.parameters()])


@contextlib.contextmanager
def exact_float32():
    """Float32 products in float32: neither the matrix units' TF32 nor cuDNN's."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]
