"""Heads on one frozen feature of the voice: v_s by regression, one space for voices and faces by contrast, or both."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from s2f_lib import losses

__all__ = ["METHODS", "HeadConfig", "Heads", "fit", "hear"]


@dataclass(frozen=True)
class HeadConfig:
    """Settings of one run; the method is which of the two terms take part, and whether faces get a head as well."""

    regression: float = 1.0  # weight of the distance between unit features, the paper's second term
    contrastive: float = 0.0  # weight of InfoNCE
    dim: int = 0  # of a space of its own for voices and faces; 0 predicts v_f as it is
    hidden: int = 256
    dropout: float = 0.3
    temperature: float = 0.1  # of InfoNCE
    batch_size: int = 128
    steps: int = 600
    learning_rate: float = 1e-3  # AdamW, one cosine down to zero
    weight_decay: float = 0.05
    seed: int = 0

    def __post_init__(self):
        if self.dim and self.regression:
            raise ValueError("a space of its own has no feature to regress to; set regression to 0, or dim to 0")
        if not (self.regression or self.contrastive):
            raise ValueError("one of regression and contrastive must be above 0")


METHODS = {
    "regression": HeadConfig(),
    "regression + contrastive": HeadConfig(contrastive=0.1),
    "contrastive embedding": HeadConfig(regression=0.0, contrastive=1.0, dim=128),
}


def hear(encoder: nn.Module, sound: np.ndarray, batch_size: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """What a frozen voice encoder has in front of its last layer, (N, hidden), and v_s, (N, D), of int16 clips."""
    inside: list[Tensor] = []
    hook = encoder.fc2.register_forward_pre_hook(lambda layer, inputs: inside.append(inputs[0]))
    try:
        with torch.inference_mode():
            parts = range(0, len(sound), batch_size)
            v_s = [encoder(torch.from_numpy(np.array(sound[i : i + batch_size]))) for i in parts]
    finally:
        hook.remove()
    return torch.cat(inside).numpy(), torch.cat(v_s).numpy()


class Heads(nn.Module):
    """Voice features (B, V) to face features (B, D), or both into one space of ``dim`` dimensions."""

    def __init__(self, config: HeadConfig, voice: Tensor, v_f: Tensor):
        super().__init__()
        mean, spread = voice.mean(dim=0), voice.std(dim=0) + 1e-6
        self.register_buffer("mean", mean)
        self.register_buffer("spread", spread)
        self.register_buffer("face_mean", v_f.mean(dim=0))
        out = config.dim or v_f.shape[1]
        self.voice_head = nn.Sequential(
            nn.Linear(voice.shape[1], config.hidden),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.hidden, out),
        )
        self.face_head = nn.Linear(v_f.shape[1], out) if config.dim else None
        if not config.dim:  # starts near the mean face; not on it, where a direction from the mean has no gradient
            self.voice_head[3].weight.data.mul_(0.1)
            self.voice_head[3].bias.data.copy_(self.face_mean)

    def forward(self, x: Tensor) -> Tensor:
        """Voice features (B, V) to the predicted v_f (B, D), or to the place of the voice in its own space (B, dim)."""
        return self.voice_head((x - self.mean) / self.spread)

    def compared(self, x: Tensor, v_f: Tensor) -> tuple[Tensor, Tensor]:
        """What cosines are taken of, for voices and faces; predicted features relative to the mean face."""
        centred = v_f - self.face_mean
        return (self(x), self.face_head(centred)) if self.face_head else (self(x) - self.face_mean, centred)


def fit(config: HeadConfig, voice: np.ndarray, v_f: np.ndarray) -> tuple[Heads, list[dict[str, float]]]:
    """Train on pairs (N, V) and (N, D), one of each person; gives the frozen heads and the loss every tenth step."""
    torch.manual_seed(config.seed)
    voice, v_f = (torch.from_numpy(np.asarray(x, np.float32)) for x in (voice, v_f))
    heads, curve = Heads(config, voice, v_f), []
    optimiser = torch.optim.AdamW(heads.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, config.steps)
    for step in range(config.steps):
        rows = torch.randint(len(voice), (config.batch_size,)).unique()  # a person twice would be his own wrong answer
        loss = torch.zeros(())
        if config.regression:
            loss = loss + config.regression * losses.normalized_distance(heads(voice[rows]), v_f[rows]).mean()
        if config.contrastive:
            told, seen = heads.compared(voice[rows], v_f[rows])
            loss = loss + config.contrastive * losses.info_nce(told, seen, config.temperature).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 10 == 0:
            curve.append({"step": step, "loss": loss.item()})
    return heads.eval().requires_grad_(False), curve
