"""Every measure, once: functions on arrays. Who is who, and what is compared with what, is the caller's matter.

- `similarity`: angle, L1 and L2 between features, random pairs;
- `retrieval`: rank-K of N, top-K percent, median rank, 1:2 and 1:N matching;
- `verification`: AUC, equal error rate, likelihood ratios and their cost;
- `labels`: confusion matrices, agreement, balanced accuracy;
- `face_measures`: the paper's craniofacial measures of 68 landmarks;
- `craniofacial`: correlations of face measures, pooled, within sex, with sex and age taken out;
- `embedding`: maps of features, and the purity of neighbours;
- `inference`: bootstrap over people, permutation, corrections for many tests; the checks of arrays that all share.

Examples
--------
>>> import numpy as np
>>> from s2f_lib import metrics
>>> metrics.similarity.angle_deg(np.array([[1.0, 0.0]]), np.array([[1.0, 1.0]])).round(6).tolist()
[45.0]
"""

from s2f_lib.metrics import (
    craniofacial,
    embedding,
    face_measures,
    inference,
    labels,
    retrieval,
    similarity,
    verification,
)
