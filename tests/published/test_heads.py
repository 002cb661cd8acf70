"""Heads against textbook formulas and other libraries; cross-validation that cannot leak."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.linear_model import Ridge

from s2f_lib.published import matching
from s2f_lib.published.voice_heads import Average, ContrastiveHead, KernelHead, LikelihoodHead, RidgeHead


def made_up(n=300, signal=1.0, seed=0):
    """Voices (n, 8) and faces (n, 6) that share ``signal`` times three hidden numbers; two clips of each speaker."""
    rng = np.random.default_rng(seed)
    hidden = rng.standard_normal((n, 3))
    voice = signal * hidden @ rng.standard_normal((3, 8)) + rng.standard_normal((n, 8))
    face = 5 + signal * hidden @ rng.standard_normal((3, 6)) + rng.standard_normal((n, 6))
    return voice, face, np.arange(n) // 2


def test_ridge_predicts_what_scikit_learn_predicts():
    voice, face, _ = made_up()
    scaled = (voice - voice.mean(0)) / voice.std(0)
    theirs = Ridge(alpha=50).fit(scaled, face).predict(scaled)
    np.testing.assert_allclose(RidgeHead(50).fit(voice, face).predict(voice), theirs, atol=1e-6)


def test_left_out_predictions_are_those_of_fits_without_the_clip():
    voice, face, _ = made_up(40)
    head = RidgeHead(5.0)
    quick = head.fit(voice, face).left_out
    x, y = head._standardised(voice), face - face.mean(0)
    for i in (0, 17, 39):
        rest = np.arange(40) != i
        weight = np.linalg.solve(x[rest].T @ x[rest] + 5 * np.eye(8), x[rest].T @ y[rest])
        np.testing.assert_allclose(quick[i], x[i] @ weight, atol=1e-9)


def test_likelihood_score_is_the_ratio_of_two_gaussians():
    voice, face, _ = made_up()
    head = LikelihoodHead(20.0, 0.3).fit(voice, face)
    ours = head.score(voice[:4], face[:50])
    anyone = multivariate_normal(face.mean(0), np.linalg.inv(head.precision_any)).logpdf(face[:50])
    for i, centre in enumerate(head.predict(voice[:4])):
        theirs = multivariate_normal(centre, np.linalg.inv(head.precision_voice)).logpdf(face[:50]) - anyone
        np.testing.assert_allclose(ours[i] - ours[i, 0], theirs - theirs[0], atol=1e-8)


def test_one_scale_does_not_make_weak_features_loud():
    voice, face, speakers = made_up(300, 2.0)
    noisy = np.hstack([voice, 1e-3 * np.random.default_rng(1).standard_normal((300, 100))])

    def score(scaling):
        make = lambda v, f, s: LikelihoodHead(30.0, 0.5, scaling).fit(v, f)  # noqa: E731
        return matching.ranks(matching.out_of_fold(make, noisy, face, speakers), speakers).match(2).mean()

    assert score("one") > score("each") + 0.01
    with pytest.raises(ValueError, match="'each' or 'one', got 'all'"):
        RidgeHead(1.0, "all")


def test_full_shrinking_leaves_a_plain_scalar_product():
    voice, face, _ = made_up()
    head = LikelihoodHead(20.0, 1.0).fit(voice, face)
    plain = (head.predict(voice) - face.mean(0)) @ (face - face.mean(0)).T
    assert (head.score(voice, face).argsort(axis=1) == plain.argsort(axis=1)).all()


def test_a_head_survives_being_written(tmp_path):
    voice, face, _ = made_up()
    head = LikelihoodHead(20.0, 0.3).fit(voice, face)
    np.savez(tmp_path / "head.npz", **head.state())
    with np.load(tmp_path / "head.npz") as arrays:
        again = LikelihoodHead.from_state(dict(arrays))
    np.testing.assert_array_equal(again.score(voice, face), head.score(voice, face))
    np.testing.assert_array_equal(again.predict(voice), head.predict(voice))


def test_a_kernel_head_hears_what_no_straight_line_can():
    """The face goes with how far a voice is from the mean: a linear head is at chance, this one is not."""
    rng = np.random.default_rng(0)
    voice = rng.standard_normal((600, 3))
    distance = np.linalg.norm(voice, axis=1, keepdims=True)
    face = distance * np.array([[2.0, -1.0, 0.5]]) + 0.2 * rng.standard_normal((600, 3))

    def matched(head):
        head.fit(voice[:400], face[:400])
        return matching.ranks(head.score(voice[400:], face[400:]), np.arange(200)).match(2).mean()

    assert matched(LikelihoodHead(1.0, 0.5)) < 0.6
    assert matched(KernelHead(0.1, 0.5, 0.7)) > 0.8


def test_a_contrastive_head_starts_at_ridge_and_lowers_its_loss():
    import torch

    from s2f_lib.losses import info_nce

    voice, face, _ = made_up()
    start, later = (ContrastiveHead(50.0, steps).fit(voice, face) for steps in (0, 60))
    offset = start._offset(voice)
    cosine = offset @ (face - face.mean(0)).T
    cosine /= np.linalg.norm(offset, axis=1)[:, None] * np.linalg.norm(face - face.mean(0), axis=1)
    np.testing.assert_allclose(start.score(voice, face), cosine, atol=1e-5)

    def loss(head):
        sides = head._standardised(voice) @ head.voice_map, (face - head.face_mean) @ head.face_map
        return float(info_nce(*map(torch.from_numpy, sides), 0.1).mean())

    assert loss(later) < loss(start) - 0.05


def test_average_of_one_head_ranks_like_it():
    voice, face, _ = made_up()
    one = RidgeHead(20.0).fit(voice, face).score(voice, face)
    average = Average((RidgeHead(20.0),)).fit(voice, face)
    assert (average.score(voice, face).argsort(axis=1) == one.argsort(axis=1)).all()
    np.testing.assert_allclose(average.predict(voice), RidgeHead(20.0).fit(voice, face).predict(voice))


@pytest.mark.parametrize("make", [lambda: RidgeHead(0), lambda: LikelihoodHead(1, 1.5)])
def test_settings_without_sense_are_refused(make):
    with pytest.raises(ValueError, match="should"):
        make()


def test_too_few_pairs_are_refused():
    with pytest.raises(ValueError, match="at least 10 pairs, got 9 and 9"):
        RidgeHead().fit(np.ones((9, 2)), np.ones((9, 2)))


def test_folds_keep_a_speaker_together_and_do_not_change():
    speakers = np.repeat([f"s{i}" for i in range(40)], 3)
    fold = matching.folds_by_speaker(speakers, 5, seed=1)
    assert all(len(set(fold[speakers == s])) == 1 for s in set(speakers))
    assert sorted(np.bincount(fold)) == [24] * 5
    np.testing.assert_array_equal(fold, matching.folds_by_speaker(speakers, 5, seed=1))
    assert (fold != matching.folds_by_speaker(speakers, 5, seed=2)).any()
    with pytest.raises(ValueError, match="3 speakers cannot fill 5 folds"):
        matching.folds_by_speaker(["a", "b", "c"], 5)


def test_no_head_meets_a_speaker_it_is_tested_on():
    voice, face, speakers = made_up(60)
    asked = []

    class Spy(RidgeHead):
        def score(self, tested, faces):
            asked.append((self.known, {tuple(row) for row in tested}))
            return super().score(tested, faces)

    def make(v, f, s):
        head = Spy(1.0).fit(v, f)
        head.known = set(s)
        return head

    matching.out_of_fold(make, voice, face, speakers, folds=6)
    rows = {tuple(row): speaker for row, speaker in zip(voice, speakers, strict=True)}
    assert len(asked) == 6
    assert sum(len(tested) for _, tested in asked) == 60
    assert all(rows[row] not in known for known, tested in asked for row in tested)


def test_a_planted_link_is_found_and_an_absent_one_is_not():
    def score(signal):
        voice, face, speakers = made_up(400, signal)
        scores = matching.out_of_fold(lambda v, f, s: LikelihoodHead(50.0).fit(v, f), voice, face, speakers)
        return matching.ranks(scores, speakers).match(2).mean()

    assert score(3.0) > 0.9
    assert score(0.0) == pytest.approx(0.5, abs=0.05)


def test_ranks_leave_out_other_clips_of_the_speaker_and_other_groups():
    scores = np.array([[0.5, 0.9, 0.4, 0.6], [0.1, 0.2, 0.2, 0.9], [0.0, 0.0, 1.0, 0.0], [9.0, 9.0, 9.0, 1.0]])
    found = matching.ranks(scores, ["a", "a", "b", "c"])
    assert found.closer.tolist() == [1, 1, 0, 3]
    assert found.tied.tolist() == [0, 1, 0, 0]
    assert found.size.tolist() == [3, 3, 4, 4]
    found = matching.ranks(scores, ["a", "a", "b", "c"], ["f", "f", "f", "m"])
    assert found.closer.tolist() == [0, 0, 0, 0]
    assert found.size.tolist() == [2, 2, 3, 1]


def test_the_choice_on_training_pairs_takes_the_candidate_that_works():
    voice, face, speakers = made_up(200, 2.0)
    assert isinstance(matching.chosen([Blind, lambda: RidgeHead(20.0)])(voice, face, speakers), RidgeHead)
    assert not isinstance(matching.chosen([Blind, lambda: RidgeHead(20.0)])(voice, face, speakers), Blind)
    few = matching.chosen([lambda: RidgeHead(0.01), lambda: RidgeHead(30.0)])
    noise = np.random.default_rng(0).standard_normal((200, 150))  # many useless numbers: the small penalty overfits
    assert few(np.hstack([voice, noise]), face, speakers).alpha == 30


class Blind(RidgeHead):
    """Gives every face the same score."""

    def __init__(self):
        super().__init__(1.0)

    def _score_offset(self, offset, faces):
        return np.zeros((len(offset), len(faces)))


def test_constant_scores_are_at_chance():
    found = matching.ranks(np.zeros((200, 200)), np.arange(200))
    means = {name: values.mean() for name, values in matching.measures([found]).items()}
    assert means.pop(("match", 2)) == 0.5
    assert list(means.values()) == pytest.approx([0.01, 0.02, 0.05, 0.10])


def test_intervals_draw_speakers_with_all_their_clips():
    values = np.repeat(np.random.default_rng(0).integers(0, 2, 50).astype(float), 20)
    wide = matching.intervals({"x": values}, np.repeat(np.arange(50), 20))["x"]
    narrow = matching.intervals({"x": values}, np.arange(1000))["x"]
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)
