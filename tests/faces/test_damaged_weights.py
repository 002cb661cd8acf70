"""Hundreds of damaged copies of every kind of weight file: read, or refused by one error that names the file."""

import io as streams
import os
import struct
import subprocess
import sys

import numpy as np
import pytest
import torch

from data_scripts import _foreign
from data_scripts import _vgg_files as vgg_files
from data_scripts._torch7 import read_t7
from data_scripts._vgg_files import read_vgg_face
from s2f_lib import io
from s2f_lib.faces.vgg import CONVS_PER_BLOCK, LAYERS, VGGFace, VGGShape

SHAPE = VGGShape(widths=(1, 1, 2, 2, 2), image_size=32, fc6=3, fc7=3, classes=2)


@pytest.fixture(scope="module")
def layers():
    """Weight and bias of a very small VGG-Face by layer; fully connected ones as convolutions."""
    torch.manual_seed(0)
    state = list(VGGFace(SHAPE).state_dict().values())
    pairs = zip(LAYERS, state[::2], state[1::2], strict=True)
    return {
        name: (weight.reshape(*weight.shape, *[1] * (4 - weight.ndim)).numpy(), bias.numpy())
        for name, weight, bias in pairs
    }


SERVER = """
import importlib.util, os, sys
import h5py, numpy, scipy.io
spec = importlib.util.spec_from_file_location("foreign", sys.argv[1])
foreign = importlib.util.module_from_spec(spec)
spec.loader.exec_module(foreign)
for line in sys.stdin:
    child = os.fork()
    if not child:
        os._exit(foreign.main(line.rstrip().split("|")))
    print(os.waitpid(child, 0)[1], flush=True)
"""


@pytest.fixture
def forked(monkeypatch):
    """The reader of .h5 and .mat in forks of one process: a new Python for each of hundreds of files takes minutes."""
    command = [sys.executable, "-I", "-c", SERVER, _foreign.__file__]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, **pipes, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"}) as server:

        def run(arguments):
            print("|".join(arguments), file=server.stdin, flush=True)
            if server.stdout.readline() != "0\n":
                raise ValueError("the reader failed")

        monkeypatch.setattr(vgg_files, "_run_foreign", run)
        monkeypatch.setattr(vgg_files, "SECONDS", 2)
        yield
        server.stdin.close()


def test_damaged_pytorch_files(fuzz, layers):
    file = streams.BytesIO()
    named = {f"{n}.{k}": torch.tensor(a) for n, pair in layers.items() for k, a in zip(("weight", "bias"), pair)}
    torch.save(named, file)
    fuzz(file.getvalue(), ".pth", read_vgg_face, io.WeightFileError)
    file = streams.BytesIO()
    torch.save(named, file, _use_new_zipfile_serialization=False)
    fuzz(file.getvalue(), ".pth", read_vgg_face, io.WeightFileError, count=80, seed=1)


@pytest.mark.slow
def test_damaged_keras_files(fuzz, layers, tmp_path, forked):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "whole.h5", "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for name, (weight, bias) in layers.items():
            file[f"{name}/{name}/kernel:0"] = weight.transpose(2, 3, 1, 0)
            file[f"{name}/{name}/bias:0"] = bias
    fuzz((tmp_path / "whole.h5").read_bytes(), ".h5", read_vgg_face, io.WeightFileError)


@pytest.mark.slow
@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_matlab_files(fuzz, layers, tmp_path, forked, compressed):
    from scipy.io import savemat

    cells = np.empty((1, len(layers)), object)
    for i, (name, (weight, bias)) in enumerate(layers.items()):
        pair = np.empty((1, 2), object)
        pair[0, 0], pair[0, 1] = weight.transpose(2, 3, 1, 0), bias[:, None]
        cells[0, i] = {"name": name, "weights": pair}
    savemat(tmp_path / "whole.mat", {"layers": cells}, do_compression=compressed)
    count = 30 if compressed else 120
    fuzz((tmp_path / "whole.mat").read_bytes(), ".mat", read_vgg_face, io.WeightFileError, count)


def test_damaged_torch7_files(fuzz, layers):
    out, count = bytearray(), iter(range(1, 1000))

    def string(text):
        out.extend(struct.pack("<i", len(text)) + text.encode())

    def start(kind, name=None):
        out.extend(struct.pack("<ii", kind, next(count)))
        if name:
            string("V 1")
            string(name)

    def key(name):
        if isinstance(name, int):
            out.extend(struct.pack("<id", 1, name))
        else:
            out.extend(struct.pack("<i", 2))
            string(name)

    def tensor(array):
        strides = [stride // array.itemsize for stride in array.strides]
        start(4, "torch.FloatTensor")
        out.extend(struct.pack(f"<i{2 * array.ndim + 1}q", array.ndim, *array.shape, *strides, 1))
        start(4, "torch.FloatStorage")
        out.extend(struct.pack("<q", array.size) + array.tobytes())

    start(4, "nn.Sequential")
    start(3)
    out.extend(struct.pack("<i", 1))
    key("modules")
    start(3)
    out.extend(struct.pack("<i", len(layers)))
    for number, (weight, bias) in enumerate(layers.values(), 1):
        key(number)
        start(4, "nn.SpatialConvolution")
        start(3)
        out.extend(struct.pack("<i", 2))
        key("weight")
        tensor(np.ascontiguousarray(weight))
        key("bias")
        tensor(bias)
    fuzz(bytes(out), ".t7", read_vgg_face, io.WeightFileError, count=200)
    fuzz(bytes(out), ".t7", read_t7, ValueError, count=200, seed=1)


def test_damaged_files_of_our_own(fuzz, tmp_path, layers):
    tensors = {f"{name}.{k}": torch.tensor(a) for name, pair in layers.items() for k, a in enumerate(pair)}
    io.write_tensors(tmp_path / "whole.safetensors", tensors, {"widths": [1, 1, 2, 2, 2]})
    whole = (tmp_path / "whole.safetensors").read_bytes()
    fuzz(whole, ".safetensors", io.read_tensors, io.WeightFileError, count=200)
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(io.WeightFileError, match=r"folder\.safetensors is no weight file"):
        io.read_tensors(tmp_path / "folder.safetensors")
    with pytest.raises(FileNotFoundError):
        io.read_tensors(tmp_path / "none.safetensors")


def test_the_layers_that_are_damaged_here_are_those_of_the_network(layers):
    assert len(layers) == sum(CONVS_PER_BLOCK) + 3
    assert layers["fc7"][0].shape == (3, 3, 1, 1)


def test_a_reader_that_crashes_or_hangs_is_a_sentence(tmp_path, monkeypatch):
    crash = tmp_path / "crash.py"
    monkeypatch.setattr(_foreign, "__file__", str(crash))
    monkeypatch.setattr(vgg_files, "SECONDS", 0.25)
    (tmp_path / "a.mat").write_bytes(b"x")
    for code in ("import os; os.kill(os.getpid(), 11)", "import time; time.sleep(60)", "raise SystemExit(3)"):
        crash.write_text(code)
        with pytest.raises(io.WeightFileError, match=r"a\.mat is not .*(crashed or ran out of time|not read within)"):
            read_vgg_face(tmp_path / "a.mat")
