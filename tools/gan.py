"""The conditional GAN of Wen, Singh and Raj (2019), narrowed: a voice embedding becomes a face of 64 pixels.

The generator gets an embedding of unit length, shaken by noise, and nothing else. One trunk looks at pictures; on it
sit a discriminator (real or made) and a classifier of identities, both trained on real faces. The generator is
rewarded where its face is taken for a real one *and* for the person who spoke. No term compares pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Critic", "GanConfig", "Generator", "critic_losses", "generator_losses", "shaken", "train"]

SIZE = 64  # pixels


@dataclass(frozen=True)
class GanConfig:
    """Settings of one run; optimiser, noise and losses are the authors', the widths an eighth of theirs or so.

    With one picture of each person the classifier soon knows all by heart, and what it then rewards is noise; hence its
    small weight.
    """

    embedding: int = 64  # dimensions of the voice embedding
    widths: tuple[int, ...] = (128, 64, 32, 16)  # maps of 4, 8, 16, 32 pixels; the last also of 64
    critic_widths: tuple[int, ...] = (16, 32, 64, 96)  # maps of 32, 16, 8, 4 pixels
    features: int = 64  # outputs of the trunk
    noise: float = 0.05  # standard deviation, in each dimension of a unit vector
    batch_size: int = 32
    steps: int = 2000
    learning_rate: float = 2e-4  # Adam with momenta 0.5 and 0.999
    identity: float = 0.2  # weight of the classifier, the authors' is 1; 0 leaves a GAN without a condition
    seed: int = 0


class Generator(nn.Module):
    """Unit embedding (B, E) -> faces (B, 3, 64, 64) in [-1, 1].

    The authors' transposed convolutions without normalisation, at our number of steps, leave a checkerboard; so maps
    are doubled and convolved, with batch normalisation.
    """

    def __init__(self, config: GanConfig):
        super().__init__()
        first = nn.ConvTranspose2d(config.embedding, config.widths[0], 4)
        layers, before = [first, nn.BatchNorm2d(config.widths[0]), nn.ReLU()], config.widths[0]
        for width in (*config.widths[1:], config.widths[-1]):
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(before, width, 3, padding=1)]
            layers += [nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        self.layers = nn.Sequential(*layers, nn.Conv2d(before, 3, 3, padding=1), nn.Tanh())

    def forward(self, embedding: Tensor) -> Tensor:
        return self.layers(embedding[:, :, None, None])


class Critic(nn.Module):
    """Faces -> how real they are, as logits (B,), and whose they are, (B, people)."""

    def __init__(self, config: GanConfig, people: int):
        super().__init__()
        layers, before = [], 3
        for width in config.critic_widths:
            layers += [nn.Conv2d(before, width, 4, 2, 1), nn.LeakyReLU(0.2)]
            before = width
        self.trunk = nn.Sequential(*layers, nn.Conv2d(before, config.features, 4), nn.Flatten())
        self.real = nn.Linear(config.features, 1, bias=False)
        self.who = nn.Linear(config.features, people, bias=False)

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.trunk(faces)
        return self.real(seen)[:, 0], self.who(seen)


def shaken(embedding: Tensor, noise: float) -> Tensor:
    """Embeddings (B, E) at unit length, moved by noise and brought back to unit length."""
    unit = F.normalize(embedding, dim=1)
    return F.normalize(unit + noise * torch.randn_like(unit), dim=1)


def critic_losses(critic: Critic, faces: Tensor, person: Tensor, made: Tensor) -> dict[str, Tensor]:
    """Tell real from made, and name the people on real faces: three terms, each a mean over the batch."""
    (real, who), (fake, _) = critic(faces), critic(made.detach())
    return {
        "real": F.binary_cross_entropy_with_logits(real, torch.ones_like(real)),
        "made": F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake)),
        "identity": F.cross_entropy(who, person),
    }


def generator_losses(critic: Critic, made: Tensor, speaker: Tensor) -> dict[str, Tensor]:
    """Be taken for real, and for the one who spoke: two terms, each a mean over the batch."""
    fake, who = critic(made)
    return {
        "taken for real": F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake)),
        "taken for the speaker": F.cross_entropy(who, speaker),
    }


def train(
    config: GanConfig, embedding: Tensor, faces: Tensor, watch: Callable[[int, Generator], None] | None = None
) -> tuple[Generator, list[dict[str, float]]]:
    """Train on one embedding (N, E) and one face (N, 3, 64, 64) in [-1, 1] of each person.

    Voices and faces of a step are drawn apart, as the authors do; half of the faces are mirrored. ``watch`` is called
    every 250 steps. Gives the frozen generator and the losses every tenth step.

    Notes
    -----
    Source: Wen, Singh and Raj (2019), section 3 and the losses of their published code. They train 100,000 steps
    of 128 on 924 people with some 150 pictures of each; here a person has one.
    """
    torch.manual_seed(config.seed)
    generator, critic = Generator(config), Critic(config, len(faces))
    step_of = {network: _stepper(network, config.learning_rate) for network in (generator, critic)}
    curve: list[dict[str, float]] = []
    for step in range(config.steps):
        speaker, person = torch.randint(len(faces), (2, config.batch_size))
        made = generator(shaken(embedding[speaker], config.noise))
        seen = faces[person]
        seen = torch.where(torch.rand(len(seen), 1, 1, 1) < 0.5, seen.flip(-1), seen)
        terms = critic_losses(critic, seen, person, made)
        step_of[critic](terms["real"] + terms["made"] + config.identity * terms["identity"])
        terms |= generator_losses(critic, made, speaker)
        step_of[generator](terms["taken for real"] + config.identity * terms["taken for the speaker"])
        if step % 10 == 0:
            curve.append({"step": step} | {name: value.item() for name, value in terms.items()})
        if watch and step % 250 == 0:
            watch(step, generator)
    return generator.eval().requires_grad_(False), curve


def _stepper(network: nn.Module, rate: float) -> Callable[[Tensor], None]:
    """One step of Adam on this network alone, whatever else the loss has gone through."""
    optimiser = torch.optim.Adam(network.parameters(), rate, (0.5, 0.999))

    def step(loss: Tensor) -> None:
        optimiser.zero_grad()
        loss.backward(inputs=list(network.parameters()))
        optimiser.step()

    return step
