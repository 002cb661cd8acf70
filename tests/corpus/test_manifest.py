"""A list whose counts add up and whose names cannot leave the folder."""

import pytest

from s2f_lib.corpus import manifest


def row(clip_id, status="ok", reason="", **more):
    return {
        "clip_id": clip_id,
        "speaker_id": "s",
        "video_id": "v",
        "split": "",
        "status": status,
        "reason": reason,
    } | more


def test_rows_come_back_with_their_extra_columns(tmp_path):
    path = manifest.write(tmp_path / "m.csv", [row("a", seconds=6.0), row("b", "skipped", 'no face, "really"\nnone')])
    back = manifest.read(path)
    assert [r["clip_id"] for r in back] == ["a", "b"]
    assert back[0]["seconds"] == "6.0"
    assert back[1]["reason"] == 'no face, "really"\nnone'
    assert back[1]["seconds"] == ""


def test_one_row_per_clip(tmp_path):
    with pytest.raises(ValueError, match="'a' is in the list twice"):
        manifest.write(tmp_path / "m.csv", [row("a"), row("a")])
    with pytest.raises(ValueError, match="unknown status"):
        manifest.write(tmp_path / "m.csv", [row("a", "fine")])
    assert not list(tmp_path.iterdir())


def test_the_last_line_adds_up():
    rows = [row("a"), row("b", "skipped", "no face"), row("c", "skipped", "no face"), row("d", "failed", "stalled")]
    rows += [row("e", "skipped", "two faces")]
    assert manifest.summary_line("cropped", rows) == (
        "cropped 1 of 5 clips; skipped 3: 2 no face, 1 two faces; failed 1: 1 stalled"
    )


@pytest.mark.parametrize(
    "name",
    ["../x", "/etc/passwd", "a/b", "", ".", "..", "a" * 101, "naïve", "a b", "a\n", "a\0", "a.b", "x;rm -rf", None, 3],
)
def test_names_that_could_do_harm_are_refused(name):
    with pytest.raises(ValueError, match="may not be a file name"):
        manifest.safe_name(name)


def test_damaged_manifests_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="data_scripts"):
        manifest.read(tmp_path / "m.csv")
    (tmp_path / "m.csv").write_text("clip_id,speaker_id\na,b\n")
    with pytest.raises(ValueError, match="lacks the columns video_id"):
        manifest.read(tmp_path / "m.csv")
    (tmp_path / "m.csv").write_text(",".join(manifest.COLUMNS) + "\na,b,c\n")
    with pytest.raises(ValueError, match="line 2: 6 values are wanted"):
        manifest.read(tmp_path / "m.csv")
    (tmp_path / "m.csv").write_text(",".join(manifest.COLUMNS) + "\n../a,b,c,,ok,\n")
    with pytest.raises(ValueError, match=r"line 2: clip_id '\.\./a' may not be"):
        manifest.read(tmp_path / "m.csv")
    for rows, told in (
        ("a,b,c,,good,\n", "line 2: unknown status 'good'"),
        ("a,b,c,,ok,\n" * 2, "'a' is in the list twice"),
    ):
        (tmp_path / "m.csv").write_text(",".join(manifest.COLUMNS) + "\n" + rows)
        with pytest.raises(ValueError, match=told):
            manifest.read(tmp_path / "m.csv")
