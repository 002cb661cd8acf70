"""The ablation by its design: a fair search, rows that stay, verdicts by stated rules."""

import json
from dataclasses import replace

import numpy as np
import pytest

from s2f_lib import config
from s2f_lib.io.measures import MEASURES
from s2f_lib.studies.ablation import design, fair, outcome, runs
from s2f_lib.training.loop import OutOfMemory

FAIR = design.load("fair_ablation")


def searched(angles, variant="l2", seeds=(100, 101), warm_up=0.1, start=True):
    """Rows of a search: {rate: angle or None for a run that failed}."""
    rows = []
    for rate, angle in angles.items():
        for seed in seeds:
            job = design.Job(variant, "search", design.Choice(rate, warm_up, start), seed)
            choice = {"rate": rate, "warm_up": warm_up, "start_from_mean": start}
            row = {"job": job.name, "variant": variant, "stage": "search", "seed": seed, "choice": choice}
            rows.append(row | {"failed": "" if angle else "not finite"} | ({"angle": angle} if angle else {}))
    return rows


def test_the_test_people_were_never_looked_at():
    others = {*config.SEEDS.values(), FAIR.train.seed, FAIR.validation.seed}
    assert FAIR.test.seed not in others


def test_every_variant_hears_as_many_clips_and_at_least_a_hundred_thousand():
    heard = set()
    for name in FAIR.variants:
        settings = FAIR.settings(design.Job(name, "main", design.Choice(1e-3, 0.1, True), 0))
        heard.add(settings.batch_size * settings.max_steps)
    assert heard == {102_400}


def test_a_loss_variant_has_only_the_terms_it_names():
    def terms(name):
        return set(FAIR.settings(design.Job(name, "main", design.Choice(1e-3, 0.1, True), 0)).loss.weights())

    assert terms("l1") == terms("l1_before_relu") == {"l1"}
    assert terms("l1_f_dec") == terms("l1_random") == terms("l1_whitened") == terms("pixels") == {"decoder"}
    assert terms("no_distill") == {"decoder", "normalized"}
    assert terms("full") == terms("he_full") == {"decoder", "normalized", "distill"}


def test_ties_go_to_the_higher_rate_and_failures_lose():
    rows = searched({0.0005: 63.9, 0.001: 64.0, 0.002: 64.1, 0.004: None})
    assert FAIR.best("l2", rows).rate == 0.002
    with pytest.raises(ValueError, match="every learning rate of 'l2' failed"):
        FAIR.best("l2", searched({0.001: None}))


def test_a_best_rate_at_the_edge_is_followed_until_it_lies_inside():
    rows = searched({0.00025: 66, 0.0005: 65, 0.001: 64, 0.002: 63, 0.004: 62})
    jobs = FAIR.search_jobs("l2", rows)
    assert {job.choice.rate for job in jobs} == {0.008}
    rows += searched({0.008: 64.0})
    jobs = FAIR.search_jobs("l2", rows)  # inside now: the warm-up is next, at the best rate
    assert {(job.choice.rate, job.choice.warm_up) for job in jobs} == {(0.004, 0.3)}
    rows += searched({0.004: 61.0}, warm_up=0.3)
    jobs = FAIR.search_jobs("l2", rows)
    assert {(job.choice.warm_up, job.choice.start_from_mean) for job in jobs} == {(0.3, False)}
    rows += searched({0.004: 66.0}, warm_up=0.3, start=False)
    assert FAIR.search_jobs("l2", rows) == []
    assert FAIR.main_jobs("l2", rows)[0].choice == design.Choice(0.004, 0.3, True)


def test_an_optimiser_with_a_rate_of_its_own_keeps_it():
    jobs = FAIR.search_jobs("published_optimiser", [])
    assert {job.choice.rate for job in jobs} == {0.001}


@pytest.fixture
def tiny(settings, clips, layers, monkeypatch):
    """A design of three variants on sixteen clips."""
    base = config.to_dict(settings("l2", max_steps=4, evaluate_every=2, log_every=1, checkpoint_every=2))
    l1 = {"weight_l1": 1.0, "weight_l2": 0.0}
    variants = {
        "full_rederived": design.Variant("", {}),
        "l1": design.Variant("", {"loss": l1}),
        "l1_before_relu": design.Variant("", {"loss": l1}, target="before_relu"),
    }
    search = design.Search(rates=(1e-3, 2e-3, 4e-3), warm_ups=(0.1,), seeds=(100,), tie_deg=90.0, extend=0)
    values = {"base": base, "variants": variants, "search": search, "seeds": (0, 1), "targets_deg": (89.0,)}
    monkeypatch.setattr(runs, "clips", lambda people, target="v_f", input="magnitude": clips)
    monkeypatch.setattr(runs, "layers", lambda behind, people: layers)

    def score(encoder, people, rectified):
        return [{"measure": "angle", "value": 40.0 + rectified, "seconds": 6.0}]

    monkeypatch.setattr(runs, "score", score)
    return replace(FAIR, name="tiny", **values)


def test_a_study_runs_once_goes_on_and_is_recorded(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(fair, "load", lambda name: tiny)
    monkeypatch.setenv("S2F_RESULTS", str(tmp_path / "results"))
    typed = ["--runs", str(tmp_path / "work")]
    assert fair.main([*typed, "--stage", "search"]) == 0
    rows = tmp_path / "results/ablation_runs/tiny"
    assert len(list(rows.glob("search-*.json"))) == 3 * 3
    assert fair.main(typed) == 0
    assert len(list(rows.glob("main-*.json"))) == 3 * 2
    assert max(path.stat().st_size for path in rows.iterdir()) < 8_000  # small enough to be committed
    assert not any((tmp_path / "work/tiny").iterdir())  # checkpoints go when a run is over
    monkeypatch.setattr(runs, "AblationTrainer", None)  # a second call would fail if it trained
    assert fair.main(typed) == 0
    record = json.loads((tmp_path / "results/tiny.json").read_text())
    assert {row["question"] for row in record["rows"] if row["experiment"] == "verdicts"} == set(outcome.CLAIMS)
    assert {row["measure"] for row in record["rows"]} <= set(MEASURES)
    learned = [r for r in record["rows"] if r["measure"] == "learning_rate" and r["variant"] == "l1"]
    assert learned[0]["value"] == 4e-3  # all tied: the highest


def test_a_row_of_another_design_is_refused(tiny, tmp_path):
    job = tiny.search_jobs("l1", [])[0]
    row = runs.run(job, tiny, tmp_path / "rows", tmp_path / "work")
    assert runs.run(job, tiny, tmp_path / "rows", tmp_path / "work") == row | {"made_from": runs.made_from(job, tiny)}
    other = replace(tiny, base=tiny.base | {"max_steps": 5})
    with pytest.raises(ValueError, match="made from other settings; delete it"):
        runs.run(job, other, tmp_path / "rows", tmp_path / "work")


def test_a_run_that_diverges_is_a_row_and_one_without_memory_is_none(tiny, tmp_path, monkeypatch):
    def diverge(self, batch):
        raise runs.TrainingError("the loss is no longer finite")

    job = tiny.search_jobs("l1", [])[0]
    monkeypatch.setattr(runs.AblationTrainer, "losses", diverge)
    assert "finite" in runs.run(job, tiny, tmp_path / "rows", tmp_path / "work")["failed"]

    def full(self, batch):
        raise OutOfMemory("full")

    monkeypatch.setattr(runs.AblationTrainer, "losses", full)
    with pytest.raises(OutOfMemory):
        runs.run(tiny.search_jobs("full_rederived", [])[0], tiny, tmp_path / "rows", tmp_path / "work")
    assert len(list((tmp_path / "rows").iterdir())) == 1


def test_who_aims_before_the_relu_is_judged_behind_it(tiny, clips):
    settings = tiny.settings(tiny.search_jobs("l1", [])[0])
    trainer = runs.AblationTrainer(settings, clips, validation=clips)
    trainer.rectified = True
    trainer.encoder.fc2.bias.data -= 0.5
    judged = runs.predict(trainer.encoder, clips, True)
    assert (judged >= 0).all()
    assert (runs.predict(trainer.encoder, clips, False) < 0).any()


def test_maps_behind_which_a_loss_compares(clips, layers, monkeypatch):
    v_f = np.abs(np.random.default_rng(0).normal(size=(400, 6))) @ np.diag([1, 2, 3, 4, 5, 6])
    source = replace_features(clips, v_f.astype(np.float32))
    monkeypatch.setattr(runs, "clips", lambda people, target="v_f", input="magnitude": source)
    monkeypatch.setattr(runs, "frozen_layers", lambda name: layers)
    import torch

    white = runs.layers.__wrapped__("whitened", None)["f_dec"]
    values = white(torch.from_numpy(source.v_f)).detach().numpy()
    np.testing.assert_allclose(np.cov(values.T), np.eye(values.shape[1]), atol=1e-3)
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-3)
    random = runs.layers.__wrapped__("random", None)["f_dec"]
    assert random.weight.shape == (runs.ROWS, 6)
    assert np.median(random(torch.from_numpy(source.v_f)).detach().numpy()) == pytest.approx(0, abs=1)
    with pytest.raises(ValueError, match="got 'nothing'"):
        runs.layers.__wrapped__("nothing", None)


def replace_features(clips, v_f):
    from s2f_lib.training import ArraySource

    return ArraySource(np.zeros((len(v_f), 8), np.int16), v_f)


# --- rules


def test_nothing_learned_is_never_stable():
    assert outcome.octaves({0.001: 65.9, 0.002: 66.0, 0.004: 66.1}, start_deg=66.0, learned_deg=1.0) == 0
    assert outcome.octaves({0.001: 62.0, 0.002: 61.0, 0.004: 64.0, 0.008: 70.0}, 66.0, 1.0) == 1
    assert np.isnan(outcome.spread_at([[[1, 66.0]], [[1, 66.0]]], 65.0))


def test_spread_is_taken_where_the_mean_gets_there():
    curves = [[[1, 66.0], [2, 64.0], [3, 60.0]], [[1, 66.0], [2, 62.0], [3, 60.0]]]
    assert outcome.spread_at(curves, 63.0) == pytest.approx(np.sqrt(2))


def test_clips_to_an_angle_by_hand():
    curve = [[10, 50.0], [20, 40.0], [30, 39.0]]
    assert outcome.clips_to(curve, 45.0, 2) == 30
    assert outcome.clips_to(curve, 60.0, 2) == 20
    assert outcome.clips_to(curve, 30.0, 2) == np.inf
    assert outcome.clips_to([[10, 50.0, 0], [20, 40.0, 0]], 45.0, 1) == 15  # what else a curve holds does not matter


def test_differences_follow_the_exact_permutation_test():
    from scipy import stats

    a, b = [5, 6, 7, 8, 9], [1, 2, 3, 4, 4.5]
    theirs = stats.permutation_test((a, b), lambda x, y: np.mean(x) - np.mean(y), n_resamples=np.inf)
    assert outcome.permutation_p(a, b) == pytest.approx(theirs.pvalue)
    assert (outcome.more(a, b), outcome.more(b, a)) == (1.0, 0.0)
    assert outcome.more([1, 3, 5, 7, 9], [2, 4, 6, 8, 10]) == 0.5
    assert outcome.more([10, 11, 12], [1, 2, 3]) == 0.5  # three seeds can never reach 5 %
