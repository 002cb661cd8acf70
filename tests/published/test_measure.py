"""From files to records: a miniature of both parts with made-up measurements, and a few real pictures if here."""

import dataclasses
import zlib

import numpy as np
import pytest

from s2f_lib import io, metrics
from s2f_lib.cli import main
from s2f_lib.published import comparisons, contest, findings, layout, measure, own_encoder, pictures, voices


def first(part, n):
    """The first clips of a part."""
    return dataclasses.replace(part, clips=part.clips[:n])


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty cache folder and an empty results folder."""
    monkeypatch.setenv("S2F_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("S2F_RESULTS", str(tmp_path / "results"))
    return tmp_path


def test_a_damaged_picture_is_a_status_and_is_counted(authors, home):
    from PIL import Image

    folder = authors / "figures/avspeech_res/Face_ori"
    files = sorted(folder.glob("*.jpg"))
    files[0].write_bytes(files[0].read_bytes()[:200])
    files[1].write_bytes(b"<html>rate limit</html>")
    Image.new("RGB", (64, 64)).save(files[2])
    found = pictures.pictures(first(layout.open_part(authors, "avspeech"), 4), "true", progress=False)
    assert found.status.tolist() == ["unreadable", "unreadable", "no_face", "no_face"]
    assert np.isnan(found.feature).all()
    assert not found.ok.any()


def test_a_giant_picture_is_a_status(tmp_path, monkeypatch):
    from PIL import Image

    Image.new("RGB", (64, 64)).save(tmp_path / "giant.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    found = pictures.measure_picture(tmp_path / "giant.png")
    assert pictures.STATUS[int(found["status"])] == "unreadable"


def test_a_damaged_or_silent_recording_is_a_status(tmp_path):
    import soundfile

    (tmp_path / "cut.wav").write_bytes(b"RIFF")
    soundfile.write(tmp_path / "silent.wav", np.zeros(16_000), 16_000)
    assert [
        voices.STATUS[int(voices.measure_voice(tmp_path / name)["status"])] for name in ("cut.wav", "silent.wav")
    ] == [
        "unreadable",
        "silent",
    ]
    with pytest.raises(ValueError, match="is the microphone on"):
        voices.voice_feature(np.zeros(16_000))
    with pytest.raises(ValueError, match=r"at least 0.5 s"):
        voices.voice_feature(np.ones(100))


@pytest.fixture
def made_up(monkeypatch):
    """Measurements that depend on the file's name only: every clip's pictures resemble each other, and its voice."""

    def seed(path):
        return np.random.default_rng(zlib.crc32(path.stem.encode()))

    def picture(path):
        rng = seed(path)
        own, landmarks = rng.standard_normal(128), rng.normal(100, 20, (68, 2))
        noise = np.random.default_rng(len(str(path)))
        return {
            "status": np.array(0 if rng.random() < 0.95 else 1),
            "landmarks": landmarks + noise.normal(0, 5, (68, 2)),
            "feature": own + 0.5 * noise.standard_normal(128),
            "female": np.array(rng.random()),
            "age": np.array(rng.uniform(20, 70)),
        }

    def voice(path):
        own = seed(path).standard_normal(128)
        return {"status": np.array(0), "feature": np.concatenate([own, np.zeros(128)]) + 0.1}

    monkeypatch.setattr(pictures, "measure_picture", picture)
    monkeypatch.setattr(voices, "measure_voice", voice)
    monkeypatch.setattr(own_encoder, "_measure", lambda path: {"feature": voice(path)["feature"][:64]})
    monkeypatch.setattr(
        own_encoder, "fine_tuned", lambda sound, face, speakers, seed: comparisons.centred_cosine(face, face)
    )


@pytest.mark.parametrize("part", list(layout.PARTS))
def test_both_parts_end_in_records_without_a_name_in_them(part, home, made_up, write_tree, monkeypatch, capsys):
    clips, known = 120, layout.PARTS[part].clips
    names = {
        "avspeech": [f"made_up-{i // 2:03d}_{i:03d}.000000-{i + 6:03d}.000000" for i in range(clips)],
        "voxceleb": [f"{i // 2 % 2}014Made_Up_Jr._{i // 2}_made_up-{i:03d}_{i:07d}" for i in range(clips)],
    }[part]
    write_tree(home / "data", part, names, empty=True)
    monkeypatch.setattr(contest, "ALPHAS", (1000.0,))  # the choice among many is tested with the heads
    monkeypatch.setattr(contest, "STEPS", (10,))
    assert (
        main(["published", "measure", "--data", str(home / "data"), "--part", part, "--quiet", "--repeats", "1"]) == 0
    )
    assert f"120 whole clips of {known}" in capsys.readouterr().out
    measured, heads = findings.recorded(part)
    assert measured.value("clips", experiment="counts") == 120
    assert 80 < measured.value("faces", picture="true") < 120
    assert measured.value("agreement", label="gender", reference="f2f", picture="s2f_07") == 1
    assert bool(measured.matching(reference="file name")) == (part == "voxceleb")

    def match(contestant):
        return heads.value("match", experiment="contest", contestant=contestant, k=2, within=None)

    assert 0.5 < match("best") <= 1
    assert match("own") > 0.5
    assert match("own_fine_tuned") == 1
    row = heads.row("top_percent", contestant="ridge", k=10, within=None)
    assert row["low"] <= row["value"] <= row["high"]
    assert findings.counts(heads, "ranks", contestant="ridge").sum() == heads.n
    command = f"s2f published measure --part {part} --repeats 1"
    assert measured.command == heads.command == command
    written = "".join(path.read_text() for path in io.results_dir().rglob("*.json"))
    assert "made_up" not in written.lower()


def test_a_record_names_the_command_that_made_it():
    assert measure.command_line("avspeech") == io.read_record("published_ridge").command
    assert measure.command_line("voxceleb", 5, "heads").endswith("measure --part voxceleb --repeats 5 --only heads")


def test_what_was_not_measured_says_so(home):
    with pytest.raises(FileNotFoundError, match="published measure --part voxceleb"):
        findings.recorded("voxceleb")
    assert main(["published", "measure", "--data", str(home), "--part", "avspeech"]) == 2


def test_real_examples_on_a_few_clips(examples, home):
    """The tools themselves, on the first 16 published clips, without any cache: bounded to well under a minute."""
    part = first(layout.open_part(examples, "avspeech"), 16)
    kinds = {kind: pictures.pictures(part, kind, progress=False) for kind in ("true", "f2f", "s2f_07")}
    assert kinds["f2f"].ok.all()
    assert kinds["s2f_07"].ok.all()
    assert kinds["true"].ok.sum() >= 12
    assert (kinds["f2f"].sex == kinds["s2f_07"].sex).mean() >= 0.7
    both = kinds["true"].ok
    own = np.linalg.norm(kinds["true"].feature - kinds["f2f"].feature, axis=1)[both]
    other = np.linalg.norm(kinds["true"].feature - np.roll(kinds["f2f"].feature, 1, axis=0), axis=1)[both]
    assert (own < 0.6).mean() > 0.8
    assert np.median(other) > 0.7
    heard = voices.voices(first(part, 3), progress=False)
    assert heard.ok.all()
    np.testing.assert_allclose(np.linalg.norm(heard.feature, axis=1), 1, atol=1e-5)


def test_recorded_numbers_belong_to_these_examples(examples):
    measured, _ = findings.recorded("avspeech")
    assert measured.value("clips", experiment="counts") == len(layout.open_part(examples, "avspeech"))


def test_counts_and_rows_say_the_same():
    """The counts of a record give its numbers again, so the page is live without the data."""
    measured, heads = findings.recorded("avspeech")
    for one in measured.tables["confusion"]:
        if one["label"] == "gender":
            again = metrics.labels.kept(np.array(one["counts"]))
            row = measured.row(
                "agreement", label="gender", reference=one["reference"], picture=one["picture"], source=None
            )
            assert again.estimate == pytest.approx(row["value"], abs=1e-9)
            assert (again.low, again.high) == pytest.approx((row["low"], row["high"]), abs=0.02)
    counts = np.asarray(findings.counts(measured, "ranks", reference="true", picture="f2f"))
    curve = counts.cumsum() / counts.sum()
    found = measured.value("top_percent", reference="true", picture="f2f", k=10)
    assert curve[9] == pytest.approx(found, abs=0.01)
    with pytest.raises(KeyError, match="0 entries of 'ranks'"):
        findings.counts(heads, "ranks", contestant="nobody")
