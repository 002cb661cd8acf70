"""Z-buffer kernels against plain geometry."""

import numpy as np

from s2f_lib.people import raster


def draw(points, triangles, size=40, cull=False):
    ids, bary = np.full((size, size), -1, np.int32), np.zeros((size, size, 3), np.float32)
    depth = np.full((size, size), 1e9, np.float32)
    raster.draw_triangles(np.asarray(points, np.float32), np.asarray(triangles, np.int32), ids, bary, depth, cull)
    return ids, bary, depth


def test_a_triangle_covers_the_pixels_whose_centres_are_inside():
    rng = np.random.default_rng(0)
    centres = np.stack(np.meshgrid(np.arange(40) + 0.5, np.arange(40) + 0.5), -1)
    for _ in range(20):
        corners = rng.uniform(-5, 45, (3, 2))
        side = []
        for i in range(3):
            edge, there = corners[(i + 1) % 3] - corners[i], centres - corners[i]
            side.append(edge[0] * there[..., 1] - edge[1] * there[..., 0])
        inside = np.all([s > 0 for s in side], axis=0) | np.all([s < 0 for s in side], axis=0)
        ids, _, _ = draw(np.c_[corners, np.ones(3)], [[0, 1, 2]])
        assert np.mean((ids == 0) != inside) < 0.002  # only centres that lie on an edge may differ


def test_nearer_wins_and_facing_away_is_culled():
    square = [(0, 0, 5), (40, 0, 5), (0, 40, 5), (0, 0, 2), (40, 0, 2), (0, 40, 2)]
    ids, _, depth = draw(square, [[0, 1, 2], [3, 4, 5]])
    assert ids[5, 5] == 1
    assert depth[5, 5] == 2
    one_way = (draw(square, [[0, 1, 2]], cull=True)[0] >= 0).any()
    other_way = (draw(square, [[0, 2, 1]], cull=True)[0] >= 0).any()
    assert one_way != other_way


def test_barycentrics_are_perspective_correct():
    points = np.array([(0, 0, 1.0), (40, 0, 4.0), (0, 40, 2.0)])
    _, bary, depth = draw(points, [[0, 1, 2]])
    flat = np.linalg.solve(np.vstack([points[:, :2].T, np.ones(3)]), [10.5, 12.5, 1])
    weight = flat / points[:, 2]
    assert np.allclose(bary[12, 10], weight / weight.sum(), atol=1e-5)
    assert np.isclose(depth[12, 10], 1 / weight.sum(), atol=1e-5)


def test_normals_of_a_flat_square():
    out = np.zeros((4, 3), np.float32)
    points = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], np.float32)
    raster.vertex_normals(points, np.array([[0, 1, 2], [0, 2, 3]], np.int32), out)
    assert np.allclose(out, [0, 0, 1])


def test_strands_follow_the_head():
    strands = np.zeros((1, 2, 3), np.float32)
    strands[0, 1, 0] = 1
    index, weight = np.zeros((1, 2, 3), np.int32), np.full((1, 2, 3), 1 / 3, np.float32)
    shift, points, tangents = np.ones((1, 3), np.float32), np.zeros((2, 3), np.float32), np.zeros((2, 3), np.float32)
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], np.float32)  # a quarter turn to the left
    zero = np.zeros(3, np.float32)
    assert raster.place_strands(strands, index, weight, shift, turn, zero, zero, points, tangents, 0) == 2
    assert np.allclose(points, [(-1, 1, 1), (-1, 2, 1)], atol=1e-6)
    assert np.allclose(tangents, [(0, 1, 0)] * 2, atol=1e-6)
