"""The paper's loss (Eq. 1), each of its terms alone, and the rule that balances them.

Every term is a function of whole clips and gives **one number per clip**, shape (B,); the caller averages over clips.
Nothing is ever normalised or summed over the batch as one long vector, so a batch repeated twice has the same loss.

Shapes: ``v_s`` (B, D) is what the voice encoder predicts, ``v_f`` (B, D) the frozen face feature it should meet.
Source: Oh et al. (2019), section 3, Eq. 1. The paper's norms are sums over dimensions, and so are ours.
"""

import copy
import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PAPER_LAMBDA_1 = 0.025  # weight of the normalised term
PAPER_LAMBDA_2 = 200.0  # weight of the distillation term
TEMPERATURE = 2.0  # T, "as recommended by the authors" of Hinton et al. (2015)
TERMS = ("decoder", "normalized", "distill", "l1", "l2", "smooth_l1", "contrastive")


def l1_distance(v_s: Tensor, v_f: Tensor) -> Tensor:
    """Sum of absolute differences of each clip; (B, D) twice -> (B,). The paper calls it slow and unstable."""
    return (v_s - v_f).abs().sum(dim=1)


def l2_distance(v_s: Tensor, v_f: Tensor) -> Tensor:
    """Squared Euclidean distance of each clip; (B, D) twice -> (B,)."""
    return (v_s - v_f).square().sum(dim=1)


def smooth_l1_distance(v_s: Tensor, v_f: Tensor) -> Tensor:
    """L1 without its kink: squared where two numbers differ by less than 1, absolute beyond; -> (B,)."""
    return F.smooth_l1_loss(v_s, v_f, reduction="none").sum(dim=1)


def normalized_distance(v_s: Tensor, v_f: Tensor) -> Tensor:
    """Squared distance between unit features, 2 - 2 cos(angle); (B, D) twice -> (B,), in [0, 4]."""
    return (F.normalize(v_s, dim=1) - F.normalize(v_f, dim=1)).square().sum(dim=1)


def decoder_distance(f_dec: nn.Module, v_s: Tensor, v_f: Tensor) -> Tensor:
    """L1 distance behind the face decoder's first layer (D -> 1000 in the paper); -> (B,)."""
    with torch.no_grad():
        target = f_dec(v_f)
    return (f_dec(v_s) - target).abs().sum(dim=1)


def distillation(logits_s: Tensor, logits_f: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Cross-entropy of the face's softened classes under the voice's: ``-sum_i p_i(logits_f) log p_i(logits_s)``, (B,).

    The logits (B, C) are the recogniser's last layer applied to v_s and to v_f, divided by T > 0. It is smallest where
    both agree, but not zero there: its floor is the entropy of the target.
    """
    target = torch.softmax(logits_f / temperature, dim=1)
    return -(target * torch.log_softmax(logits_s / temperature, dim=1)).sum(dim=1)


def info_nce(v_s: Tensor, v_f: Tensor, temperature: float = 0.1, speaker: Tensor | None = None) -> Tensor:
    """Contrastive term: find the own face among the faces of the batch, and the own voice among its voices.

    Gives the mean of the two cross-entropies (B,), about log B for a network that knows nothing. The temperature
    divides the cosines: smaller looks at the nearest wrong faces only. With `speaker` (B,) other clips of the same
    speaker are taken out of the wrong answers.

    Notes
    -----
    An extension: the paper has no such term. Source: van den Oord et al. (2018), in the symmetric form of
    Radford et al. (2021). It compares with the clips of the same batch, so it depends on the batch size; with several
    processes each compares within its own share.
    """
    cosines = F.normalize(v_s, dim=1) @ F.normalize(v_f, dim=1).T / temperature
    if speaker is not None:
        same = speaker[:, None] == speaker[None, :]
        same.fill_diagonal_(False)
        cosines = cosines.masked_fill(same, -torch.inf)
    own = torch.arange(len(v_s), device=v_s.device)
    by_voice = F.cross_entropy(cosines, own, reduction="none")
    by_face = F.cross_entropy(cosines.T, own, reduction="none")
    return (by_voice + by_face) / 2


@dataclass(frozen=True)
class LossConfig:
    """Weight of every term; the defaults are the paper's loss with its published weights. 0 leaves a term out."""

    weight_decoder: float = 1.0  # L1 behind f_dec
    weight_normalized: float = PAPER_LAMBDA_1  # lambda_1 in the paper
    weight_distill: float = PAPER_LAMBDA_2  # lambda_2 in the paper
    weight_l1: float = 0.0  # plain L1 on the feature
    weight_l2: float = 0.0  # plain squared L2 on the feature
    weight_smooth_l1: float = 0.0  # L1 that is squared near by
    weight_contrastive: float = 0.0  # InfoNCE, an extension
    temperature: float = TEMPERATURE  # T of the distillation term
    contrastive_temperature: float = 0.1

    PRESETS: ClassVar[dict[str, dict]] = {
        "paper": {},
        "l1": {"weight_decoder": 0.0, "weight_normalized": 0.0, "weight_distill": 0.0, "weight_l1": 1.0},
        "l2": {"weight_decoder": 0.0, "weight_normalized": 0.0, "weight_distill": 0.0, "weight_l2": 1.0},
        "normalized": {"weight_decoder": 0.0, "weight_normalized": 1.0, "weight_distill": 0.0},
        "no_decoder": {"weight_decoder": 0.0},
        "no_distill": {"weight_distill": 0.0},
        "no_normalized": {"weight_normalized": 0.0},
    }

    def __post_init__(self):
        for name, value in vars(self).items():
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be a finite number of at least 0, got {value}")

    def weights(self) -> dict[str, float]:
        """Weights by term, only of the terms that take part."""
        weights = {term: getattr(self, f"weight_{term}") for term in TERMS}
        return {term: weight for term, weight in weights.items() if weight}


class VoiceLoss(nn.Module):
    """A weighted sum of terms, with the two frozen layers it needs.

    `f_dec`, the first layer of the frozen face decoder, is needed by the term "decoder", `f_vgg`, the last layer (fc8)
    of the frozen recogniser, by "distill". Raises ValueError if a term lacks its layer, or if no term takes part.
    """

    def __init__(self, config: LossConfig, f_dec: nn.Module | None = None, f_vgg: nn.Module | None = None):
        super().__init__()
        weights = config.weights()
        if not weights:
            raise ValueError(f"a loss needs at least one term with a weight above zero; there are {', '.join(TERMS)}")
        for term, layer, name in (("decoder", f_dec, "f_dec"), ("distill", f_vgg, "f_vgg")):
            if term in weights and layer is None:
                raise ValueError(f"the term {term!r} needs the frozen layer {name}; give it or set weight_{term} to 0")
        self.config = config
        self.f_dec = _frozen(f_dec) if "decoder" in weights else None
        self.f_vgg = _frozen(f_vgg) if "distill" in weights else None

    def terms(self, v_s: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Unweighted value of each term that takes part, per clip: {name: (B,)}."""
        c, v_f = self.config, batch["v_f"]
        per_term = {
            "decoder": lambda: decoder_distance(self.f_dec, v_s, v_f),
            "normalized": lambda: normalized_distance(v_s, v_f),
            "distill": lambda: distillation(self.f_vgg(v_s), batch["logits"], c.temperature),
            "l1": lambda: l1_distance(v_s, v_f),
            "l2": lambda: l2_distance(v_s, v_f),
            "smooth_l1": lambda: smooth_l1_distance(v_s, v_f),
            "contrastive": lambda: info_nce(v_s, v_f, c.contrastive_temperature, batch.get("speaker")),
        }
        return {term: per_term[term]() for term in c.weights()}

    def forward(self, v_s: Tensor, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Weighted sum, averaged over clips, and the unweighted terms per clip.

        The batch has ``v_f`` (B, D), ``logits`` (B, C) where the distillation takes part, ``speaker`` (B,) if known.
        """
        terms = self.terms(v_s.float(), batch)
        total = sum(weight * terms[term].mean() for term, weight in self.config.weights().items())
        return total, terms


def gradient_magnitudes(loss: VoiceLoss, v_s: Tensor, batch: dict[str, Tensor]) -> dict[str, float]:
    """Mean over clips of the length of each unweighted term's gradient with respect to v_s.

    This is the quantity the paper balanced ("gradient magnitude of each term with respect to v_s").
    """
    v_s = v_s.detach().float().requires_grad_(True)
    magnitudes = {}
    for term, values in loss.terms(v_s, batch).items():
        (gradient,) = torch.autograd.grad(values.sum(), v_s, retain_graph=True)
        magnitudes[term] = gradient.norm(dim=1).mean().item()
    return magnitudes


def rederive_weights(magnitudes: dict[str, float], config: LossConfig) -> LossConfig:
    """Weights under which every term pulls as strongly as the decoder term, by the paper's rule.

    The published 0.025 and 200 balance the *authors'* decoder and recogniser (at iteration 1000). Other layers have
    other scales, so for them the rule has to be applied again, to the `gradient_magnitudes` of a network that has
    trained for a while. Terms of weight zero stay out. The decoder term keeps its weight, as in the paper; without it
    the first term that takes part does. ValueError if a term has no gradient.
    """
    weights = config.weights()
    reference = next((term for term in ("decoder", "l2", "l1") if term in weights), next(iter(weights)))
    flat = [term for term in weights if not magnitudes.get(term)]
    if flat:
        raise ValueError(f"no gradient with respect to v_s from {', '.join(flat)}; measure on another batch")
    wanted = weights[reference] * magnitudes[reference]
    return replace(config, **{f"weight_{term}": wanted / magnitudes[term] for term in weights})


def _frozen(layer: nn.Module) -> nn.Module:
    """A copy in eval mode with no trained weights; gradients still flow through it to its input."""
    return copy.deepcopy(layer).eval().requires_grad_(False)
