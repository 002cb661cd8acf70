"""A clip that cannot be used is a row with a reason; a disk that cannot be used ends the step."""

import errno

import pytest

from s2f_lib import io
from s2f_lib.corpus import steps


def raising(error):
    def work(row):
        raise error

    return work


def test_a_clip_that_may_not_be_read_does_not_end_the_step():
    row = steps.attempt(raising(PermissionError(errno.EACCES, "Permission denied", "clip.mkv")), {"clip_id": "a"})
    assert (row["clip_id"], row["status"], row["reason"]) == ("a", "failed", "file error")
    assert "clip.mkv" in row["detail"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_folder_that_cannot_be_written_does(code, tmp_path):
    error = io.explain(OSError(code, "raw words", str(tmp_path)), tmp_path)
    with pytest.raises(OSError, match="cannot write") as found:
        steps.attempt(raising(error), {"clip_id": "a"})
    assert found.value.errno == code
