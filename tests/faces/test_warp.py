import numpy as np
import pytest
import torch
from scipy.interpolate import RBFInterpolator

from s2f_lib.faces.warp import border_points, evaluate_spline, fit_spline, sampling_grid, warp


@pytest.fixture
def points():
    return torch.rand(2, 15, 2, dtype=torch.double, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("smoothing", [0.0, 0.01])
def test_spline_is_that_of_scipy(points, smoothing):
    values, places = points.sin().repeat(1, 1, 2)[..., :3], torch.rand(2, 40, 2, dtype=torch.double)
    ours = evaluate_spline(places, points, fit_spline(points, values, smoothing))
    for i in range(2):
        theirs = RBFInterpolator(points[i], values[i], degree=1, smoothing=smoothing)(places[i])
        assert np.abs(ours[i].numpy() - theirs).max() < 3e-5


def test_spline_goes_through_its_points(points):
    values = points.flip(-1) ** 2
    assert torch.allclose(evaluate_spline(points, points, fit_spline(points, values)), values, atol=1e-5)


def test_gradients_of_the_spline_are_right(points):
    points, places = points[:, :6].clone().requires_grad_(), torch.rand(2, 4, 2, dtype=torch.double)
    values = torch.rand(2, 6, 2, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda p, v: evaluate_spline(places, p, fit_spline(p, v, 1e-3)), (points, values), atol=1e-5
    )


def test_gradients_of_the_warp_are_right():
    torch.manual_seed(3)
    smooth = torch.linspace(0, 1, 16, dtype=torch.double)
    picture = (smooth[:, None] * 2 + smooth**2)[None, None].clone().requires_grad_()
    onto = (0.25 + 0.5 * torch.rand(1, 4, 2, dtype=torch.double)).requires_grad_()
    come_from = (onto.detach() + 0.011).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda picture, onto, come_from: warp(picture, onto, come_from, 1e-3), (picture, onto, come_from), atol=1e-4
    )


def test_nothing_moves_when_the_points_stay():
    points = 0.2 + 0.6 * torch.rand(2, 10, 2)
    picture = torch.rand(2, 3, 32, 32)
    assert torch.allclose(warp(picture, points, points), picture, atol=1e-4)


def test_a_point_lands_where_it_was_sent_and_the_border_stays():
    y, x = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    spot = torch.exp(-((x - 25.5) ** 2 + (y - 31.5) ** 2) / 8.0)[None, None]  # pixel 25.5 is at 26 / 64
    moved = warp(spot, torch.tensor([[[0.55, 0.45]]]).expand(1, 1, 2), torch.tensor([[[26 / 64, 0.5]]]))[0, 0]
    centre = torch.stack([(moved * (x + 0.5)).sum(), (moved * (y + 0.5)).sum()]) / moved.sum() / 64
    assert torch.allclose(centre, torch.tensor([0.55, 0.45]), atol=0.01)
    grid = sampling_grid(torch.tensor([[[0.55, 0.45]]]), torch.tensor([[[0.4, 0.5]]]), 64)
    edge = torch.cat([grid[0, 0], grid[0, -1]])
    still = sampling_grid(torch.tensor([[[0.5, 0.5]]]), torch.tensor([[[0.5, 0.5]]]), 64)
    assert (edge - torch.cat([still[0, 0], still[0, -1]])).abs().max() < 0.04


def test_the_coarse_evaluation_is_close_to_the_full_one(faces):
    landmarks = torch.from_numpy(faces[1][:, :65]) / 160
    onto, come_from = landmarks[:1], landmarks.mean(dim=0, keepdim=True)
    border = border_points()[None]
    controls, values = torch.cat([onto, border], 1), torch.cat([come_from, border], 1)
    steps = (torch.arange(112) + 0.5) / 112
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    places = torch.stack([x, y], -1).view(1, -1, 2)
    full = evaluate_spline(places, controls, fit_spline(controls, values, 1e-4)).view(112, 112, 2)
    quick = (sampling_grid(onto, come_from, 112, 1e-4)[0] + 1) / 2
    error = (full - quick).abs() * 112  # pixels
    assert error.max() < 1
    assert error.flatten().quantile(0.99) < 0.25
    assert (full - torch.stack([x, y], -1)).abs().max() * 112 > 3  # there was something to move


def test_points_that_cannot_be_fitted_are_refused():
    with pytest.raises(ValueError, match="K >= 3"):
        fit_spline(torch.rand(1, 2, 2), torch.rand(1, 2, 2))
    with pytest.raises(ValueError, match="multiple of 4"):
        sampling_grid(torch.rand(1, 5, 2), torch.rand(1, 5, 2), 30)
