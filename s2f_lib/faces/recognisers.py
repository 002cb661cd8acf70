"""Builders of the recognisers in the hub: `synthetic-vgg`, `dlib` and the reader's own `vgg-face`."""

from __future__ import annotations

from pathlib import Path

from s2f_lib import io
from s2f_lib.faces.recogniser import FaceRecogniser
from s2f_lib.faces.vgg import MEAN_RGB, VGGFace, VGGRecogniser, VGGShape, build

SYNTHETIC_MEAN, SYNTHETIC_SCALE = 127.5, 64.0  # of pixels in 0-255, all three colours alike


def synthetic_vgg(network: VGGFace, checksum: str = "", after_relu: bool = True) -> VGGRecogniser:
    """Wrap a reduced network with the preparation it was trained with."""
    mean = (SYNTHETIC_MEAN,) * 3
    how = {"mean": mean, "scale": SYNTHETIC_SCALE, "after_relu": after_relu}
    return VGGRecogniser(network, name="synthetic-vgg", checksum=checksum, **how)


def load_synthetic_vgg(path: Path, device: str = "cpu", after_relu: bool = True) -> VGGRecogniser:
    """The shipped recogniser of synthetic people; v_f is fc7 after its ReLU unless asked otherwise."""
    state, shape = io.read_tensors(path)
    network = VGGFace(VGGShape(**{**shape, "widths": tuple(shape["widths"])}))
    network.load_state_dict(state)
    return synthetic_vgg(network, io.sha256(path), after_relu).to(device)


def load_vgg_face(path: Path, device: str = "cpu", after_relu: bool = True) -> VGGRecogniser:
    """The real VGG-Face, from the file that ``s2f weights fetch`` made."""
    network = build(io.read_tensors(path)[0])
    how = {"mean": MEAN_RGB, "after_relu": after_relu}
    return VGGRecogniser(network, name="vgg-face", checksum=io.sha256(path), **how).to(device)


def load_dlib(path: None = None, device: str = "cpu", on_missing: str = "center") -> FaceRecogniser:
    """dlib's 128-D recogniser with its packaged weights; always on the CPU."""
    from s2f_lib.faces.dlib_recogniser import DlibRecogniser

    return DlibRecogniser(on_missing)
