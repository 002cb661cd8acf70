"""A differentiable warp: move a picture so that some of its points land where other points are.

The warp is a thin-plate spline (Cole et al., 2017, section 3.4): the smoothest map of the plane that takes given
points to given points. It is solved for every picture by one small linear system, and everything, the solution
included, has gradients. Points along the border stay where they are, so that the picture keeps its frame.

Coordinates are x, y in 0-1 of the picture's width and height, (0, 0) at the upper left **corner** of the first pixel.
"""

import torch
from torch import Tensor, nn

EPS = 1e-12  # added to squared distances, so that the logarithm and its gradient stay finite at a control point
STRIDE = 4  # pixels between the points where the spline is evaluated; the map is smooth, so the rest is interpolated


def border_points() -> Tensor:
    """Points along the border of the unit square, (16, 2), corners included."""
    steps, zero, one = torch.arange(4) / 4, torch.zeros(4), torch.ones(4)
    sides = ((steps, zero), (one, steps), (1 - steps, one), (zero, 1 - steps))
    return torch.cat([torch.stack(side, dim=1) for side in sides])


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    """Radial function between two sets of points: r^2 log r, the thin plate."""
    squared = (a[:, :, None] - b[:, None]).square().sum(dim=-1) + EPS
    return 0.5 * squared * squared.log()


def _affine(points: Tensor) -> Tensor:
    """Columns 1, x, y."""
    return torch.cat([torch.ones_like(points[..., :1]), points], dim=-1)


def fit_spline(points: Tensor, values: Tensor, smoothing: float = 0.0) -> Tensor:
    """Find the smoothest functions that have given values (B, K, V) at given points (B, K, 2).

    With `smoothing` 0 they go exactly through the values, and no two points of a picture may coincide
    (torch.linalg.LinAlgError); more bends less. Solved in double precision: with neighbouring lip points single
    precision loses most of its digits. Gives the weights of the radial functions, then of 1, x and y: (B, K + 3, V).
    ValueError for other shapes, or fewer than three points.
    """
    if points.dim() != 3 or points.shape[-1] != 2 or values.shape[:2] != points.shape[:2] or points.shape[1] < 3:
        raise ValueError(
            f"expected points (B, K, 2) and values (B, K, V) with K >= 3, got {(*points.shape,)}, {(*values.shape,)}"
        )
    points, values = points.double(), values.double()
    count = points.shape[1]
    matrix = _kernel(points, points) + smoothing * torch.eye(count, dtype=points.dtype).to(points)
    plane = _affine(points)
    corner = plane.new_zeros(len(plane), 3, 3)
    system = torch.cat([torch.cat([matrix, plane], 2), torch.cat([plane.mT, corner], 2)], 1)
    target = torch.cat([values, values.new_zeros(len(values), 3, values.shape[2])], 1)
    return torch.linalg.solve(system, target)


def evaluate_spline(places: Tensor, points: Tensor, weights: Tensor) -> Tensor:
    """Values of fitted functions at other places: (B or 1, N, 2) -> (B, N, V), in the precision of `places`."""
    count = points.shape[1]
    weights = weights.to(places.dtype)
    radial = _kernel(places, points.to(places.dtype)) @ weights[:, :count]
    return radial + _affine(places) @ weights[:, count:]


def sampling_grid(onto: Tensor, come_from: Tensor, size: int, smoothing: float = 0.0) -> Tensor:
    """For every pixel of the result, where in the source picture its colour is found.

    The points `come_from` of the source shall land on the points `onto` of the result, both (B, K, 2). Gives (B, size,
    size, 2) in the convention of ``grid_sample(align_corners=False)``: -1 to 1 from edge to edge. ValueError if the
    size is no multiple of `STRIDE`.
    """
    if size % STRIDE:
        raise ValueError(f"the size of a warped picture must be a multiple of {STRIDE}, got {size}")
    border = border_points().to(onto).expand(len(onto), -1, -1)
    controls, values = torch.cat([onto, border], 1), torch.cat([come_from.expand(len(onto), -1, -1), border], 1)
    weights = fit_spline(controls, values - controls, smoothing)  # the shift: zero at the border
    coarse = _pixel_centers(size // STRIDE, onto).view(1, -1, 2)
    shift = evaluate_spline(coarse, controls, weights)
    shift = shift.mT.reshape(len(onto), 2, size // STRIDE, size // STRIDE)
    shift = nn.functional.interpolate(shift, (size, size), mode="bicubic", align_corners=False)
    return 2 * (_pixel_centers(size, onto) + shift.permute(0, 2, 3, 1)) - 1


def warp(pictures: Tensor, onto: Tensor, come_from: Tensor, smoothing: float = 0.0) -> Tensor:
    """Warp square pictures (B, C, S, S) so that the points `come_from` land on the points `onto`, both (B, K, 2)."""
    grid = sampling_grid(onto, come_from, pictures.shape[-1], smoothing).to(pictures.dtype)
    return nn.functional.grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _pixel_centers(size: int, like: Tensor) -> Tensor:
    """x, y of the middle of each pixel, (size, size, 2)."""
    steps = (torch.arange(size, dtype=like.dtype, device=like.device) + 0.5) / size
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    return torch.stack([x, y], dim=-1)
