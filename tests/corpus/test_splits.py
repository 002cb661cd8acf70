"""No speaker and no video in two splits, whatever the order of the list."""

import random
import subprocess
import sys

import pytest

from s2f_lib.corpus import splits


def clips(n, videos=lambda i: [f"v{i}"]):
    return [{"speaker_id": f"s{i:03d}", "video_id": video} for i in range(n) for video in videos(i)]


def test_parts_are_disjoint_complete_and_of_the_asked_sizes():
    parts = splits.make(clips(200), seed=3)
    everyone = [s for members in parts.values() for s in members]
    assert len(everyone) == len(set(everyone)) == 200
    assert [len(parts[name]) for name in splits.SPLITS] == [160, 20, 20]
    assert splits.make(clips(200), seed=4) != parts


@pytest.mark.parametrize("n", [3, 4, 9])
def test_few_speakers_fill_every_part(n):
    assert all(splits.make(clips(n)).values())


def test_the_order_of_the_list_and_the_process_do_not_matter():
    rows = clips(50)
    random.Random(1).shuffle(rows)
    assert splits.make(rows, seed=1) == splits.make(clips(50), seed=1)
    code = (
        "from s2f_lib.corpus import splits; "
        "print(splits.make([{'speaker_id': f's{i:03d}', 'video_id': ''} for i in range(50)], seed=1))"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert there.strip() == str(splits.make(clips(50), seed=1))


def test_speakers_of_one_video_stay_together():
    rows = clips(60, lambda i: [f"v{i}", f"pair{i // 2}", f"chain{(i + 1) // 2 if i < 10 else 'x' + str(i)}"])
    parts = splits.make(rows, seed=0)
    splits.check(parts, rows)
    part_of = {s: name for name, members in parts.items() for s in members}
    assert len({part_of[f"s{i:03d}"] for i in range(10)}) == 1, "s000 ... s009 are a chain of shared videos"
    assert all(part_of[f"s{i:03d}"] == part_of[f"s{i + 1:03d}"] for i in range(0, 60, 2))


def test_a_stored_file_comes_back_and_a_wrong_one_is_refused(tmp_path):
    parts = splits.make(clips(20))
    path = splits.save(tmp_path / "splits.json", parts)
    assert splits.load(path) == parts
    path.write_text('{"train": ["a"], "validation": [], "test": ["a"]}')
    with pytest.raises(ValueError, match="'a' is in train and in test"):
        splits.load(path)
    path.write_text('{"train": ["a"]}')
    with pytest.raises(ValueError, match="exactly the splits"):
        splits.load(path)


def test_a_shared_video_and_a_forgotten_speaker_are_found():
    parts = {"train": ["a"], "validation": [], "test": ["b"]}
    with pytest.raises(ValueError, match="video 'v' is in the splits"):
        splits.check(parts, [{"speaker_id": "a", "video_id": "v"}, {"speaker_id": "b", "video_id": "v"}])
    with pytest.raises(ValueError, match="'c' is in no split"):
        splits.check(parts, [{"speaker_id": "c", "video_id": ""}])


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (0.9, 0.2, 0.1), (1.1, -0.1, 0.0)])
def test_impossible_fractions_are_refused(fractions):
    with pytest.raises(ValueError, match="sum to 1"):
        splits.make(clips(5), fractions)
    with pytest.raises(ValueError, match="no speaker"):
        splits.make([])
