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

import pickle
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from s2f_lib.faces.vgg import CONVS_PER_BLOCK, VGGFace, VGGShape

__all__ = ["LAYERS", "MEAN_RGB", "build", "read_vgg_face"]

MEAN_RGB = (129.186279296875, 104.76238250732422, 93.59396362304688)  # mean colour of the training pictures, 0-255
CONVS = tuple(f"conv{b + 1}_{i + 1}" for b, count in enumerate(CONVS_PER_BLOCK) for i in range(count))
LAYERS = (*CONVS, "fc6", "fc7", "fc8")
BGR_LAYOUTS = ("deepface-pth", "rcmalli-h5", "deepface-h5", "torch7")

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
    ValueError
        If the ending is unknown or the file does not hold the sixteen layers of a VGG-Face.
    ImportError
        If a .h5 file is given and h5py is not installed.
    """
    path = Path(path)
    readers = {".pth": _read_pth, ".pt": _read_pth, ".h5": _read_h5, ".mat": _read_mat, ".t7": _read_t7}
    if path.suffix.lower() not in readers:
        raise ValueError(f"{path.name}: unknown kind of VGG-Face file; known endings are {', '.join(readers)}")
    layers, layout = readers[path.suffix.lower()](path)
    if len(layers) != len(LAYERS):
        raise ValueError(
            f"{path.name} holds {len(layers)} layers with weights; a VGG-Face has {len(LAYERS)} ({LAYERS[0]} .. fc8)"
        )
    state = {}
    for name, (weight, bias) in zip(LAYERS, layers, strict=True):
        if name.startswith("fc"):
            weight = weight.reshape(len(weight), -1)
        if weight.ndim not in (2, 4) or bias.shape != (len(weight),):
            raise ValueError(f"{path.name}: {name} has weight {weight.shape} and bias {bias.shape}, which do not fit")
        state[name] = torch.tensor(np.ascontiguousarray(weight)).float(), torch.tensor(bias).float()
    if layout in BGR_LAYOUTS:  # so that blue-first weights take red-first pixels
        weight, bias = state["conv1_1"]
        state["conv1_1"] = weight.flip(1), bias
    return _named(state), layout


def build(state: dict[str, Tensor]) -> VGGFace:
    """Make the network a state dict belongs to; reads its sizes off the weights."""
    try:
        widths = tuple(len(state[_key(f"conv{b + 1}_1") + ".bias"]) for b in range(len(CONVS_PER_BLOCK)))
        map_size = round((state["fc6.weight"].shape[1] / widths[-1]) ** 0.5)
        sizes = {name: len(state[f"{name}.bias"]) for name in ("fc6", "fc7", "fc8")}
    except KeyError as error:
        raise ValueError(f"these are not the weights of a VGG-Face: {error} is missing") from error
    shape = VGGShape(widths, 1, 32 * map_size, sizes["fc6"], sizes["fc7"], sizes["fc8"])
    network = VGGFace(shape)
    network.load_state_dict(state)
    return network.eval()


def _key(layer: str) -> str:
    """Name of a layer inside `VGGFace`: conv1_1 is features.0, and so on."""
    if layer.startswith("fc"):
        return layer
    block, position = (int(part) - 1 for part in layer.removeprefix("conv").split("_"))
    return f"features.{sum(2 * count + 1 for count in CONVS_PER_BLOCK[:block]) + 2 * position}"


def _named(layers: dict[str, tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    """Weights and biases under the names `VGGFace` uses."""
    return {
        f"{_key(name)}.{kind}": tensor.contiguous()
        for name, pair in layers.items()
        for kind, tensor in zip(("weight", "bias"), pair, strict=True)
    }


def _read_pth(path: Path) -> tuple[Layers, str]:
    """A PyTorch state dict with the names conv1_1 .. fc8: pytorch-mcn's, or deepface's with convolutions for fc."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(f"{path.name} is not a PyTorch file of weights; is it an error page of the server?") from error
    missing = [name for name in LAYERS if f"{name}.weight" not in state]
    if missing:
        raise ValueError(
            f"{path.name} has no {missing[0]}.weight; expected the names conv1_1 .. conv5_3, fc6, fc7, fc8"
        )
    layers = [(state[f"{name}.weight"].numpy(), state[f"{name}.bias"].numpy()) for name in LAYERS]
    return layers, "deepface-pth" if layers[-1][0].ndim == 4 else "mcn"


def _read_h5(path: Path) -> tuple[Layers, str]:
    """A Keras weights file, layers in the order of its `layer_names`."""
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            f"reading {path.name} needs h5py (pip install h5py); the .pth, .mat and .t7 files need nothing more"
        ) from error
    layers: Layers = []
    with h5py.File(path) as file:
        root = file.get("model_weights", file)
        for name in (n.decode() if isinstance(n, bytes) else str(n) for n in root.attrs["layer_names"]):
            arrays: list[np.ndarray] = []
            root[name].visititems(lambda _, item, to=arrays: to.append(item[()]) if hasattr(item, "shape") else None)
            if arrays:
                bias, kernel = sorted(arrays, key=lambda array: array.ndim)
                layers.append((kernel, bias))
    layout = "rcmalli-h5" if layers and layers[-1][0].ndim == 2 else "deepface-h5"
    return [(_from_hwio(kernel, layers[i - 1][1]), bias) for i, (kernel, bias) in enumerate(layers)], layout


def _from_hwio(kernel: np.ndarray, previous_bias: np.ndarray) -> np.ndarray:
    """Height, width, in, out -> out, in, height, width; a dense kernel (in, out) is unflattened first."""
    if kernel.ndim == 2:
        channels = len(previous_bias)
        size = round((len(kernel) / channels) ** 0.5)
        kernel = kernel.reshape(size, size, channels, -1)
    return kernel.transpose(3, 2, 0, 1)


def _read_mat(path: Path) -> tuple[Layers, str]:
    """A MatConvNet network, old (`net.layers`) or new (`layers`), saved as MAT version 5."""
    from scipy.io import loadmat

    try:
        content = loadmat(path, struct_as_record=False)
    except NotImplementedError as error:  # version 7.3 is another format
        raise ValueError(f"{path.name} is a version 7.3 MAT file; the published VGG-Face is version 5") from error
    holder = content["net"][0, 0].layers if "net" in content else content.get("layers")
    if holder is None:
        raise ValueError(f"{path.name} has neither 'net' nor 'layers'; expected a MatConvNet network")
    layers: Layers = []
    for cell in holder.ravel():
        layer = cell[0, 0]
        if hasattr(layer, "weights") and layer.weights.size:
            kernel, bias = layer.weights.ravel()
        elif hasattr(layer, "filters"):
            kernel, bias = layer.filters, layer.biases
        else:
            continue
        layers.append((kernel.reshape(*kernel.shape, *[1] * (4 - kernel.ndim)).transpose(3, 2, 0, 1), bias.ravel()))
    return layers, "matconvnet"


def _read_t7(path: Path) -> tuple[Layers, str]:
    """A Torch7 `nn.Sequential`; convolution weights may be flattened to out x (in * 9)."""
    from s2f_lib.faces.torch7 import read_t7

    network = read_t7(path)
    if not isinstance(network, dict) or "modules" not in network:
        raise ValueError(f"{path.name} does not hold a Torch7 nn.Sequential")
    layers: Layers = []
    for _, module in sorted(network["modules"].items()):
        if "weight" in module:
            weight = module["weight"]
            if weight.ndim == 2 and "kW" in module:
                weight = weight.reshape(len(weight), -1, int(module["kH"]), int(module["kW"]))
            layers.append((weight, module["bias"]))
    return layers, "torch7"
