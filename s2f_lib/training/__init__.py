"""Training: settings, sources of clips, the loop, checkpoints, and synthetic people's voices.

Most readers need only what is named here: ``training.run(config, source)``.

Notes
-----
What the runs taught, and why some settings are as they are:

- A run can collapse without a failing loss. A random fc2 only adds error to a v_s that starts at the mean face; at a
  high learning rate every unit of fc1 fell silent, presumably to be rid of it, and every voice got the same answer.
  Since then fc2 starts at zero (``start_from_mean``).
- The published weights do not fit our frozen layers. The gradient on v_s is hundreds behind f_dec and a few tenths for
  the normalised term and the distillation, so balanced weights are in the thousands and not 0.025 and 200: derive them
  anew (``rederive_at``).
- Plain L1 asks for the median. Behind its ReLU most of v_f is zero, so an unsure network should answer with zeros.
- Most of v_f cannot be heard. Beside the paper's percentages, watch the share of the perfect listener's gain over
  chance (`s2f_lib.evaluate.baselines`).
- bfloat16 doubles the speed of a CPU that has it (AVX-512 BF16) and is slow on others. On a busy machine give a run one
  thread: two wait for each other.
"""

from s2f_lib.losses import LossConfig
from s2f_lib.training.api import frozen_layers, layers_for, make_config, run
from s2f_lib.training.loop import TrainingError
from s2f_lib.training.people_set import PeopleSet
from s2f_lib.training.settings import TrainConfig
from s2f_lib.training.sources import ArraySource, Plan
from s2f_lib.training.voice import Run

__all__ = ["ArraySource", "LossConfig", "PeopleSet", "Plan", "Run", "TrainConfig", "TrainingError"]
__all__ += ["frozen_layers", "layers_for", "make_config", "run"]
