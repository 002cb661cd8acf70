"""Face features, once for every face: a frozen recogniser, in batches, on a GPU where there is one."""

import functools
from pathlib import Path

import numpy as np

from s2f_lib import io, media
from s2f_lib.corpus.manifest import Row, safe_name
from s2f_lib.corpus.shards import encode
from s2f_lib.corpus.steps import Step, inside


def feature_step(pairs: str | Path, recogniser: str = "synthetic-vgg", device: str = "cpu") -> Step:
    """The step that adds features; `recogniser` is a name of `s2f_lib.hub`, its checksum becomes a setting."""
    checksum = _recogniser(recogniser, device).checksum
    settings = {"pairs": str(Path(pairs).resolve()), "recogniser": recogniser, "checksum": checksum, "device": device}
    return Step("extract_features", _extract, settings, ("features/*.npy",))


@functools.lru_cache(maxsize=1)
def _recogniser(name: str, device: str):
    """The network, once per process."""
    from s2f_lib import hub

    return hub.load(name, device=device)


def _extract(task: tuple) -> list[Row]:
    """Features of a batch of faces: half precision, as far as a feature is known at all."""
    from s2f_lib import faces

    folder, settings, rows = task
    network = _recogniser(settings["recogniser"], settings["device"])
    if network.checksum != settings["checksum"]:
        raise RuntimeError(f"the weights of {network.name} are not those this step began with; see s2f_lib.hub")
    names = [safe_name(str(row["clip_id"])) for row in rows]
    pictures = [media.read_picture(inside(settings["pairs"], f"pairs/{name}.jpg").read_bytes()) for name in names]
    v_f, logits = faces.extract(network, np.stack(pictures))
    for place, name in enumerate(names):
        _write(Path(folder) / "features" / f"{name}.v_f.npy", v_f[place])
        if logits is not None:
            _write(Path(folder) / "features" / f"{name}.logits.npy", logits[place])
    return [{**row, "status": "ok", "reason": ""} for row in rows]


def _write(path: Path, values: np.ndarray) -> None:
    with io.atomic_write(path) as file:
        file.write(encode("npy", values.astype(np.float16)))
