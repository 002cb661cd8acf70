"""Shards know whose features they hold."""

import json
import shutil

import pytest

from s2f_lib import corpus
from s2f_lib.corpus import build


@pytest.fixture
def features(pairs, tmp_path):
    """A copy of the features, with the note of `extract_features`; call it with the recogniser's checksum."""
    folder = tmp_path / "features"
    shutil.copytree(pairs, folder)

    def extracted(name, checksum):
        settings = {"pairs": str(pairs), "recogniser": name, "checksum": checksum, "device": "cpu"}
        (folder / "step.json").write_text(json.dumps({"step": "extract_features", "settings": settings}))
        return folder

    return extracted


def test_features_extracted_anew_are_not_taken_for_packed(pairs, parts, features, tmp_path):
    def make(name, checksum, **options):
        build.build(pairs, features(name, checksum), parts, tmp_path / "out", progress=False, **options)
        return corpus.open(tmp_path / "out")

    made = make("synthetic-vgg", "aaa")
    assert made.info["recogniser"] == {"name": "synthetic-vgg", "checksum": "aaa"}
    make("synthetic-vgg", "aaa")
    with pytest.raises(ValueError, match=r"synthetic-vgg.*aaa.* instead of .*vgg-face.*bbb.* --overwrite"):
        make("vgg-face", "bbb")
    with pytest.raises(ValueError, match=r"aaa.* instead of .*bbb"):
        make("synthetic-vgg", "bbb")
    again = make("vgg-face", "bbb", overwrite=True)
    assert again.source("train").about["recogniser"] == {"name": "vgg-face", "checksum": "bbb"}


def test_features_that_came_later_are_not_taken_for_packed(pairs, parts, features, tmp_path):
    build.build(pairs, None, parts, tmp_path / "out", progress=False)
    assert "recogniser" not in corpus.open(tmp_path / "out").info
    with pytest.raises(ValueError, match=r"None instead of .*vgg-face.*bbb"):
        build.build(pairs, features("vgg-face", "bbb"), parts, tmp_path / "out", progress=False)


def test_a_part_says_which_clips_it_has(pairs, parts, features, tmp_path):
    folder = features("vgg-face", "bbb")
    for name, size in (("one", 3), ("two", 3), ("three", 4)):
        build.build(pairs, folder, parts, tmp_path / name, clips_per_shard=size, progress=False)
    one, two, three = (corpus.open(tmp_path / name) for name in ("one", "two", "three"))
    assert one.about("train") == two.about("train") == one.source("train").about
    assert one.about("train")["clips"] == 8
    assert one.about("train") != one.about("test")
    assert one.about("train") != three.about("train"), "other shards come in another order"
