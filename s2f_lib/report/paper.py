"""The paper's tables 2 and 3 as data; what its figures and supplement print is in `s2f_lib.published.paper`.

Source: Oh et al. (2019), CVPR camera-ready, pp. 7539-7548; other sources stand with their numbers.
"""

from __future__ import annotations

from types import MappingProxyType

# Table 2, 5,000 random AVSpeech test clips: mean and spread over clips. The scale of L2 and L1 is not stated.
SIMILARITY = MappingProxyType(
    {
        3: {"angle_deg": (48.43, 6.01), "l2": (0.19, 0.03), "l1": (9.81, 1.74)},
        6: {"angle_deg": (45.75, 5.09), "l2": (0.18, 0.02), "l1": (9.42, 1.54)},
    }
)
# Table 3, percent of clips; "R@K" is the first K percent of 5,000.
RETRIEVAL = MappingProxyType(
    {
        (3, "l2"): {1: 5.86, 2: 10.02, 5: 18.98, 10: 28.92},
        (3, "l1"): {1: 6.22, 2: 9.92, 5: 18.94, 10: 28.70},
        (3, "cosine"): {1: 8.54, 2: 13.64, 5: 24.80, 10: 38.54},
        (6, "l2"): {1: 8.28, 2: 13.66, 5: 24.66, 10: 35.84},
        (6, "l1"): {1: 8.34, 2: 13.70, 5: 24.66, 10: 36.22},
        (6, "cosine"): {1: 10.92, 2: 17.00, 5: 30.60, 10: 45.82},
    }
)
