"""What is measured: the name, unit and words of every number in a record, and whether more of it is better.

One name means one thing in every record. A share is stored as a share in [0, 1] and shown in per cent; angles are in
degrees, times in seconds. Where several faces are equally near, every retrieval number is the expectation over a random
order of them.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["MEASURES", "Measure"]


class Measure(NamedTuple):
    """Unit ("" for a plain number), words for a table, and "more" or "less" for what is better ("" for neither)."""

    unit: str
    words: str
    better: str = ""


MEASURES: dict[str, Measure] = {
    # distances of features
    "angle": Measure("deg", "angle to the true feature", "less"),
    "angle_gain": Measure("deg", "nearer to the true feature by", "more"),
    "angle_gap": Measure("deg", "largest difference of the angle between groups", "less"),
    "angle_from_average": Measure("deg", "angle to the average prediction"),
    "clip_angle": Measure("deg", "angle between the predictions of two clips"),
    "cosine": Measure("", "cosine of two features"),
    "l2": Measure("", "Euclidean distance of two features", "less"),
    "spread": Measure("", "mean distance of features from their mean"),
    "spread_share": Measure("", "spread over people, as a share of the truth's"),
    "detail": Measure("", "fine detail of pictures, as a share of the truth's"),
    # finding the face: k is per cent of the gallery, a rank, or the number of faces in a lineup
    "top_percent": Measure("share", "own face in the first k % of the gallery", "more"),
    "top_percent_gain": Measure("share", "more own faces in the first k %", "more"),
    "recall_at": Measure("share", "own face among the first k", "more"),
    "match": Measure("share", "own face picked out of k", "more"),
    "match_gain": Measure("share", "more own faces picked out of k", "more"),
    "median_rank": Measure("", "median rank of the own face", "less"),
    "median_rank_share": Measure("share", "median rank as a share of the gallery", "less"),
    "share_of_oracle": Measure("share", "gain over chance as a share of the oracle's", "more"),
    "auc": Measure("", "area under the ROC curve (chance 0.5)", "more"),
    "equal_error_rate": Measure("share", "equal error rate", "less"),
    "cllr": Measure("", "cost of the log likelihood ratio", "less"),
    "median_likelihood_ratio": Measure("", "median likelihood ratio of true pairs", "more"),
    "false_match_rate": Measure("share", "pairs of two people taken for one", "less"),
    # labels
    "agreement": Measure("share", "same label", "more"),
    "agreement_constant": Measure("share", "same label, best constant guess"),
    "balanced_accuracy": Measure("share", "same label, mean over the classes", "more"),
    "within_one_decade": Measure("share", "age within one decade", "more"),
    "within_one_decade_constant": Measure("share", "age within one decade, best constant guess"),
    "sex_right": Measure("share", "sex as assigned", "more"),
    "sex_gap": Measure("share", "largest difference of right sex labels between groups", "less"),
    "group_right": Measure("share", "group as assigned", "more"),
    "age_mae": Measure("years", "mean error of the age", "less"),
    "age_r": Measure("", "correlation with the age", "more"),
    "purity": Measure("share", "neighbours with the same label", "more"),
    "purity_shuffled": Measure("share", "neighbours with the same label, labels shuffled"),
    "p": Measure("", "p of a permutation test", "less"),
    "p_holm": Measure("", "p, corrected for the number of face measures (Holm)", "less"),
    # correlations and effects
    "r": Measure("", "correlation", "more"),
    "median_r": Measure("", "median correlation of the face measures", "more"),
    "significant": Measure("", "significant correlations of 13 (Holm)", "more"),
    "largest_random_r": Measure("", "largest correlation of random pairs"),
    "within_tolerance": Measure("", "correlations within 0.10 of the paper's, of 12", "more"),
    "directions_right": Measure("share", "face measures that differ between the sexes as in the literature", "more"),
    "effect": Measure("", "share of the way between two groups"),
    "skin_error": Measure("", "mean error of skin lightness", "less"),
    "texture_error": Measure("share", "texture error as a share of the mean face's", "less"),
    "landmark_error": Measure("", "distance of landmarks, in distances between the eyes", "less"),
    "detected": Measure("share", "pictures in which a face is found", "more"),
    "labelled_female": Measure("share", "labelled female"),
    "distance": Measure("", "Euclidean distance of dlib's features"),
    "largest_r": Measure("", "largest correlation of sound with body or face"),
    "chance_r": Measure("", "what 95 % of shuffled populations stay below"),
    # yes, no and undecided
    "came_true": Measure("", "1 where a prediction came true"),
    "confirmed": Measure("", "1 confirmed, 0 not, 0.5 undecided"),
    "learned": Measure("", "1 where it ends nearer than an answer that hears nothing"),
    "same_result": Measure("", "1 where two ways give the same"),
    "verdicts": Measure("", "claims with this verdict"),
    # training
    "learning_rate": Measure("", "learning rate"),
    "clips_to_angle": Measure("", "clips heard until a given angle", "less"),
    "angle_spread": Measure("deg", "spread of the angle over seeds where their mean reaches a given one", "less"),
    "rate_octaves": Measure("", "range of learning rates that work, in factors of two", "more"),
    "gradient_norm_cv": Measure("", "variation of the gradient norm", "less"),
    "spikes": Measure("", "spikes of the loss", "less"),
    "runs": Measure("", "runs"),
    "failed_runs": Measure("", "runs that diverged", "less"),
    "reached": Measure("", "runs that reached the target angle", "more"),
    "clips_seen": Measure("", "clips heard in training"),
    "clips_for_share": Measure("", "clips at which a share is reached", "less"),
    "coefficient": Measure("", "coefficient of a fitted curve"),
    # counts
    "clips": Measure("", "clips"),
    "speakers": Measure("", "speakers"),
    "people": Measure("", "people"),
    "faces": Measure("", "faces found"),
    "unreadable": Measure("", "files that cannot be read", "less"),
    "incomplete": Measure("", "clips that lack a file", "less"),
    "files": Measure("", "files"),
    "threads": Measure("", "threads"),
    "requests": Measure("", "requests that leave the folder", "less"),
    "no_face": Measure("share", "pictures without a face found", "less"),
    "complaints": Measure("", "complaints", "less"),
    "kills_survived": Measure("", "kills survived", "more"),
    # time, speed and size
    "duration": Measure("s", "time", "less"),
    "load": Measure("", "load average of the machine", "less"),
    "overhead": Measure("share", "overhead", "less"),
    "step_ratio": Measure("", "time of a plain step over ours", "more"),
    "headroom": Measure("", "rate of the data pipeline over that of training", "more"),
    "speedup": Measure("", "times as fast", "more"),
    "rate": Measure("1/s", "per second", "more"),
    "share_of_peak": Measure("share", "share of the machine's peak", "more"),
    "tflops": Measure("TFLOP/s", "floating-point rate", "more"),
    "bandwidth": Measure("GB/s", "memory rate", "more"),
    "memory": Measure("MB", "memory", "less"),
    "size": Measure("MB", "size", "less"),
    "pixel_error": Measure("", "difference of a pixel, of 255", "less"),
    "landmark_pixels": Measure("pixels", "distance of a landmark", "less"),
    "max_error": Measure("", "largest absolute error", "less"),
    "loss": Measure("", "training loss", "less"),
}
