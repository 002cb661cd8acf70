"""The benchmark: every number as an independent implementation gives it, and files that are wrong are refused."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from s2f_lib import cli, io
from s2f_lib.neighbours import benchmark
from s2f_lib.people import population

N = 48


@pytest.fixture(scope="module")
def key():
    return benchmark.key_of(population.sample(N, seed=7), seed=7)


@pytest.fixture(scope="module")
def features(key):
    """Voices that know the sex and a little of the person; (N, 6) twice."""
    rng = np.random.default_rng(0)
    faces = rng.normal(size=(N, 6)) + 2 * (key["sex"] == "male").to_numpy()[:, None]
    return faces + 1.5 * rng.normal(size=faces.shape), faces


@pytest.fixture(scope="module")
def rows(key, features):
    return benchmark.score(*features, key, benchmark.trials(key, 7), predictor="mine")


def value(rows, measure, within, k=None):
    (found,) = (
        r for r in rows if (r["measure"], r["predictor"], r["within"], r.get("k")) == (measure, "mine", within, k)
    )
    return found["value"]


@pytest.mark.parametrize("within", [None, "sex", "language"])
def test_matching_is_the_mean_over_every_lineup(key, features, rows, within):
    cosine = unit(features[0]) @ unit(features[1]).T
    pairs, found = [], []
    for i in range(N):
        others = [j for j in range(N) if j != i and (within is None or key[within][i] == key[within][j])]
        pairs.append(np.mean([cosine[i, i] > cosine[i, j] for j in others]))
        place = sum(cosine[i, j] > cosine[i, i] for j in others)
        found.append(place < max(1, int(0.1 * (len(others) + 1) + 1e-9)))
    assert value(rows, "match", within, 2) == pytest.approx(np.mean(pairs))
    assert value(rows, "top_percent", within, 10) == pytest.approx(np.mean(found))


def test_lineups_of_ten_are_enumerated(key):
    few, rng = key[:12].reset_index(drop=True), np.random.default_rng(1)
    clips, faces = rng.normal(size=(2, 12, 3))
    cosine = unit(clips) @ unit(faces).T
    wins = [
        np.mean([cosine[i, i] > cosine[i, list(lineup)].max() for lineup in combinations(set(range(12)) - {i}, 9)])
        for i in range(12)
    ]
    rows = benchmark.score(clips, faces, few, benchmark.trials(few, 1), predictor="mine")
    assert value(rows, "match", None, 10) == pytest.approx(np.mean(wins))


@pytest.mark.parametrize("within", [None, "sex, decade and language", "decade"])
def test_verification_is_that_of_sklearn_on_the_listed_trials(key, features, rows, within):
    clips, faces = (pd.DataFrame(unit(x), index=key[name]) for x, name in zip(features, ("clip", "face"), strict=True))
    listed = benchmark.trials(key, 7)
    listed = listed[listed["within"] == (within or "")]
    own = key[key["clip"].isin(listed["clip"])]
    scores = [(clips.loc[t["clip"]].to_numpy() * faces.loc[t["face"]].to_numpy()).sum(axis=1) for t in (own, listed)]
    truth = np.r_[np.ones(len(own)), np.zeros(len(listed))]
    assert value(rows, "auc", within) == pytest.approx(roc_auc_score(truth, np.concatenate(scores)))
    false, hit, _ = roc_curve(truth, np.concatenate(scores), drop_intermediate=False)
    nearest = np.abs(1 - hit - false).argmin()
    assert value(rows, "equal_error_rate", within) == pytest.approx((1 - hit + false)[nearest] / 2, abs=0.5 / len(own))


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_trials_come_from_the_seed_and_keep_to_their_restriction(key):
    listed = benchmark.trials(key, 3)
    pd.testing.assert_frame_equal(listed, benchmark.trials(key, 3))
    merged = listed.merge(key, on="clip").merge(key, left_on="face_x", right_on="face")
    assert (merged["face_x"] != merged["face_y"]).all()  # nobody is verified against himself as another
    for name in ("sex", "decade", "language"):
        inside = merged[merged["within"].isin([name, "sex, decade and language"])]
        assert (inside[f"{name}_x"] == inside[f"{name}_y"]).all()
    assert (listed.groupby(["within", "clip"]).size() == benchmark.OTHERS).all()


def test_a_right_guess_of_nothing_scores_chance(key):
    constant = np.ones((N, 4))
    rows = benchmark.score(constant, constant, key, benchmark.trials(key, 7), predictor="mine")
    assert [value(rows, "match", w, 2) for w in (None, "sex", "decade")] == pytest.approx([0.5] * 3)
    assert value(rows, "auc", None) == value(rows, "equal_error_rate", None) == 0.5


# --- files


@pytest.fixture
def folder(tmp_path, key):
    benchmark._write_lists(tmp_path, key, 7)
    return tmp_path


def write(path, key, features, change=lambda lines: lines):
    lines = ["id,1,2,3,4,5,6"]
    for names, x in zip((key["clip"], key["face"]), features, strict=True):
        lines += [",".join([name, *map(repr, row)]) for name, row in zip(names, x.tolist(), strict=True)]
    path.write_text("\n".join(change(lines)) + "\n")
    return path


def test_an_entry_in_any_order_gives_its_table(folder, key, features, rows, capsys):
    path = write(folder / "mine.csv", key, features, lambda lines: [lines[0], *lines[:0:-1]])
    assert cli.main(["benchmark", "score", str(path), "--folder", str(folder)]) == 0
    told = capsys.readouterr().out
    assert f"{value(rows, 'match', 'sex', 2):.3f}" in told
    assert "chance" in told


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[1:], "line 1: wanted 'id,1,2,...'"),
        (lambda lines: lines[:50], "ends at line 50: 47 are missing, first face"),
        (lambda lines: [*lines[:4], lines[3], *lines[4:]], "line 5: 'clip00002' comes twice"),
        (lambda lines: [*lines[:4], "someone" + lines[4], *lines[5:]], "line 5: 'someoneclip00003' is not in the key"),
        (lambda lines: [*lines[:4], lines[4] + ",1", *lines[5:]], "line 5: 7 numbers, the first line announces 6"),
        (lambda lines: [*lines[:4], "clip00003,a,1,1,1,1,1", *lines[5:]], "line 5: could not convert"),
        (lambda lines: [*lines[:4], "clip00003,nan,1,1,1,1,1", *lines[5:]], "line 5: numbers must be finite"),
        (lambda lines: [*lines[:4], "clip00003,0,0,0,0,0,0", *lines[5:]], "line 5: numbers must be finite and not all"),
    ],
)
def test_a_wrong_or_short_file_is_refused_with_its_line(folder, key, features, change, message, capsys):
    path = write(folder / "mine.csv", key, features, change)
    assert cli.main(["benchmark", "score", str(path), "--folder", str(folder)]) == 2
    assert message in capsys.readouterr().err


def test_lists_for_voxceleb_hold_public_names_and_no_recording_twice(tmp_path, capsys):
    meta = ["VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet"]
    listing = []
    for i, (name, videos) in enumerate([("A_B", 3), ("B_C", 2), ("E_F", 1), ("Z_A", 3), ("C_D", 2)]):
        meta.append(f"id1000{i}\t{name}\t{'mf'[i % 2]}\tUK\tdev")
        listing += [f"1 id1000{i}/video-{i}{v}_ab/0000{u}.wav" for v in range(videos) for u in (1, 2)]
    (tmp_path / "meta.csv").write_text("\n".join(meta))
    (tmp_path / "split.txt").write_text("\n".join(listing))
    words = ["--voxceleb", str(tmp_path / "split.txt"), str(tmp_path / "meta.csv")]
    assert cli.main(["benchmark", "make", str(tmp_path / "out"), *words]) == 0
    key = pd.read_csv(tmp_path / "out/key.csv")
    assert key["clip"].str[:7].tolist() == ["id10000", "id10001", "id10004"]
    assert (key["clip"].str.rsplit("/", n=1).str[0] != key["face"]).all()
    assert set(pd.read_csv(tmp_path / "out/trials.csv")["face"]) <= set(key["face"])


def test_a_benchmark_is_made_from_its_seed(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("S2F_HOME", str(tmp_path / "home"))
    words = ["--people", "16", "--train-people", "24", "--size", "32", "--workers", "1"]
    assert cli.main(["benchmark", "make", str(tmp_path / "out"), *words]) == 0
    key = pd.read_csv(tmp_path / "out/key.csv")
    for folder, column, ending in (("clips", "clip", ".wav"), ("faces", "face", ".png")):
        assert sorted(p.name for p in (tmp_path / "out" / folder).iterdir()) == sorted(key[column] + ending)
    assert (key["clip"].str[4:] != key["face"].str[4:]).any()  # the number of a face says nothing
    baselines = io.read_record(tmp_path / "out/baselines.json")
    assert {"sex alone", "demographics", "oracle", "null", "chance"} <= {row["predictor"] for row in baselines.rows}
    assert baselines.value("match", predictor="sex alone", within="sex", k=2) == pytest.approx(0.5)
