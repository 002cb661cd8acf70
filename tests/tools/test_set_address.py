"""One command writes the address of a copy wherever it is needed."""

from __future__ import annotations

import shutil

import pytest
import yaml

from s2f_lib.book.parameters import PageError
from tools import set_address as address


@pytest.fixture
def copy(tmp_path):
    for path in address.places():
        target = tmp_path / path.relative_to(address.ROOT)
        target.parent.mkdir(exist_ok=True)
        shutil.copy(path, target)
    return tmp_path


def test_no_placeholder_is_left_and_the_address_can_change_again(copy):
    changed = address.write("https://github.com/jane/speech2face.git", copy)
    text = {path: path.read_text(encoding="utf-8") for path in address.places(copy)}
    assert [path.name for path, content in text.items() if "OWNER/REPO" in content] == []
    pages = [path for path in changed if path.suffix == ".ipynb"]
    assert len(pages) == 8
    assert all("@ git+https://github.com/jane/speech2face" in text[path] for path in pages)
    site = yaml.safe_load(text[copy / "_config.yml"])
    assert site["repository"]["url"] == "https://github.com/jane/speech2face"
    assert "colab_url" in site["launch_buttons"]
    address.write("https://code.example.org/group/book/", copy)
    assert all("jane" not in path.read_text(encoding="utf-8") for path in address.places(copy))


@pytest.mark.parametrize("text", ["you/your-copy", "https://github.com/you", "git@github.com:you/copy.git", ""])
def test_what_is_no_address_is_refused(text, copy):
    with pytest.raises(PageError, match="no address of a repository"):
        address.write(text, copy)
