"""Lists, tables and trees as people have them: one bad row ends no listing, and what is left out is counted."""

import tracemalloc
from collections import Counter

import pytest

from s2f_lib.corpus import avspeech, manifest, report, steps, voxceleb

# --- the list of AVSpeech


def listed(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [(row["status"], row["video_id"]) for row in list(avspeech.VideoList(path))]


GOOD = "AAAAAAAAAAA,1.0,4.0,0.5,0.5\n"


@pytest.mark.parametrize(
    ("before", "lost"),
    [
        ("AAAAAAAAAAB,1:02,1:05,0.5,0.5\n", 1),
        ("id,start,end,x,y\n", 0),
        ("\n\n", 0),
        ("\ufeff", 0),
        ('"stray,1.0,4.0,0.5,0.5\n', 0),
        ('x"y,1.0,4.0,0.5,0.5\n', 1),
        ("a" * 200_000 + "\n", 1),
        ("b,1,2,3\n", 1),
        ("AAAAAAAAAAC,1_0,1_4,0.5,0.5\n", 1),
        ("=1+1,1.0,4.0,0.5,0.5\n", 1),
        (b"\xff\xfe\x00,1.0,4.0,0.5,0.5\n", 1),
        ("AAAAAAAAAAD,1.0,4.0,0.5,0.5\r", 0),
        ("A\0AAAAAAAAA,1.0,4.0,0.5,0.5\n", 1),
        ("AAAAAAAAAAE;1,0;4,0;0,5;0,5\r\n", 1),
        ("AAAAAAAAAAF,4.0,1.0,0.5,0.5\n", 1),
        ("AAAAAAAAAAF,NaN,NaN,NaN,NaN\n", 1),
        ("AAAAAAAAAAF,1.0,1e99,0.5,0.5\n", 1),
    ],
    ids=[
        "times with colons",
        "header",
        "empty",
        "mark",
        "quote",
        "quote inside",
        "giant",
        "short",
        "underscores",
        "formula",
        "bytes",
        "old Macintosh",
        "zero byte",
        "semicolons",
        "backwards",
        "no numbers",
        "endless",
    ],
)
def test_one_bad_row_takes_no_other_along(tmp_path, before, lost):
    rest = "".join(f"B{n:010d},1.0,4.0,0.5,0.5\n" for n in range(989))
    before = before if isinstance(before, bytes) else before.encode()
    if before.startswith(b"\xff\xfe"):
        before = GOOD.encode() + before  # at the very beginning it is another encoding, and refused
    found = listed(tmp_path / "x.csv", before + (GOOD + rest).encode())
    assert sum(status == "ok" for status, _ in found) >= 990
    assert sum(status == "failed" for status, _ in found) == lost


@pytest.mark.parametrize(
    "page",
    [
        "<!DOCTYPE html><html>" + "x" * 200_000,
        "\n\n  <html>",
        '{"error": 404}',
        "PK\x03\x04",
    ],
)
def test_a_page_saved_as_the_list_is_named(tmp_path, page):
    (tmp_path / "x.csv").write_bytes(page if isinstance(page, bytes) else page.encode())
    with pytest.raises(ValueError, match="no list of AVSpeech"):
        list(avspeech.VideoList(tmp_path / "x.csv"))


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace(",", "\t"),
        GOOD.replace(",", ";"),
        "YouTube ID,start (s),end (s),x (0-1),y (0-1)\n" + GOOD,
        "ID\tSTART\tEND\tX\tY\r\n" + GOOD.replace(",", "\t"),
        "AAAAAAAAAAA,1.0e0,4e+0,5E-1,.5,,,\n",
        ("\ufeff" + GOOD).encode("utf-16-le"),
        ("\ufeff" + GOOD.replace(",", "\t")).encode("utf-16-be"),
    ],
    ids=["tabs", "semicolons", "header with digits", "header with tabs", "spreadsheet", "UTF-16", "UTF-16 big"],
)
def test_a_list_as_a_spreadsheet_saves_it(tmp_path, text):
    assert listed(tmp_path / "x.csv", text) == [("ok", "AAAAAAAAAAA")]


def test_long_lists_stream(tmp_path):
    """Thirty thousand rows, from the list through a step to its manifest; rows as dicts would take 30 MB."""
    with open(tmp_path / "x.csv", "w") as file:
        file.writelines(f"{n:011d},1.0,4.0,0.5,0.5\n" for n in range(30_000))
    tracemalloc.start()
    step = steps.Step("test", nothing)
    table = steps.run(step, avspeech.VideoList(tmp_path / "x.csv"), tmp_path / "out", limit=50, progress=False)
    assert Counter(row["status"] for row in table) == {"ok": 50, "waiting": 29_950}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 15e6


def nothing(task):
    return [{**row, "status": "ok", "reason": ""} for row in task[2]]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("ERROR: [youtube] a404bcdefgh: Sign in to confirm you're not a bot", "host refuses"),
        ("ERROR: [youtube] bot-robot-1: Video unavailable", "gone"),
        ("ERROR: [youtube] abcdefghijk: This video is not available", "gone"),
        (
            "ERROR: [youtube] abcdefghijk: The uploader has not made this video available in your country",
            "host refuses",
        ),
        ("ERROR: [youtube] abcdefghijk: Premieres in 3 hours", "host error"),
        ("ERROR: [youtube] abcdefghijk: This video isn\u2019t available anymore", "gone"),
        (
            "ERROR: [youtube] abcdefghijk: Video unavailable. This content isn't available, try again later",
            "host refuses",
        ),
        ("ERROR: [youtube] abcdefghijk: Unable to download webpage: HTTP Error 410: Gone", "gone"),
        ("ERROR: [youtube] abcdefghijk: Unable to download webpage: HTTP Error 429: Too Many Requests", "host refuses"),
        ("ERROR: [youtube] abcdefghijk: HTTP Error 500: Not available", "host error"),
        ("ERROR: [youtube] abcdefghijk: Read timed out.", "host stalls"),
        ("ERROR: [youtube] abcdefghijk: Temporary failure in name resolution", "host error"),
        ("ERROR: [youtube] abcdefghijk: Join this channel to get access to members-only content", "host refuses"),
    ],
)
def test_what_passes_is_not_gone(message, reason):
    assert avspeech._why(message) == reason


# --- VoxCeleb


def tree(root, kind, names):
    for name in names:
        path = root / kind / "id10001" / "video" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    rows = list(voxceleb.list_clips(root))
    assert len({row["clip_id"] for row in rows}) == len(rows) == len(names)
    manifest.write(root / "m.csv", rows)
    assert len(manifest.read(root / "m.csv")) == len(names)
    return Counter(row["reason"] for row in rows)


@pytest.mark.parametrize(
    ("kind", "names", "reasons"),
    [
        ("wav", ["00001.wav", "ü1.wav", "ö1.wav"], {"unsafe name": 2}),
        ("wav", ["take 1.wav", "take_1.wav"], {"unsafe name": 1}),
        ("aac", ["00001.WAV", "00001.m4a", "00002.M4A"], {"twice in the list": 0}),
        ("wav", ["00001.wav", "00001.flac"], {"no picture": 2}),
        ("wav", ["x" * 95 + ".wav"], {"unsafe name": 1}),
        ("mp4", ["00001.mp4", "notes.txt", "README"], {"no recording": 2}),
    ],
    ids=["letters", "space", "upper case", "two kinds", "long", "others"],
)
def test_no_name_ends_a_listing(tmp_path, kind, names, reasons):
    found = tree(tmp_path, kind, names)
    assert all(found[reason] == count for reason, count in reasons.items())


def test_a_table_with_bad_lines_counts_them(tmp_path):
    text = 'VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet\n\nid1\tA_B\tf\tUK\tdev\nid2\nid3\t"A_C\tm\tUK\tdev\n'
    (tmp_path / "x.csv").write_text(text + "id1\tA_B\tf\tUK\tdev\n\tA_D\tm\tUK\tdev\nid4\tA_E\tm\t=1+1\tdev\n")
    meta = voxceleb.read_meta(tmp_path / "x.csv")
    assert sorted(meta) == ["id1", "id3", "id4"]
    assert meta["id3"] == {"name": "A_C", "sex": "male", "country": "UK", "set": "dev"}
    assert meta.left_out == {"blank line": 1, "short line": 2, "speaker twice": 1}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252", "latin-1"])
def test_a_table_in_the_encodings_of_spreadsheets(tmp_path, encoding):
    text = "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\r\nid1\tZoë\vK\tFemale\tCôte\r\n"
    (tmp_path / "x.csv").write_bytes(text.encode(encoding))
    about = voxceleb.read_meta(tmp_path / "x.csv")["id1"]
    assert about == {"name": "Zoë\vK", "sex": "female", "country": "Côte", "set": ""}


# --- manifests


def test_a_cell_that_a_spreadsheet_would_run_stays_text(tmp_path):
    usual = {"speaker_id": "s", "video_id": "v", "split": "", "status": "ok", "reason": ""}
    cells = [
        '=HYPERLINK("http://x")',
        "+1",
        "@SUM(A1)",
        "'=quoted already",
        "'plain",
        "-2",
        "\t=1",
        "-1+cmd|x",
        "''=1",
        "-aB_9-",
    ]
    path = manifest.write(
        tmp_path / "m.csv", [{"clip_id": f"c{n}", **usual, "country": c} for n, c in enumerate(cells)]
    )
    assert [row["country"] for row in manifest.read(path)] == cells
    written = [line.rpartition(",")[2].strip('"') for line in path.read_text().splitlines()[1:]]
    assert not any(cell.startswith(("=", "+", "@", "\t", "-1+")) for cell in written)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())  # as a spreadsheet saves it
    assert [row["country"] for row in manifest.read(path)] == cells


def test_a_funnel_with_clips_still_to_be_had_adds_up():
    rows = [{"status": "ok", "reason": ""}] * 5 + [{"status": "waiting", "reason": "host refuses"}] * 3
    rows += [{"status": "skipped", "reason": "gone", "lost_at": "download_avspeech"}] * 2
    rows += [{"status": "failed", "reason": "wrong row"}]
    table = report.funnel(iter(rows))
    assert table["left"].iloc[-1] == 5
    assert table["lost"].sum() + 5 == 11
    assert table.loc["not had yet", "reasons"] == "3 host refuses"
    assert table.loc["download_avspeech", "reasons"] == "2 gone"
