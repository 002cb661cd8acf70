"""A clip that cannot be used is a row with a reason; a disk that cannot be used ends the step."""

import errno
import json
import os
import signal

import pytest

from s2f_lib import io
from s2f_lib.corpus import steps


def raising(error):
    def work(row):
        raise error

    return work


def clips(count):
    usual = {"speaker_id": "s", "video_id": "v", "split": "", "status": "ok", "reason": ""}
    return [{"clip_id": f"c{n}", **usual} for n in range(count)]


def test_a_clip_that_may_not_be_read_does_not_end_the_step():
    row = steps.attempt(raising(PermissionError(errno.EACCES, "Permission denied", "clip.mkv")), {"clip_id": "a"})
    assert (row["clip_id"], row["status"], row["reason"]) == ("a", "failed", "file error")
    assert "clip.mkv" in row["detail"]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        KeyError("x"),
        AttributeError("'NoneType' object has no attribute 'width'"),
        RuntimeError("dlib: image too small"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        OSError(errno.EIO, "Input/output error"),
        SystemError("a C extension"),
        RecursionError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_one_clips_exception_of_any_type_is_its_reason(error):
    row = steps.attempt(raising(error), {"clip_id": "a"})
    assert row["status"] in ("failed", "skipped")
    assert isinstance(row["reason"], str)
    assert row["reason"]
    json.dumps(row)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_folder_that_cannot_be_written_does(code, tmp_path):
    error = io.explain(OSError(code, "raw words", str(tmp_path)), tmp_path)
    with pytest.raises(OSError, match="cannot write") as found:
        steps.attempt(raising(error), {"clip_id": "a"})
    assert found.value.errno == code


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/data/films of mine/x.mkv is empty (0 bytes)", "x.mkv is empty (0 bytes)"),
        ("[Errno 13] Permission denied: '/srv/data/vox/wav/a.wav'", "[Errno 13] Permission denied: 'a.wav'"),
        (
            "cannot identify image file <_io.BytesIO object at 0x7f10aa>",
            "cannot identify image file <_io.BytesIO object>",
        ),
        ("HTTP 403 for https://host.example/a/b?sig=secret&ip=1.2.3.4", "HTTP 403 for host.example"),
        ("16 x 16 and/or 25 m/s", "16 x 16 and/or 25 m/s"),
    ],
)
def test_a_reason_names_no_folder_no_address_and_no_secret(text, told):
    assert steps.short(ValueError(text), ["/data/films of mine"]) == told


def refuse_first(task):
    """Refuses c1 until a file says that the host is well."""
    folder, settings, rows = task
    well = os.path.exists(settings["well"])
    with open(f"{folder}/asked.txt", "a") as file:
        file.writelines(f"{row['clip_id']}\n" for row in rows)
    host, gone = steps.Lost("host refuses", "HTTP 429"), steps.Lost("gone", "removed")
    lost = {} if well else {"c1": host}
    lost["c2"] = gone
    return [steps.attempt(raising(lost[r["clip_id"]]) if r["clip_id"] in lost else dict, r) for r in rows]


def test_what_passed_is_tried_again_and_what_is_gone_is_not(tmp_path):
    def step(**options):
        return steps.Step("test", refuse_first, {"well": str(tmp_path / "well")}, options=options)

    first = list(steps.run(step(wait=0, cookies=None), clips(4), tmp_path / "out", progress=False))
    assert [row["status"] for row in first] == ["ok", "waiting", "skipped", "ok"]
    assert [row["lost_at"] for row in first] == ["", "", "test", ""]
    (tmp_path / "well").touch()
    again = list(steps.run(step(wait=9, cookies="secret"), clips(4), tmp_path / "out", progress=False))
    assert [row["status"] for row in again] == ["ok", "ok", "skipped", "ok"]
    asked = (tmp_path / "out" / "asked.txt").read_text().split()
    assert asked == ["c0", "c1", "c2", "c3", "c1"]
    assert "secret" not in "".join(path.read_text() for path in (tmp_path / "out").iterdir())


def test_a_folder_of_an_older_version_goes_on(tmp_path):
    """Cookies were among its settings, and a refusal was final."""
    settings = {"well": str(tmp_path / "well")}
    (tmp_path / "out").mkdir()
    (tmp_path / "well").touch()
    note = {"step": "test", "settings": {**settings, "cookies": None, "wait": 1.0}}
    (tmp_path / "out" / "step.json").write_text(json.dumps(note))
    old = {**clips(2)[1], "status": "skipped", "reason": "host refuses"}
    (tmp_path / "out" / "journal.jsonl").write_text(json.dumps(old) + "\n")
    step = steps.Step("test", refuse_first, settings, options={"cookies": "x", "wait": 0})
    rows = steps.run(step, clips(2), tmp_path / "out", progress=False)
    assert [row["status"] for row in rows] == ["ok", "ok"]


@pytest.mark.parametrize("damage", [b"\0" * 40, b'{"clip_id": "c0"}', b"[]", b'{"clip'])
def test_a_damaged_line_of_the_journal_costs_one_more_try(tmp_path, damage):
    (tmp_path / "well").touch()
    step = steps.Step("test", refuse_first, {"well": str(tmp_path / "well")})
    rows = list(steps.run(step, clips(4), tmp_path / "out", progress=False))
    journal = tmp_path / "out" / "journal.jsonl"
    lines = journal.read_bytes().splitlines()
    journal.write_bytes(b"\n".join([damage, *lines[1:]]) + b"\n")
    assert list(steps.run(step, clips(4), tmp_path / "out", progress=False)) == rows
    assert (tmp_path / "out" / "asked.txt").read_text().split() == ["c0", "c1", "c2", "c3", "c0"]


def crash(task):
    if any(row["clip_id"] == "c2" for row in task[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return [{**row, "status": "ok", "reason": ""} for row in task[2]]


def test_a_clip_that_crashes_its_reader_is_lost_alone(tmp_path):
    step = steps.Step("test", crash, isolated=20.0)
    in_threes = lambda rows: [rows[i : i + 3] for i in range(0, len(rows), 3)]  # noqa: E731
    rows = list(steps.run(step, clips(8), tmp_path, group=in_threes, progress=False))
    assert [row["status"] for row in rows] == ["ok", "ok", "failed", "ok", "ok", "ok", "ok", "ok"]
    assert rows[2]["reason"] == "reader crashed"
