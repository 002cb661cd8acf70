"""From a list of ids to shards, offline: every clip is accounted for, and a hostile list does no harm."""

import io
import json

import numpy as np
import pytest

from data_scripts import (
    _common,
    build_shards,
    corpus_report,
    crop_faces,
    download_avspeech,
    extract_features,
    make_splits,
    prepare_voxceleb,
)
from s2f_lib import audio, cli, corpus
from s2f_lib.corpus import avspeech, manifest, report, steps, voxceleb

LIST = """\ufeffgood-one,0.0,3.5,0.25,0.5
good-one,2.0,3.0,0.25,0.5
good-two,0.5,3.5,0.75,0.5
two-faces,0.0,3.0,0.75,0.5
two-faces,0.5,3.5,0.5,0.05
no-face,0.0,1.8,0.5,0.5
silent,0.0,1.8,0.25,0.5
turned,0.0,1.8,0.25,0.5
truncated,0.0,1.8,0.25,0.5
good-two,90.0,95.0,0.75,0.5
missing,0.0,3.0,0.5,0.5
html-page,0.0,3.0,0.5,0.5
stall,0.0,3.0,0.5,0.5
good-one,0.0,3.5,0.25,0.5
../../etc/passwd,0.0,3.0,0.5,0.5
short-row,0.0,3.0
good-one,nan,3.0,0.5,0.5
good-one,5.0,2.0,0.5,0.5
good-one,0.0,3.0,0.5,7
$(touch harm),0.0,3.0,0.5,0.5
"""
FETCHED = {
    "good-one_00000000_00003500": ("ok", ""),
    "good-one_00002000_00003000": ("ok", ""),
    "good-two_00000500_00003500": ("ok", ""),
    "two-faces_00000000_00003000": ("ok", ""),
    "two-faces_00000500_00003500": ("ok", ""),
    "no-face_00000000_00001800": ("ok", ""),
    "silent_00000000_00001800": ("skipped", "no sound"),
    "turned_00000000_00001800": ("ok", ""),
    "truncated_00000000_00001800": ("failed", "damaged"),
    "good-two_00090000_00095000": ("skipped", "too short"),
    "missing_00000000_00003000": ("skipped", "gone"),
    "html-page_00000000_00003000": ("failed", "not a video"),
    "stall_00000000_00003000": ("waiting", "host stalls"),
}
CROPPED = {
    "no-face_00000000_00001800": ("skipped", "no face"),
    "turned_00000000_00001800": ("skipped", "face turned"),
    "two-faces_00000500_00003500": ("skipped", "no face"),  # nobody near the place that the list names
}


def command(module, *arguments):
    return cli.guarded(lambda: module.main([*map(str, arguments), "--quiet"]))


@pytest.fixture(scope="module")
def made(tmp_path_factory, host):
    """All steps, once."""
    folder = tmp_path_factory.mktemp("avspeech")
    (folder / "list.csv").write_text(LIST, encoding="utf-8")
    fetch = ("--address", host, "--wait", "0", "--timeout", "5")
    assert command(download_avspeech, folder / "list.csv", folder / "1", *fetch) == 0
    assert command(crop_faces, folder / "1", folder / "2", "--size", "96") == 0
    assert command(extract_features, folder / "2", folder / "3") == 0
    assert command(make_splits, folder / "3", folder / "splits.json") == 0
    assert command(build_shards, folder / "2", folder / "corpus", "--features", folder / "3",
                   "--splits", folder / "splits.json", "--clips-per-shard", "2") == 0  # fmt: skip
    return folder


def fate(folder):
    return {row["clip_id"]: (row["status"], row["reason"]) for row in manifest.read(folder / "manifest.csv")}


def test_every_listed_clip_is_accounted_for(made):
    found = fate(made / "1")
    assert len(found) == len(LIST.strip().splitlines())
    assert {clip: found[clip] for clip in FETCHED} == FETCHED
    rest = [value for clip, value in found.items() if clip not in FETCHED]
    assert sorted(rest) == [("failed", "wrong row")] * 6 + [("skipped", "twice in the list")]


def test_faces_are_found_where_the_list_says(made):
    found = fate(made / "2")
    expected = FETCHED | CROPPED
    assert {clip: found[clip] for clip in expected} == expected
    good = [clip for clip, (status, _) in found.items() if status == "ok"]
    assert sorted(path.stem for path in (made / "2" / "pairs").glob("*.jpg")) == sorted(good)


def test_sound_and_face_are_those_of_the_person(made):
    """The cut clip against the video on the host, at the listed second."""
    from s2f_lib import media, people
    from s2f_lib.people.speech import speak

    pair = dict(next(c for s in ("train", "validation", "test") for c in corpus.open(made / "corpus").clips(s)
                     if c["clip_id"] == "good-two_00000500_00003500"))  # fmt: skip
    person = people.sample(2, seed=6)[0]
    true = speak(person, 0, seconds=4.0)[8000:56_000]
    heard = pair["flac"][:48_000] / 32_768
    assert np.corrcoef(true, heard)[0, 1] > 0.95, "three seconds from 0.5 s on (AAC is lossy)"
    np.testing.assert_array_equal(pair["flac"][48_000:], pair["flac"][:48_000], "repeated to six seconds")
    assert pair["jpg"].shape == (96, 96, 3)
    assert media.probe(made / "1" / "clips" / "good-two_00000500_00003500.mkv").seconds < 5


def test_only_the_asked_seconds_are_kept(made):
    rows = {row["clip_id"]: row for row in manifest.read(made / "1" / "manifest.csv")}
    assert float(rows["good-one_00002000_00003000"]["offset"]) == pytest.approx(1.0, abs=0.6), (
        "begins at the key frame before 1.5 s"
    )


def test_shards_hold_what_training_wants(made):
    from s2f_lib import hub
    from s2f_lib.training.sources import Plan

    clips = corpus.open(made / "corpus")
    assert sum(1 for split in clips.splits for _ in clips.clips(split)) == len(clips) == 4
    batch = next(clips.source("train").batches(Plan(batch_size=2)))
    network = hub.load("synthetic-vgg")
    assert batch["waveform"].shape == (2, 96_000)
    assert batch["v_f"].shape == (2, network.fc8.in_features)
    assert batch["logits"].shape == (2, network.fc8.out_features)
    assert clips.info["recogniser"] == {"name": "synthetic-vgg", "checksum": network.checksum}


def test_a_quick_encoder_trains_on_the_shards(made, tmp_path, capsys):
    """The command of the book, with the paper's loss, three steps of two clips of 3 s."""
    from s2f_lib import voice_encoder
    from s2f_lib.training import train as training

    small = json.dumps({"channels": [4] * 9, "hidden": 8})
    settings = {"encoder_changes": small, "seconds": 3.0, "batch_size": 2, "max_steps": 3, "log_every": 1}
    changes = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    assert training.main(["--corpus", str(made / "corpus"), "--preset", "quick", "--out", str(tmp_path), *changes]) == 0
    assert "for 3 steps" in capsys.readouterr().out
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    steps_done = [line for line in lines if line["kind"] == "train"]
    assert [line["step"] for line in steps_done] == [1, 2, 3]
    assert all(np.isfinite(line["loss"]) and line["loss"] > 0 for line in steps_done)
    assert any(line["kind"] == "validation" and 0 < line["angle_deg"] < 180 for line in lines)
    source = corpus.open(made / "corpus").source("train")
    encoder = voice_encoder.load(tmp_path / "voice_encoder.safetensors")
    batch = source.take(np.arange(len(source)), 3.0)
    assert encoder(batch["waveform"]).shape == batch["v_f"].shape
    assert encoder.fc2.weight.abs().max() > 0, "zero at the start: it learned"
    np.testing.assert_allclose(encoder.fc2.bias.detach(), source.mean_feature, atol=0.02, err_msg="where it began")


def test_speakers_and_videos_are_in_one_part(made):
    rows = [row for row in manifest.read(made / "corpus" / "manifest.csv") if row["status"] == "ok"]
    parts = {}
    for row in rows:
        parts.setdefault(row["video_id"], set()).add(row["split"])
    assert all(len(splits) == 1 for splits in parts.values())


def test_the_funnel_adds_up(made, capsys):
    assert command(corpus_report, made / "corpus", made / "report") == 0
    table = report.funnel(manifest.read(made / "corpus" / "manifest.csv"))
    assert table["left"].iloc[0] - table["lost"].sum() == table["left"].iloc[-1] == 4
    assert json.loads((made / "report" / "report.json").read_text())["funnel"]["crop_faces"]["lost"] == 3
    assert "1 gone" in (made / "report" / "report.md").read_text()


def test_a_second_call_does_nothing_twice(made, host, capsys):
    before = {path: path.stat().st_mtime_ns for folder in "123" for path in (made / folder).glob("*/*")}
    assert (
        command(download_avspeech, made / "list.csv", made / "1", "--address", host, "--wait", "0", "--timeout", "5")
        == 0
    )
    assert command(crop_faces, made / "1", made / "2", "--size", "96") == 0
    assert "cropped 4 of 20 clips" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for folder in "123" for path in (made / folder).glob("*/*")} == before


def test_other_settings_and_dry_runs_touch_nothing(made, tmp_path, host, capsys):
    assert command(crop_faces, made / "1", made / "2", "--size", "112") == 2
    assert "holds something else" in capsys.readouterr().err
    for module, *arguments in (
        (download_avspeech, made / "list.csv", tmp_path / "x", "--address", host),
        (crop_faces, made / "1", tmp_path / "x"),
        (extract_features, made / "2", tmp_path / "x"),
        (make_splits, made / "3", tmp_path / "x"),
        (corpus_report, made / "3", tmp_path / "x"),
    ):
        assert command(module, *arguments, "--dry-run") == 0
    assert not list(tmp_path.iterdir())


def test_a_hostile_list_reaches_no_file(made):
    names = [path.name for path in made.rglob("*")]
    assert "harm" not in names
    assert all("passwd" not in name for name in names)


# --- the list


def test_a_list_with_a_header_and_empty_lines(tmp_path):
    (tmp_path / "x.csv").write_text("id,start,end,x,y\n\nabc,1,4.5,0.5,0.5\n")
    rows = list(avspeech.VideoList(tmp_path / "x.csv"))
    assert [(row["clip_id"], row["start"], row["end"]) for row in rows] == [("abc_00001000_00004500", 1.0, 4.5)]


def test_clips_of_one_video_are_asked_for_together():
    rows = [{"video_id": v, "clip_id": str(i)} for i, v in enumerate("abacb")]
    assert [[row["clip_id"] for row in group] for group in avspeech.by_video(rows)] == [["0", "2"], ["1", "4"], ["3"]]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("ERROR: [youtube] x: Video unavailable. This video has been removed by the uploader", "gone"),
        ("ERROR: [youtube] x: Private video. Sign in if you've been granted access", "host refuses"),
        ("ERROR: [youtube] x: Sign in to confirm you're not a bot", "host refuses"),
        ("ERROR: [generic] Unable to download webpage: HTTP Error 404: Not Found", "gone"),
        ("ERROR: [generic] Unable to download webpage: timed out", "host stalls"),
        ("ERROR: Unsupported URL: http://host/x", "not a video"),
        ("ERROR: something new", "host error"),
    ],
)
def test_reasons_are_short_words(message, reason):
    assert avspeech._why(message) == reason


# --- the steps


@pytest.mark.parametrize("body", [b'{"error": "quota"}', b'\n<?xml version="1.0"?><Error/>'])
def test_a_message_in_place_of_a_stream_is_no_damage(body):
    with pytest.raises(steps.Lost) as lost:
        avspeech._cut([io.BytesIO(body)], 1.0, 4.0)
    assert (lost.value.reason, lost.value.status) == ("host error", "waiting")


def slow_work(task):
    folder, settings, rows = task
    with open(f"{folder}/calls.txt", "a") as file:
        file.write("".join(f"{row['clip_id']}\n" for row in rows))
    if settings.get("die_at") in [row["clip_id"] for row in rows]:
        raise OSError(28, "No space left on device")
    return [{**row, "status": "ok", "reason": "", "made": row["clip_id"]} for row in rows]


def clips(n):
    plain = {"speaker_id": "s", "video_id": "v", "split": "", "status": "ok", "reason": ""}
    return [{"clip_id": f"c{i}", **plain} for i in range(n)]


def test_a_full_disk_keeps_what_is_done_and_the_next_run_goes_on(tmp_path):
    broken = steps.Step("test", slow_work, {"die_at": "c3"})
    with pytest.raises(OSError, match="disk is full"):
        steps.run(broken, clips(6), tmp_path, progress=False)
    assert not (tmp_path / "manifest.csv").exists()
    note = json.loads((tmp_path / "step.json").read_text())
    (tmp_path / "step.json").write_text(json.dumps(note | {"settings": {}}))
    steps.run(steps.Step("test", slow_work), clips(6), tmp_path, progress=False)
    calls = (tmp_path / "calls.txt").read_text().split()
    assert calls == ["c0", "c1", "c2", "c3", "c3", "c4", "c5"], "what was done is not done again"


def test_a_folder_that_was_begun_is_not_asked_for_the_space_of_all_of_it_again(tmp_path):
    with pytest.raises(OSError, match="are needed and"):
        _common.check_space(tmp_path / "out", 1e18)
    (tmp_path / "out").mkdir()
    with pytest.raises(OSError, match="are needed and"):
        _common.check_space(tmp_path / "out", 1e18)
    (tmp_path / "out" / "step.json").write_text("{}")
    _common.check_space(tmp_path / "out", 1e18)


def test_a_journal_cut_in_half_is_repaired(tmp_path):
    step = steps.Step("test", slow_work)
    steps.run(step, clips(4), tmp_path, progress=False)
    whole = (tmp_path / "manifest.csv").read_bytes()
    journal = (tmp_path / "journal.jsonl").read_bytes()
    (tmp_path / "journal.jsonl").write_bytes(journal[:-9])
    steps.run(step, clips(4), tmp_path, progress=False)
    assert (tmp_path / "manifest.csv").read_bytes() == whole
    assert (tmp_path / "calls.txt").read_text().split() == ["c0", "c1", "c2", "c3", "c3"]


def test_limit_leaves_the_rest_waiting(tmp_path):
    step = steps.Step("test", slow_work)
    rows = steps.run(step, clips(5), tmp_path, limit=2, progress=False)
    assert [row["status"] for row in rows] == ["ok", "ok", "waiting", "waiting", "waiting"]
    rows = steps.run(step, clips(5), tmp_path, progress=False)
    assert [row["status"] for row in rows] == ["ok"] * 5


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "x\0y", "a" * 5000])
def test_paths_stay_inside(tmp_path, name):
    with pytest.raises(ValueError, match=r"leads out|no usable"):
        steps.inside(tmp_path, name)


def test_links_do_not_lead_out(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(ValueError, match="leads out"):
        steps.inside(tmp_path / "in", "link")


# --- VoxCeleb


@pytest.fixture
def vox(tmp_path):
    """A miniature VoxCeleb1 tree: two people, one of them with a name that ends in ".", and some trouble."""
    from PIL import Image

    from s2f_lib import people

    root = tmp_path / "vox1"
    (root / "wav").mkdir(parents=True)
    table = "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet\n"
    table += "id10001\tAda_Example_Jr.\tf\tUK\tdev\nid10002\tBob_Example\tm\tUSA\ttest\n"
    (root / "vox1_meta.csv").write_text(table)
    for number, (speaker, name) in enumerate((("id10001", "Ada_Example_Jr"), ("id10002", "Bob_Example"))):
        faces = root / "unzippedFaces" / name / "1.6" / "video-1"
        faces.mkdir(parents=True)
        face = people.render_canonical(people.sample(2, seed=9)[number], size=160)
        for item in (2, 10, 1):
            Image.fromarray(face).save(faces / f"{item}.jpg")
        (root / "wav" / speaker / "video-1").mkdir(parents=True)
        for item in (1, 2):
            sound = 0.1 * np.sin(np.arange(40_000) / (5 + number + item))
            audio.write(root / "wav" / speaker / "video-1" / f"0000{item}.wav", sound)
    (root / "wav" / "id10002" / "video-2").mkdir()
    audio.write(root / "wav" / "id10002" / "video-2" / "00001.wav", np.full(32_000, 0.1))
    (root / "wav" / "id10002" / "video-1" / "00003.wav").write_text("<!DOCTYPE html>")
    outside = audio.write(tmp_path / "outside.wav", np.full(32_000, 0.1))
    (root / "wav" / "id10002" / "video-1" / "00004.wav").symlink_to(outside)
    audio.write(root / "wav" / "id10002" / "video-1" / "ünsafe.wav", np.full(32_000, 0.1))
    return root


def test_voxceleb_from_tree_to_pairs(vox, tmp_path, capsys):
    pytest.importorskip("dlib")
    assert command(prepare_voxceleb, vox, tmp_path / "1", "--meta", vox / "vox1_meta.csv") == 0
    rows = {row["clip_id"]: row for row in manifest.read(tmp_path / "1" / "manifest.csv")}
    assert sum(row["status"] == "ok" for row in rows.values()) == 5
    assert rows["id10002-video-2-00001"]["reason"] == "no picture"
    assert sorted(row["reason"] for row in rows.values() if row["status"] == "failed") == ["unsafe name", "unsafe name"]
    assert rows["id10001-video-1-00001"]["sex"] == "female"
    assert "Ada" not in "".join(row["clip_id"] + row["speaker_id"] for row in rows.values())
    assert rows["id10001-video-1-00001"]["picture"].endswith("/1.jpg")
    assert rows["id10001-video-1-00002"]["picture"].endswith("/2.jpg"), "numbers in their order, not 1, 10, 2"
    assert command(crop_faces, tmp_path / "1", tmp_path / "2", "--root", vox, "--size", "64") == 0
    assert "cropped 4 of 8 clips" in capsys.readouterr().out
    cropped = [row for row in manifest.read(tmp_path / "2" / "manifest.csv") if row["status"] == "ok"]
    assert {float(row["seconds"]) for row in cropped} == {2.5}, "before they were repeated to six seconds"
    assert fate(tmp_path / "2")["id10002-video-1-00003"] == ("skipped", "unreadable")


@pytest.mark.parametrize("size", [(8192, 4609), (14_000, 13_000)], ids=["beyond ours", "beyond Pillow's"])
def test_a_picture_bomb_is_refused(vox, tmp_path, size):
    from PIL import Image

    for path in vox.rglob("*.jpg"):
        Image.new("1", size).save(path, "PNG")  # intact, and small as a file
    command(prepare_voxceleb, vox, tmp_path / "1", "--meta", vox / "vox1_meta.csv")
    assert command(crop_faces, tmp_path / "1", tmp_path / "2", "--root", vox) == 1, "nothing was made"
    assert fate(tmp_path / "2")["id10001-video-1-00001"] == ("skipped", "picture damaged")


def test_a_table_that_is_not_voxceleb_is_named(tmp_path):
    (tmp_path / "x.csv").write_text("a\tb\n1\t2\n")
    with pytest.raises(ValueError, match="is no VoxCeleb table"):
        voxceleb.read_meta(tmp_path / "x.csv")
    with pytest.raises(ValueError, match=r"none of wav/, aac/, mp4/"):
        list(voxceleb.list_clips(tmp_path))


# --- help


@pytest.mark.parametrize(
    "module",
    [download_avspeech, prepare_voxceleb, crop_faces, extract_features, make_splits, build_shards, corpus_report],
)
def test_every_command_has_the_same_options(module, capsys):
    with pytest.raises(SystemExit) as ended:
        module.main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert all(option in said for option in ("--limit", "--jobs", "--dry-run", "--overwrite"))
