"""The study of the loss: variants that differ in one thing, a fair rate for each, verdicts by a stated rule."""

import json
import types
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from s2f_lib import cli, config, io, training, voice_encoder
from s2f_lib.faces.decoder import DecoderShape, FaceDecoder
from s2f_lib.metrics.similarity import angle_deg
from s2f_lib.studies.ablation import jobs, scores, summary
from s2f_lib.training import validate
from s2f_lib.training.loop import OutOfMemory


def differing(a, b):
    a, b = (config.to_dict(x) for x in (a, b))
    return {key for key in a if a[key] != b[key]}


def test_the_full_variant_is_the_published_loss():
    full = jobs.variants()["full"]
    assert full.loss == training.LossConfig()
    assert not full.rederive_at


@pytest.mark.parametrize("name", [n for n in jobs.variants() if n not in ("full", "published_optimiser")])
def test_a_variant_changes_one_thing(name):
    variants = jobs.variants()
    assert len(differing(variants[name], variants["full"])) == 1


def test_the_published_optimiser_sees_as_many_clips():
    variants = jobs.variants()
    published, full = variants["published_optimiser"], variants["full"]
    paper = training.make_config("paper")
    for key in ("batch_size", "beta1", "beta2", "epsilon", "schedule", "weight_decay"):
        assert getattr(published, key) == getattr(paper, key), key
    assert published.batch_size * published.max_steps == full.batch_size * full.max_steps
    assert published.loss == full.loss


def test_l1_has_no_other_term():
    assert jobs.variants()["l1"].loss.weights() == {"l1": 1.0}


def test_an_unknown_study_is_refused():
    with pytest.raises(ValueError, match="loss_ablation"):
        jobs.variants("pitch")


def test_the_rate_with_the_smallest_angle_wins_and_failures_never_do():
    results = [
        {"variant": "l1", "rate": 1e-3, "final_angle_deg": 30.0, "failed": ""},
        {"variant": "l1", "rate": 1e-2, "final_angle_deg": 20.0, "failed": "not finite"},
        {"variant": "l1", "rate": 1e-4, "final_angle_deg": 35.0, "failed": ""},
    ]
    assert jobs.best_rate(results) == 1e-3
    with pytest.raises(ValueError, match="every learning rate failed"):
        jobs.best_rate(results[1:2])


def test_a_log_is_summarised():
    lines = [
        {"kind": "train", "step": s, "loss": 10.0 - s, "gradient_norm": 2.0, "seconds": 1.0 * s} for s in (1, 2, 3)
    ]
    lines.append({"kind": "train", "step": 4, "loss": 20.0, "gradient_norm": 4.0, "seconds": 4.0})
    lines.append({"kind": "validation", "step": 4, "angle_deg": 33.0, "top10_percent": 12.0, "seconds": 5.0})
    numbers = jobs.summarise(lines)
    assert numbers["spikes"] == 1
    assert numbers["gradient_norm_cv"] == pytest.approx(np.std([2, 2, 2, 4]) / 2.5)
    assert (numbers["final_angle_deg"], numbers["top10_percent"], numbers["seconds"]) == (33.0, 12.0, 5.0)


def test_a_study_runs_resumes_and_reports(clips, layers, settings, tmp_path, monkeypatch):
    tiny = {
        "full": settings("normalized", max_steps=4, evaluate_every=2),
        "l1": settings("l1", max_steps=4, evaluate_every=2),
    }
    study = jobs.Study(seeds=(0,), main_seeds=(0, 1), rates=(1e-3, 1e-2), search_share=0.5)
    monkeypatch.setattr(jobs, "variants", lambda name="loss_ablation": tiny)
    monkeypatch.setattr(jobs, "material", lambda study: (clips, clips, layers))
    monkeypatch.setenv("S2F_RESULTS", str(tmp_path / "results"))
    results, search = jobs.run_study(study, tmp_path / "runs", workers=1)
    assert [(r["variant"], r["seed"]) for r in results] == [("full", 0), ("l1", 0), ("full", 1), ("l1", 1)]
    assert [(r["variant"], r["rate"]) for r in search] == [(v, rate) for v in tiny for rate in study.rates]
    best = {v: min((r["final_angle_deg"], r["rate"]) for r in search if r["variant"] == v)[1] for v in tiny}
    assert all(r["rate"] == best[r["variant"]] for r in results)

    def never(*args, **kwargs):
        raise AssertionError("trained again")

    monkeypatch.setattr(training, "run", never)
    again, _ = jobs.run_study(study, tmp_path / "runs", workers=1)
    assert again == results
    start = float(angle_deg(clips.mean_feature[None], clips.v_f.astype(np.float32)).mean())
    target = summary.target_angle(results, start)
    timed = summary.add_speed(results, target, {name: c.max_steps for name, c in tiny.items()})
    path = summary.write(timed, search, study, start, target, 1.0, "s2f study ablation")
    record = io.read_record(path)
    assert record.value("confirmed", question="L1 slower") in (0, 0.5, 1)
    assert record.value("gradient_norm_cv", variant="l1") >= 0
    mean = np.mean([r["final_angle_deg"] for r in results if r["variant"] == "l1"])
    row = record.row("angle", variant="l1", experiment="final")
    assert row["value"] == pytest.approx(mean, abs=1e-5)
    assert row["n"] == 2
    searched = [record.value("angle", variant="full", experiment="rate search", rate=rate) for rate in (1e-3, 1e-2)]
    assert searched == pytest.approx([r["final_angle_deg"] for r in search[:2]], abs=1e-5)


@pytest.fixture
def job(clips, layers, settings, tmp_path, monkeypatch):
    """One tiny run of a study that has its material."""
    monkeypatch.setattr(jobs, "material", lambda study: (clips, clips, layers))
    return jobs.Job("l1", 0, 2e-3, str(tmp_path / "run"), settings("l1", max_steps=2, evaluate_every=1))


def test_a_result_of_something_else_is_refused(job, monkeypatch):
    study = jobs.Study(people=16, validation=16)
    result = jobs.run_job(job, study)
    assert jobs.run_job(job, replace(study, rates=(1.0,), seeds=(7,))) == result, "the same run of a wider study"
    with pytest.raises(ValueError, match=r"learning_rate = 0.002, not 0.5; delete .*run to run it again"):
        jobs.run_job(replace(job, config=replace(job.config, learning_rate=0.5)), study)
    with pytest.raises(ValueError, match="people = 16, not 32"):
        jobs._run_all([job], replace(study, people=32), workers=2)  # before any process is started
    monkeypatch.setattr(jobs.hub, "describe", lambda name: {"sha256": "other"})
    with pytest.raises(ValueError, match=r"recogniser = .*, not 'other'"):
        jobs.run_job(job, study)


def test_a_result_of_an_older_version_is_refused(job, tmp_path):
    path = tmp_path / "run" / jobs.RESULT
    path.parent.mkdir()
    path.write_text(json.dumps({"variant": "l1", "seed": 0, "rate": 2e-3, "failed": "", "final_angle_deg": 30.0}))
    with pytest.raises(ValueError, match=r"older version .* delete"):
        jobs.run_job(job, jobs.Study())


@pytest.mark.parametrize(
    "error", [training.TrainingError("the loss is not finite"), OutOfMemory("batch_size 4 needs 9 GB")]
)
def test_a_loss_that_fails_is_a_result_and_a_small_machine_is_none(job, tmp_path, monkeypatch, error):
    def fails(*args, **kwargs):
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "log.jsonl").write_text("")
        raise error

    monkeypatch.setattr(training, "run", fails)
    if isinstance(error, OutOfMemory):
        with pytest.raises(OutOfMemory, match="batch_size 4"):
            jobs.run_job(job, jobs.Study())
        assert not (tmp_path / "run" / jobs.RESULT).exists()
    else:
        assert jobs.run_job(job, jobs.Study())["failed"] == "the loss is not finite"
        assert (tmp_path / "run" / jobs.RESULT).exists()


@pytest.mark.parametrize(
    ("only", "message"), [("pitch", "no variant named pitch; there are full"), ("l2", "full or l1")]
)
def test_a_choice_that_cannot_be_reported_is_refused_before_training(only, message, monkeypatch, capsys):
    monkeypatch.setattr(jobs, "run_study", None)
    assert cli.main(["study", "ablation", "--only", only]) == 2
    assert message in capsys.readouterr().err


def test_a_part_of_a_study_is_printed_and_leaves_the_record_alone(
    clips, layers, settings, tmp_path, monkeypatch, capsys
):
    tiny = {
        name: settings(loss, max_steps=2, evaluate_every=1) for name, loss in (("full", "normalized"), ("l1", "l1"))
    }
    monkeypatch.setattr(jobs, "variants", lambda name="loss_ablation": tiny)
    monkeypatch.setattr(jobs, "material", lambda study: (clips, clips, layers))
    monkeypatch.setattr(scores, "score_runs", lambda results, *others: results)
    monkeypatch.setenv("S2F_RESULTS", str(tmp_path / "results"))
    monkeypatch.chdir(tmp_path)
    study = jobs.Study(people=16, validation=16, seeds=(0,), main_seeds=(0,), rates=(1e-3,))
    assert summary.main("loss_ablation", ["l1"], 1, study) == 0
    told = capsys.readouterr().out
    assert "steps_to_target" in told
    assert "the record is left as it is" in told
    assert not list((tmp_path / "results").rglob("*.*"))
    assert summary.main("loss_ablation", None, 1, study) == 0
    assert (tmp_path / "results" / "loss_ablation.json").exists()


def test_scores_are_taken_once_and_faces_are_kept(clips, layers, settings, tmp_path, monkeypatch):
    tiny = {"full": settings("normalized", max_steps=2, evaluate_every=1)}
    study = jobs.Study(seeds=(0,), main_seeds=(0,), rates=(1e-3,), search_share=0.5)
    monkeypatch.setattr(jobs, "variants", lambda name="loss_ablation": tiny)
    monkeypatch.setattr(jobs, "material", lambda study: (clips, clips, layers))
    monkeypatch.setenv("S2F_RESULTS", str(tmp_path / "results"))
    results, _ = jobs.run_study(study, tmp_path / "runs", workers=1)
    decoder = FaceDecoder(DecoderShape(feature_dim=clips.v_f.shape[1], first=8, hidden=8, channels=(8, 8)))
    truth = pd.DataFrame({"sex": ["female"] * len(clips), "age": np.arange(len(clips)) % 60})
    reader = types.SimpleNamespace(label=lambda images: types.SimpleNamespace(sex=truth.sex, age=20 + truth.age))
    monkeypatch.setattr(scores.hub, "load", lambda name: decoder if "decoder" in name else reader)
    scored = scores.score_runs(results, tmp_path / "runs", clips, truth)
    found = io.Record(scored[0]["scores"])
    assert found.value("sex_right") == 1
    assert found.value("age_r") == pytest.approx(1)
    encoder = voice_encoder.load(tmp_path / "runs/full/seed-0" / scores.RUN_FILE)
    quick = validate.quick_scores(validate.predict(encoder, clips, seconds=3.0), clips.v_f)["top10_percent"]
    assert found.value("top_percent", k=10, seconds=3) == pytest.approx(quick / 100)
    monkeypatch.setattr(scores, "score", None)  # a second call would fail
    assert scores.score_runs(results, tmp_path / "runs", clips, truth) == scored
    scores.write_faces("loss_ablation", scored, tmp_path / "runs", clips)
    with np.load(tmp_path / "results/tables/loss_ablation_faces.npz") as kept:
        assert kept["full"].shape == kept["truth"].shape == (8, clips.v_f.shape[1])
        np.testing.assert_array_equal(kept["truth"], clips.v_f[:8].astype(np.float16))


def test_curves_are_means_over_seeds_by_share_of_the_length():
    runs = [
        {"variant": "l1", "failed": "", "curve": [[10, 70.0, 9], [20, 60.0, 9]]},
        {"variant": "l1", "failed": "", "curve": [[10, 72.0, 9], [20, 64.0, 9]]},
        {"variant": "l1", "failed": "NaN in l1", "curve": [[10, 90.0, 9]]},
    ]
    found = scores.curve_rows(runs)
    assert [row["progress"] for row in found] == [0.5, 1.0]
    assert [row["value"] for row in found] == [71, 62]
    assert [row["sd"] for row in found] == pytest.approx([np.std([70, 72], ddof=1), np.std([60, 64], ddof=1)], abs=1e-3)


def test_the_target_lies_half_way_and_never_above_the_start():
    def ended(*angles):
        return [{"variant": "full", "final_angle_deg": angle, "failed": ""} for angle in angles]

    assert summary.target_angle(ended(60.0, 56.0), 68.0) == 62
    assert summary.target_angle(ended(71.0, 69.0), 68.0) == 68
    assert summary.target_angle([{"variant": "full", "failed": "not finite"}], 68.0) == 68, "nobody got there"


def test_a_prediction_of_zeros_counts_as_the_mean_face_and_others_stay():
    v_s, v_f = np.array([[0.0, 0.0], [3.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_array_equal(validate.with_direction(v_s, v_f), [[0.5, 0.5], [3.0, 0.0]])
