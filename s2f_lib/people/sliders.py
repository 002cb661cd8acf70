"""Tables that turn a person's attributes into MakeHuman sliders: how much people vary, and what drives what.

Slider units are MakeHuman's (1 = the full target). The tables are in ``data/sliders.json``, which says what each is.
"""

from pathlib import Path

from s2f_lib.io.files import read_json

TABLES = read_json(Path(__file__).parent / "data" / "sliders.json")
OWN_SD: dict[str, float] = TABLES["own_sd"]
SCORE_SLIDERS: dict[str, dict[str, float]] = TABLES["score"]
BASE, AFRICAN, ASIAN, MASCULINE, OLD, GROUP = (
    TABLES[name] for name in ("base", "african", "asian", "masculine", "old", "group")
)
ONE_SIDED = ("head-diamond", "head-invertedtriangular", "head-oval", "head-rectangular", "head-round")
CUT = 1.9  # standard deviations: no slider of its own goes further
LIMIT = 0.9  # sliders approach plus or minus this softly, so that causes that add up make no caricature
ASYMMETRY_SD = 0.22
RESTING_SMILE = (0.15, 0.07)  # mean and SD of the smile units in a face at rest
