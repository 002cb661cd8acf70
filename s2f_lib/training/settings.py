"""Settings: what every training needs, and what the voice encoder's needs beside it, with its named schedules."""

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from s2f_lib import voice_encoder
from s2f_lib.losses import LossConfig

# "channel": any microphone, line, noise, babble, codec and hum; "no_speech": some clips are noise alone, answered by
# the mean face feature. Both change magnitudes.
AUGMENTATIONS = ("channel", "no_speech")


@dataclass(frozen=True)
class LoopConfig:
    """What the loop needs to know, whichever network it trains; a network's own settings are a subclass."""

    batch_size: int = 32  # examples of one optimiser step, over all processes together
    max_steps: int = 300
    max_seconds: float = 0.0  # end after the step that is under way then; 0 = however long the steps take
    learning_rate: float = 2e-3  # at its peak
    schedule: Literal["paper", "one_cycle", "constant"] = "one_cycle"  # "paper": times 0.95 every 10,000 steps
    warm_up: float = 0.1  # share of the steps over which "one_cycle" rises to its peak
    beta1: float = 0.9  # Adam
    beta2: float = 0.98
    epsilon: float = 1e-8
    weight_decay: float = 1e-2  # of kernels only, decoupled (AdamW)
    mixed_precision: Literal["no", "bf16"] = "no"
    seed: int = 0

    log_every: int = 10  # steps
    evaluate_every: int = 100  # steps; also after the last one
    checkpoint_every: int = 100  # steps; a killed run loses at most these
    patience: int = 0  # stop after this many evaluations in a row without a better score; 0 = never

    def __post_init__(self):
        for name in ("batch_size", "max_steps", "log_every", "evaluate_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name, value in vars(self).items():
            if isinstance(value, float) and not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be a finite number of at least 0, got {value}")
        if not self.learning_rate:
            raise ValueError(f"learning_rate must be above 0, got {self.learning_rate}")
        if self.patience < 0:
            raise ValueError(f"patience must be at least 0, got {self.patience}")


@dataclass(frozen=True)
class TrainConfig(LoopConfig):
    """Settings of one training run of the voice encoder; saved beside its checkpoints.

    Notes
    -----
    Its presets:

    - ``quick``, ``standard``: for the pages; the names are those of the networks;
    - ``synthetic-standard``: made the weights that the pages use, see the notes in `s2f_lib.training`. Beside the
      narrow network it differs from the paper in magnitude input and clips of 3 s, both because CPU time is short;
    - ``synthetic-strangers``: for voices of strangers; goes on from those weights with any channel, at any level; meant
      for clips in ever new manners (``s2f train --sentences free``);
    - ``paper``: the published schedule, 3 epochs of 1.7 M clips;
    - ``paper-gpu``: the paper's network with a larger batch for one modern GPU.
    """

    encoder: str = "quick"  # preset of the voice encoder
    encoder_changes: dict = field(default_factory=dict)  # fields that differ, e.g. {"input": "magnitude"}
    loss: LossConfig = field(default_factory=LossConfig)
    rederive_at: int = 0  # step at which lambda_1 and lambda_2 are derived anew by the paper's rule; 0 = never

    seconds: float = 6.0  # length of the training clips
    random_start: bool = True  # begin each clip anywhere and wrap around; the paper takes the first six seconds
    augment: tuple[str, ...] = ()  # of `AUGMENTATIONS`
    recalibrate_bn_batches: int = 0  # after the last step: batches over which batch normalisation averages anew
    start_from_mean: bool = True  # v_s starts as the mean face feature of the training clips, whatever is heard
    init_from: str = ""  # a trained encoder, by its name in the hub or as a file, to go on with instead of a new one

    compile: bool = False  # pays on a GPU; on a CPU only for long runs
    gradient_checkpointing: bool = False  # less memory, about a third more time

    PRESET_FOLDER: ClassVar[str] = "train"

    def __post_init__(self):
        super().__post_init__()
        if unknown := set(self.augment) - set(AUGMENTATIONS):
            raise ValueError(
                f"no such augmentation: {', '.join(sorted(unknown))}; there are {', '.join(AUGMENTATIONS)}"
            )
        network = self.network()  # refuses an unknown preset or field
        if self.augment and network.input != "magnitude":
            raise ValueError(f"{' and '.join(self.augment)} change magnitudes; set the encoder's input to magnitude")

    def network(self, **changes) -> voice_encoder.EncoderConfig:
        """Shape of the encoder; its own ``encoder_changes`` count more than these."""
        return voice_encoder.preset(self.encoder, **(changes | self.encoder_changes))
