"""Which clips are found on disk, in either layout, and what is said about those that are not whole."""

import shutil

import pytest

from s2f_lib.published import layout


def test_both_parts_are_read_from_the_authors_layout(authors):
    avspeech, voxceleb = (layout.open_part(authors, part) for part in layout.PARTS)
    assert len(avspeech) == len(voxceleb) == 12
    assert avspeech.kinds == voxceleb.kinds == tuple(layout.KINDS)
    assert len({clip.speaker for clip in avspeech}) == 6  # the video stands for the speaker
    assert {clip.speaker for clip in voxceleb} == {f"Made_Up_Jr._{i}" for i in range(6)}
    assert {(clip.name[0], clip.label) for clip in voxceleb} == {("0", "male"), ("1", "female")}
    assert {clip.label for clip in avspeech} == {None}


def test_a_voxceleb_video_id_may_begin_with_underscores():
    match = layout.PARTS["voxceleb"].pattern.fullmatch("0025Made_Up___abIqzimYk_0000004")
    assert match["speaker"] == "Made_Up"
    assert match["video"] == "__abIqzimYk"


def test_the_short_layout_with_flac_is_the_same_part(authors, tmp_path):
    short = tmp_path / "short"
    shutil.copytree(authors / "figures/avspeech_res", short / "avspeech")
    for wav in (short / "avspeech/Wav").glob("*.wav"):
        wav.rename(wav.with_suffix(".flac"))
    names = [clip.name for clip in layout.open_part(short, "avspeech")]
    assert names == [clip.name for clip in layout.open_part(authors, "avspeech")]


def test_half_a_tuple_is_counted_and_left_out(authors):
    folder = authors / "figures/avspeech_res"
    sorted((folder / "Face_f2f").glob("*.jpg"))[0].unlink()
    sorted((folder / "Wav").glob("*.wav"))[0].unlink()
    sorted((folder / "Wav").glob("*.wav"))[1].unlink()
    sorted((folder / "Face_exg1.4").glob("*.jpg"))[5].unlink()  # this kind is optional
    (folder / "Face_ori" / "strange.jpg").write_bytes(b"x")
    part = layout.open_part(authors, "avspeech")
    assert len(part) == 10
    assert part.incomplete == {"Face_f2f": 1, "Wav": 2, "a name of the known form": 1}
    assert "10 whole clips of 968 published; left out: " in part.report()
    assert "s2f_14" not in part.kinds


def test_a_named_folder_without_examples_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="s2f published fetch"):
        layout.locate(tmp_path)
    with pytest.raises(FileNotFoundError, match="has no voxceleb part"):
        layout.open_part(tmp_path, "voxceleb")
    with pytest.raises(ValueError, match="there is no part 'lfw'"):
        layout.part_folder(tmp_path, "lfw")


def test_the_environment_and_the_cache_folder_are_looked_at(authors, tmp_path, monkeypatch):
    monkeypatch.setenv("S2F_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(layout.ENVIRONMENT, str(authors))
    assert layout.locate() == authors
    monkeypatch.delenv(layout.ENVIRONMENT)
    shutil.copytree(authors, tmp_path / "home/published_examples")
    assert layout.locate() == tmp_path / "home/published_examples"


def test_empty_folders_are_an_error_not_an_empty_part(authors):
    for picture in (authors / "figures/avspeech_res/Face_f2f").iterdir():
        picture.unlink()
    with pytest.raises(ValueError, match=r"no whole clip; missing: \{'Face_f2f': 12\}"):
        layout.open_part(authors, "avspeech")
