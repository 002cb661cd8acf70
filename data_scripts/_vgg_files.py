"""Read VGG-Face from any of its published files into one form.

Six layouts circulate, and they disagree about names, axis order, whether the fully connected layers are stored as
convolutions, and whether the first channel is red or blue. `read_vgg_face` undoes all of that: whatever came in, the
result is a state dict of `VGGFace` that wants **RGB** pixels in 0-255 minus the mean colour.

============  ======================================================  ===========================  =====
layout        published file                                          fully connected layers       input
============  ======================================================  ===========================  =====
mcn           vgg_face_dag.pth (pytorch-mcn)                          Linear                       RGB
deepface-pth  vgg_face_weights.pth (deepface)                         7x7 and 1x1 convolutions     BGR
rcmalli-h5    rcmalli_vggface_tf_vgg16.h5 (keras-vggface)             Dense on height-width-chan.  BGR
deepface-h5   vgg_face_weights.h5 (deepface)                          7x7 and 1x1 convolutions     BGR
matconvnet    vgg_face.mat, vgg-face.mat (MatConvNet)                 7x7 and 1x1 convolutions     RGB
torch7        VGG_FACE.t7 (the authors')                              Linear                       BGR
============  ======================================================  ===========================  =====

No checksum is published for any of them. The reference port's test picture decides: it must be named "Aamir Khan".
"""

from __future__ import annotations

import importlib.util
import os
import pickle
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from data_scripts import _foreign
from data_scripts._torch7 import read_t7
from s2f_lib import io
from s2f_lib.faces.vgg import KEYS, LAYERS, build

__all__ = ["read_vgg_face"]

BGR_LAYOUTS = ("deepface-pth", "rcmalli-h5", "deepface-h5", "torch7")
MORE = 1 << 24  # bytes of a .pth file besides its numbers
SECONDS = 300  # of one core, for the readers that run in a process of their own

Layers = list[tuple[np.ndarray, np.ndarray]]  # weight and bias of each of the sixteen layers, in order


def read_vgg_face(path: str | Path) -> tuple[dict[str, Tensor], str]:
    """Read any published layout.

    Parameters
    ----------
    path : str or Path
        A .pth, .pt, .h5, .mat or .t7 file.

    Returns
    -------
    tuple
        State dict for `VGGFace` (RGB input), and the name of the layout that was found.

    Raises
    ------
    io.WeightFileError
        If the ending is unknown, or the file is damaged or does not hold the sixteen layers of a VGG-Face.
    OSError
        If there is no such file, or it may not be read.
    ImportError
        If a .h5 file is given and h5py is not installed.
    """
    path = Path(path)
    readers = {".pth": _read_pth, ".pt": _read_pth, ".h5": _read_foreign, ".mat": _read_foreign, ".t7": _read_t7}
    if path.suffix.lower() not in readers:
        raise io.WeightFileError(f"{path.name}: unknown kind of VGG-Face file; known endings are {', '.join(readers)}")
    path.open("rb").close()  # a missing or a forbidden file is told as such
    try:
        layers, layout = readers[path.suffix.lower()](path)
        return _checked(layers, layout), layout
    except ImportError:
        raise
    except Exception as error:  # what foreign readers raise on damaged files has no end; this is their boundary
        reason = " ".join(str(error).split()) or type(error).__name__
        raise io.WeightFileError(
            f"{path.name} is not a VGG-Face that can be read: {reason}. Is the download complete, or an error page?"
        ) from error


def _checked(layers: Layers, layout: str) -> dict[str, Tensor]:
    """A state dict of `VGGFace` for RGB pixels; raises ValueError where the layers cannot be one."""
    if len(layers) != len(LAYERS):
        raise ValueError(f"it holds {len(layers)} layers with weights, a VGG-Face has {len(LAYERS)}")
    if sum(array.size for pair in layers for array in pair) > _foreign.MAX_NUMBERS:
        raise ValueError("it has more numbers than any VGG-Face")
    state = {}
    for name, (weight, bias) in zip(LAYERS, layers, strict=True):
        if name.startswith("fc"):
            weight = weight.reshape(len(weight), -1)
        if weight.ndim != (2 if name.startswith("fc") else 4) or bias.shape != (len(weight),):
            raise ValueError(f"{name} has weight {weight.shape} and bias {bias.shape}, which do not fit")
        if layout in BGR_LAYOUTS and name == LAYERS[0]:  # so that blue-first weights take red-first pixels
            weight = weight[:, ::-1]
        for kind, array in (("weight", weight), ("bias", bias)):
            state[f"{KEYS[name]}.{kind}"] = tensor = torch.tensor(np.ascontiguousarray(array)).float()
            if not torch.isfinite(tensor).all():
                raise ValueError(f"{name} holds numbers that are not finite")
    build(state)
    return state


def _read_pth(path: Path) -> tuple[Layers, str]:
    """A PyTorch state dict with the names conv1_1 .. fc8: pytorch-mcn's, or deepface's with convolutions for fc."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            size = sum(record.file_size for record in packed.infolist())
        if size > 8 * _foreign.MAX_NUMBERS + MORE:
            raise ValueError(f"it unpacks to {size >> 20} MB, more than any VGG-Face")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:  # torch's own words are long and speak of switching the check off
        raise ValueError("it is no PyTorch file of weights alone") from error
    if not isinstance(state, dict):
        raise ValueError(f"it holds a {type(state).__name__}, not named weights")
    names = [f"{name}.{kind}" for name in LAYERS for kind in ("weight", "bias")]
    for name in names:
        if not isinstance(state.get(name), Tensor):
            raise ValueError(f"it has no {name}; expected the names conv1_1 .. conv5_3, fc6, fc7, fc8")
    arrays = [state[name].numpy() for name in names]
    layers = list(zip(arrays[::2], arrays[1::2], strict=True))
    return layers, "deepface-pth" if layers[-1][0].ndim == 4 else "mcn"


def _read_foreign(path: Path) -> tuple[Layers, str]:
    """A Keras .h5 or MatConvNet .mat file, read by a process of its own: damaged ones crash h5py and scipy."""
    if path.suffix.lower() == ".h5" and importlib.util.find_spec("h5py") is None:
        raise ImportError(
            f"reading {path.name} needs h5py (pip install h5py); the .pth, .mat and .t7 files need nothing more"
        )
    with tempfile.TemporaryDirectory(prefix="s2f-") as folder:
        target = Path(folder) / "layers.npz"
        _run_foreign([str(path.resolve()), str(target), str(SECONDS)])
        with np.load(target) as arrays:
            layout = str(arrays["layout"])
            count = (len(arrays.files) - 1) // 2
            layers = [(arrays[f"{i}.weight"], arrays[f"{i}.bias"]) for i in range(count)]
    return [(_from_hwio(kernel, layers[i - 1][1]), bias) for i, (kernel, bias) in enumerate(layers)], layout


def _run_foreign(arguments: list[str]) -> None:
    """Run `_foreign` with limits on time and memory; raises ValueError with its reason."""
    command = [sys.executable, "-I", _foreign.__file__, *arguments]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=4 * SECONDS, env=environment, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"it was not read within {4 * SECONDS} seconds") from error
    if done.returncode:
        crashed = "its reader crashed or ran out of time"
        raise ValueError(done.stderr.strip().splitlines()[-1] if done.returncode == 1 and done.stderr else crashed)


def _from_hwio(kernel: np.ndarray, previous_bias: np.ndarray) -> np.ndarray:
    """Height, width, in, out -> out, in, height, width; a dense kernel (in, out) is unflattened first."""
    if kernel.ndim == 2:
        channels = len(previous_bias)
        size = round((len(kernel) / channels) ** 0.5)
        kernel = kernel.reshape(size, size, channels, -1)
    return kernel.reshape(*kernel.shape, *[1] * (4 - kernel.ndim)).transpose(3, 2, 0, 1)  # MATLAB drops axes of 1


def _read_t7(path: Path) -> tuple[Layers, str]:
    """A Torch7 `nn.Sequential`; convolution weights may be flattened to out x (in * 9)."""
    network = read_t7(path)
    if not isinstance(network, dict) or "modules" not in network:
        raise ValueError("it does not hold a Torch7 nn.Sequential")
    layers: Layers = []
    for _, module in sorted(network["modules"].items()):
        if isinstance(module, dict) and "weight" in module:
            weight = module["weight"]
            if weight.ndim == 2 and "kW" in module:
                weight = weight.reshape(len(weight), -1, int(module["kH"]), int(module["kW"]))
            layers.append((weight, module["bias"]))
    return layers, "torch7"
