"""Maps of features, and a number for each: how often is a neighbour in the space of the same label?

t-SNE pictures (the paper's supplement) mislead: islands appear in noise, and colours hide how mixed they are.
So each map is shown with the purity of the neighbours in the *original* space against shuffled labels.
"""

import numpy as np

from s2f_lib.metrics import inference
from s2f_lib.metrics.similarity import unit


def tsne(features: np.ndarray, perplexity: float = 30.0) -> np.ndarray:
    """t-SNE of unit features, after PCA to 50 components: (N, D) -> (N, 2); ValueError for too few clips."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    x = unit(features).astype(np.float64)
    if len(x) <= 3 * perplexity:
        raise ValueError(f"perplexity {perplexity} needs more than {int(3 * perplexity)} clips, got {len(x)}")
    x = PCA(min(50, len(x) - 1, x.shape[1]), random_state=0).fit_transform(x)
    return TSNE(2, perplexity=perplexity, init="pca", random_state=0).fit_transform(x)


def neighbours(features: np.ndarray, k: int = 10) -> np.ndarray:
    """Rows of the k nearest other clips by angle; (N, D) -> (N, k). ValueError unless 1 <= k < N."""
    from sklearn.neighbors import NearestNeighbors

    x = unit(features)
    if not 1 <= k < len(x):
        raise ValueError(f"k should lie in 1..{len(x) - 1} for {len(x)} clips, got {k}")
    return NearestNeighbors(n_neighbors=k, algorithm="brute").fit(x).kneighbors(return_distance=False)


def purity(neighbour_rows: np.ndarray, labels: np.ndarray) -> float:
    """Share of neighbours that carry the clip's own label."""
    return float((labels[neighbour_rows] == labels[:, None]).mean())


def purity_test(features: np.ndarray, labels: np.ndarray, times: int = 500) -> dict[str, float]:
    """Neighbour purity with its permutation distribution: ``value``, ``chance``, ``low``, ``high``, ``p``.

    Chance for labels with shares q is the sum of q squared, slightly less in a finite sample.
    """
    rows = neighbours(features)
    codes = np.unique(inference.as_column(labels, "labels", len(rows)), return_inverse=True)[1]
    return inference.permutation_test(lambda shuffled: purity(rows, shuffled), codes, times)
