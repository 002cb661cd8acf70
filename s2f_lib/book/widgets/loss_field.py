"""How each term of the loss pulls on a prediction: gradients on a real batch, drawn in a plane."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from s2f_lib.book.widgets.frames import Frame, frame_slider

GRID = 13  # arrows per side
SPAN = 1.6  # half width of the plane, in units of the distance between prediction and target


def loss_field(loss: Any, v_s: Any, batch: Mapping[str, Any], clip: int = 0, grid: int = GRID) -> dict[str, np.ndarray]:
    """Gradients of every term in a plane through one clip's prediction and target.

    The plane is spanned by the direction from the target v_f to the prediction v_s and by the direction, at right
    angles to it, in which v_f itself points: moving along the second changes mostly the length of the feature, so one
    sees at a glance which terms care about length and which only about angle.

    Parameters
    ----------
    v_s : Tensor, shape (B, D)
    batch : dict
        ``v_f`` (B, D) and, for the distillation, ``logits`` (B, C).
    clip : int
        Which row of the batch; ValueError if its prediction and target are parallel and span no plane.
    grid : int
        Points per side.

    Returns
    -------
    dict
        ``x``, ``y`` (grid,): position in units of the distance v_s - v_f; per term ``<term>`` (grid, grid, 2): minus
        the gradient along both axes; ``<term>_value`` (grid, grid). At (0, 0) stands v_f, at (1, 0) v_s.
    """
    import torch

    v_s, v_f = v_s.detach()[clip].float(), batch["v_f"][clip].float()
    distance = (v_s - v_f).norm()
    across = v_f - (v_f @ (v_s - v_f)) * (v_s - v_f) / distance.clamp_min(1e-12) ** 2
    if distance < 1e-6 or across.norm() < 1e-6:
        raise ValueError("prediction and target are equal or parallel, so they span no plane; take another clip")
    first, second = (v_s - v_f) / distance, across / across.norm()
    ticks = torch.linspace(-SPAN, SPAN, grid)
    y, x = torch.meshgrid(ticks, ticks, indexing="ij")
    points = v_f + distance * (x.reshape(-1, 1) * first + y.reshape(-1, 1) * second)
    points.requires_grad_(True)
    here = {k: v[clip : clip + 1].expand(len(points), *v.shape[1:]) for k, v in batch.items() if k in ("v_f", "logits")}
    field = {"x": ticks.numpy(), "y": ticks.numpy()}
    for term, values in loss.terms(points, here).items():
        (gradient,) = torch.autograd.grad(values.sum(), points, retain_graph=True)
        pull = -torch.stack([gradient @ first, gradient @ second], dim=1)
        field[term] = pull.reshape(grid, grid, 2).numpy()
        field[f"{term}_value"] = values.detach().reshape(grid, grid).numpy()
    return field


def loss_explorer(field: Mapping[str, np.ndarray], weights: Mapping[str, float]):
    """A slider over the terms of `loss_field` and their sum by `weights` (ValueError for a term without a field)."""
    terms = [name for name in field if f"{name}_value" in field]
    absent = sorted(set(weights) - set(terms))
    if absent:
        raise ValueError(f"no field for {', '.join(absent)}; the field has {', '.join(terms)}")
    frames = [_field_frame(field, term, field[term], field[f"{term}_value"]) for term in terms]
    pull = sum(weight * field[term] for term, weight in weights.items())
    value = sum(weight * field[f"{term}_value"] for term, weight in weights.items())
    frames.append(_field_frame(field, "weighted sum", pull, value))
    return frame_slider(frames, "term of the loss", start=len(frames) - 1)


def _field_frame(field: Mapping[str, np.ndarray], name: str, pull: np.ndarray, value: np.ndarray) -> Frame:
    """One drawing: level lines of the value, arrows of the pull (all of one length scale within the drawing)."""
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(5.2, 4.4))
    levels = axis.contourf(field["x"], field["y"], value, levels=14, cmap="magma", alpha=0.75)
    figure.colorbar(levels, ax=axis, label="value of the term, this clip")
    axis.quiver(field["x"], field["y"], pull[..., 0], pull[..., 1], color="white", width=0.005)
    axis.plot(0, 0, "o", color="#009E73", markersize=10, markeredgecolor="white")
    axis.plot(1, 0, "s", color="#0072B2", markersize=9, markeredgecolor="white")
    axis.annotate("target $v_f$", (0, 0), xytext=(6, 8), textcoords="offset points", color="white")
    axis.annotate("prediction $v_s$", (1, 0), xytext=(0, -18), textcoords="offset points", color="white", ha="center")
    axis.set(xlabel="towards the prediction (1 = its distance)", ylabel="along the feature's own direction")
    axis.set_title(f"{name}: where it pulls")
    alt = f"level lines and arrows of the term {name} around the target and the prediction"
    return Frame(name, figure, alt, "One clip of a real batch; arrows show minus the gradient.")
