"""Reads .h5 and .mat files of VGG-Face in a process of its own, because the C libraries below crash on damaged ones.

    python -I _foreign.py FILE LAYERS.npz SECONDS

It imports nothing of the library, so that it starts quickly, and writes what it found as plain arrays: "0.weight",
"0.bias", "1.weight" and so on, in the file's own order of axes, and their "layout".
"""

from __future__ import annotations

import math
import sys

import numpy as np

MAX_NUMBERS = 200_000_000  # in one file; the published network has 145,002,878
MAX_BYTES = 5 << 30  # of address space


def read(path: str) -> tuple[list[tuple[np.ndarray, np.ndarray]], str]:
    """Kernel and bias of each layer of a file, and its layout."""
    return read_h5(path) if path.lower().endswith(".h5") else read_mat(path)


def read_h5(path: str) -> tuple[list[tuple[np.ndarray, np.ndarray]], str]:
    """A Keras weights file, layers in the order of its `layer_names`."""
    import h5py

    layers, total = [], 0
    with h5py.File(path) as file:
        root = file.get("model_weights", file)
        if "layer_names" not in root.attrs:
            raise ValueError("it has no 'layer_names'; expected a Keras file of weights")
        for name in (n.decode() if isinstance(n, bytes) else str(n) for n in root.attrs["layer_names"]):
            found: list = []
            root[name].visititems(lambda _, item, to=found: to.append(item) if hasattr(item, "shape") else None)
            total += sum(math.prod(item.shape) for item in found)
            if total > MAX_NUMBERS:
                raise ValueError(f"it announces {total} numbers, more than any VGG-Face has")
            if found and len(found) != 2:
                raise ValueError(f"layer {name!r} has {len(found)} arrays; expected a kernel and a bias")
            if found:
                bias, kernel = sorted((item[()] for item in found), key=np.ndim)
                layers.append((kernel, bias))
    return layers, "rcmalli-h5" if layers and layers[-1][0].ndim == 2 else "deepface-h5"


def read_mat(path: str) -> tuple[list[tuple[np.ndarray, np.ndarray]], str]:
    """A MatConvNet network, old (`net.layers`) or new (`layers`), saved as MAT version 5."""
    from scipy.io import loadmat

    try:
        content = loadmat(path, struct_as_record=False)
    except NotImplementedError as error:  # version 7.3 is another format
        raise ValueError("it is a version 7.3 MAT file; the published VGG-Face is version 5") from error
    holder = content["net"][0, 0].layers if "net" in content else content.get("layers")
    if holder is None:
        raise ValueError("it has neither 'net' nor 'layers'; expected a MatConvNet network")
    layers = []
    for cell in holder.ravel():
        layer = cell[0, 0]
        if hasattr(layer, "weights") and layer.weights.size:
            kernel, bias = layer.weights.ravel()
        elif hasattr(layer, "filters"):
            kernel, bias = layer.filters, layer.biases
        else:
            continue
        layers.append((kernel, bias.ravel()))
    return layers, "matconvnet"


def limit(seconds: int) -> None:
    """Bound the memory and the time of this process, where the platform can."""
    try:
        import resource
    except ImportError:  # Windows: the parent's clock must do
        return
    resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))


def main(arguments: list[str]) -> int:
    """Read the file, write the layers; the exit status is 1, and the reason on standard error, where that fails."""
    path, target, seconds = arguments
    limit(int(seconds))
    try:
        layers, layout = read(path)
        arrays = {f"{i}.{k}": np.asarray(a) for i, pair in enumerate(layers) for k, a in zip(("weight", "bias"), pair)}
        if any(array.dtype.kind != "f" for array in arrays.values()):
            raise ValueError("its layers hold something else than floating-point numbers")
        with open(target, "wb") as file:
            np.savez(file, layout=np.array(layout), **arrays)
    except Exception as error:  # whatever the readers raise on damaged files is this file's reason
        print(f"{type(error).__name__}: {' '.join(str(error).split())}"[:500], file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
