"""Tables that turn a person's attributes into MakeHuman sliders: how much people vary, and what drives what.

Slider units are MakeHuman's (1 = the full target). The tables are data, so that the book can print them.
"""

# Standard deviation between people of the sliders that no face score drives.
OWN_SD = {
    "head-angle": 0.12, "head-back-scale-depth": 0.30, "head-diamond": 0.22, "head-invertedtriangular": 0.22,
    "head-oval": 0.24, "head-rectangular": 0.24, "head-round": 0.18, "head-scale-horiz": 0.13, "head-scale-vert": 0.15,
    "head-scale-depth": 0.20, "forehead-nubian": 0.40, "forehead-scale-vert": 0.32, "forehead-temple": 0.50,
    "forehead-trans": 0.40, "eyebrows-angle": 0.40, "eyebrows-trans-up": 0.50, "eye-bag": 0.35, "eye-bag-height": 0.35,
    "eye-corner1": 0.50, "eye-corner2": 0.60, "eye-epicanthus": 0.30, "eye-eyefold": 0.50, "eye-eyefold-angle": 0.50,
    "eye-height1": 0.28, "eye-height2": 0.22, "eye-height3": 0.28, "eye-push1": 0.28, "eye-push2": 0.32,
    "eye-trans-out": 0.42, "eye-trans-up": 0.32, "nose-base": 0.50, "nose-compression": 0.45, "nose-curve": 0.50,
    "nose-flaring": 0.45, "nose-greek": 0.45, "nose-hump": 0.48, "nose-nostrils-angle": 0.50, "nose-point": 0.50,
    "nose-point-width": 0.55, "nose-septumangle": 0.50, "nose-width1": 0.50, "nose-width2": 0.50, "nose-trans-up": 0.35,
    "nose-trans-forward": 0.30, "mouth-angles": 0.28, "mouth-cupidsbow": 0.50, "mouth-cupidsbow-width": 0.50,
    "mouth-lowerlip-width": 0.35, "mouth-upperlip-width": 0.30, "mouth-lowerlip-middle": 0.25,
    "mouth-upperlip-middle": 0.25, "mouth-philtrum-volume": 0.50, "mouth-scale-depth": 0.30, "mouth-scale-vert": 0.30,
    "mouth-trans-up": 0.35, "mouth-trans-forward": 0.32, "mouth-laugh-lines": 0.30, "mouth-dimples": 0.30,
    "chin-cleft": 0.35, "chin-height": 0.14, "chin-jaw-drop": 0.45, "chin-prognathism": 0.35, "chin-prominent": 0.38,
    "chin-triangle": 0.18, "cheek-bones": 0.55, "cheek-inner": 0.50, "cheek-trans": 0.45, "ear-flap": 0.40,
    "ear-lobe": 0.45, "ear-rot": 0.40, "ear-scale": 0.32, "ear-scale-depth": 0.30, "ear-scale-vert": 0.35,
    "ear-trans-up": 0.25, "ear-trans-forward": 0.25, "ear-wing": 0.50,
}  # fmt: skip
ONE_SIDED = ("head-diamond", "head-invertedtriangular", "head-oval", "head-rectangular", "head-round")
CUT = 1.9  # standard deviations: no slider of its own goes further
LIMIT = 0.9  # sliders approach plus or minus this softly, so that causes that add up make no caricature
ASYMMETRY_SD = 0.22
RESTING_SMILE = (0.15, 0.07)  # mean and SD of the smile units in a face at rest

# What one standard deviation of a face score moves.
SCORE_SLIDERS = {
    "head": {"head-scale-horiz": 0.12, "head-scale-vert": 0.14, "head-scale-depth": 0.20},
    "jaw": {"head-square": 0.20, "head-triangular": 0.09, "chin-width": 0.32, "chin-bones": 0.25},
    "lower_face": {"chin-height": 0.21, "chin-jaw-drop": 0.15},
    "nose": {"nose-scale-vert": 0.30, "nose-scale-depth": 0.40, "nose-volume": 0.30},
    "nose_width": {
        "nose-scale-horiz": 0.24, "nose-nostrils-width": 0.12, "nose-width3": 0.12, "nose-width2": 0.20,
        "nose-point-width": 0.15,
    },
    "lip": {
        "mouth-upperlip-height": 0.36, "mouth-lowerlip-height": 0.27, "mouth-upperlip-volume": 0.28,
        "mouth-lowerlip-volume": 0.26,
    },
    "mouth_width": {"mouth-scale-horiz": 0.36},
    "fat": {"head-fat": 0.10, "cheek-volume": 0.34, "neck-double": 0.12, "measure-neck-circ": 0.12},
    "androgen": {"eyebrows-trans-forward": 0.16, "chin-prominent": 0.14},
    "neck": {"neck-scale-horiz": 0.42, "neck-scale-depth": 0.30},
    "brow": {"eyebrows-trans-forward": 0.28, "eyebrows-trans-up": -0.22, "forehead-trans": 0.15},
    "eye_size": {"eye-scale": 0.40, "eye-height2": 0.14},
}  # fmt: skip

# Means that every face gets: MakeHuman's neutral face looks stern and narrow-mouthed without them.
BASE = {
    "eyebrows-angle": 0.30, "mouth-scale-horiz": 0.20, "mouth-angles": 0.40, "eye-height2": 0.16, "eye-trans-out": -0.1,
    "mouth-upperlip-height": -0.05,
}  # fmt: skip

# Towards published means (`DIRECTIONS` in benchmarks/anthropometry.py), per unit of ancestry, masculinity and age.
AFRICAN = {"nose-scale-horiz": 0.10, "eye-trans-out": 0.30}
ASIAN = {"nose-scale-horiz": 0.45, "head-scale-horiz": 0.38, "eye-trans-out": 0.05, "cheek-bones": 0.15}
MASCULINE = {  # times masculinity - 0.5
    "nose-scale-horiz": 0.30, "nose-scale-vert": 0.20, "nose-volume": 0.25, "chin-width": 0.55, "head-square": 0.32,
    "chin-prominent": 0.30, "chin-height": 0.10, "eyebrows-trans-forward": 0.60, "eyebrows-trans-up": -0.55,
    "eye-scale": -0.35, "eye-height2": -0.30, "neck-scale-horiz": 0.70, "cheek-volume": -0.20,
    "mouth-upperlip-height": -0.45, "mouth-lowerlip-height": -0.35, "mouth-upperlip-volume": -0.25,
    "mouth-lowerlip-volume": -0.25, "forehead-trans": 0.35, "eyebrows-angle": -0.25, "head-scale-vert": 0.08,
}  # fmt: skip
OLD = {  # times 0 at 30 years, 1 at 77
    "eye-height1": -0.12, "eye-height2": -0.22, "eye-height3": -0.30, "ear-scale-vert": 0.5, "ear-lobe": 0.6,
    "nose-scale-vert": 0.35, "nose-point": -0.25, "mouth-upperlip-volume": -0.25, "mouth-lowerlip-volume": -0.2,
    "mouth-philtrum-volume": -0.1, "mouth-trans-up": -0.55, "neck-double": 0.45, "cheek-inner": -0.25,
    "eye-bag": 0.75, "head-age": 0.55, "mouth-laugh-lines": 0.35, "eyebrows-trans-up": -0.15,
}  # fmt: skip
GROUP = {  # the invented group B has features of its own, so that it is more than a blend
    "B": {
        "nose-hump": 0.55, "nose-curve": -0.30, "nose-scale-depth": 0.25, "eye-corner2": 0.40,
        "eyebrows-trans-up": -0.3, "cheek-bones": 0.35, "forehead-trans": 0.30, "chin-cleft": 0.20,
    },
}  # fmt: skip
