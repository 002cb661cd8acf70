"""A small random VGG-Face, written in every published layout, must come back with the same fc7."""

import struct

import numpy as np
import pytest
import torch

from s2f_lib import cli
from s2f_lib.faces import fetch_weights
from s2f_lib.faces.vgg import FULL, VGGFace, VGGShape
from s2f_lib.faces.vgg_files import LAYERS, MEAN_RGB, build, read_vgg_face

SMALL = VGGShape(widths=(4, 4, 6, 8, 8), image_size=64, fc6=12, fc7=10, classes=5)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return VGGFace(SMALL).eval()


@pytest.fixture(scope="module")
def layers(network):
    """Weight and bias of the sixteen layers as numpy, fully connected ones as (out, in)."""
    modules = [m for m in network.features if isinstance(m, torch.nn.Conv2d)] + [network.fc6, network.fc7, network.fc8]
    return {n: (m.weight.detach().numpy(), m.bias.detach().numpy()) for n, m in zip(LAYERS, modules, strict=True)}


def as_convolutions(layers, bgr):
    """The fully connected layers as 2x2 and 1x1 convolutions (7x7 in the real net), blue first if asked."""
    out = {}
    for name, (weight, bias) in layers.items():
        if name.startswith("fc"):
            side = SMALL.map_size if name == "fc6" else 1
            weight = weight.reshape(len(weight), -1, side, side)
        if name == "conv1_1" and bgr:
            weight = weight[:, ::-1]
        out[name] = np.ascontiguousarray(weight), bias
    return out


def write_mcn(path, layers):
    torch.save(
        {f"{n}.{k}": torch.tensor(a) for n, pair in layers.items() for k, a in zip(("weight", "bias"), pair)}, path
    )


def write_deepface_pth(path, layers):
    write_mcn(path, as_convolutions(layers, bgr=True))


def write_mat(path, layers, old=False):
    from scipy.io import savemat

    cells = np.empty((1, len(layers) * 2), object)  # a relu without weights after every layer
    for i, (name, (weight, bias)) in enumerate(as_convolutions(layers, bgr=False).items()):
        kernel = weight.transpose(2, 3, 1, 0)
        if old:
            cells[0, 2 * i] = {"name": name, "filters": kernel, "biases": bias[None]}
        else:
            pair = np.empty((1, 2), object)
            pair[0, 0], pair[0, 1] = kernel, bias[:, None]
            cells[0, 2 * i] = {"name": name, "weights": pair}
        cells[0, 2 * i + 1] = {"name": f"relu{i}", "type": "relu"}
    savemat(path, {"net": {"layers": cells}} if old else {"layers": cells})


def write_old_mat(path, layers):
    write_mat(path, layers, old=True)


def write_t7(path, layers):
    """A Torch7 nn.Sequential, written by the format's own rules: type tag, object number, class, content."""
    count = iter(range(1, 10_000))
    out = bytearray()

    def integer(value):
        out.extend(struct.pack("<i", value))

    def string(value):
        integer(len(value))
        out.extend(value.encode())

    def value(item):
        if isinstance(item, str):
            integer(2)
            string(item)
        elif isinstance(item, (int, float)):
            integer(1)
            out.extend(struct.pack("<d", item))
        elif isinstance(item, np.ndarray):
            instance("torch.FloatTensor")
            integer(item.ndim)
            strides = [s // item.itemsize for s in np.ascontiguousarray(item).strides]
            out.extend(struct.pack(f"<{2 * item.ndim + 1}q", *item.shape, *strides, 1))
            instance("torch.FloatStorage")
            out.extend(struct.pack("<q", item.size) + np.ascontiguousarray(item, "<f4").tobytes())
        else:
            integer(3)
            integer(next(count))
            integer(len(item))
            for key, content in item.items():
                value(key)
                module(content) if isinstance(content, dict) and "class" in content else value(content)

    def instance(name):
        integer(4)
        integer(next(count))
        string("V 1")
        string(name)

    def module(content):
        instance(content["class"])
        value({k: v for k, v in content.items() if k != "class"})

    modules = {}
    for name, (weight, bias) in layers.items():
        if name == "conv1_1":
            weight = weight[:, ::-1]
        content = {"class": "nn.Linear", "weight": weight, "bias": bias}
        if name.startswith("conv"):
            flat = weight.reshape(len(weight), -1) if name != "conv5_3" else weight  # both forms are around
            content |= {"class": "nn.SpatialConvolutionMM", "weight": flat, "kW": 3, "kH": 3}
        modules[len(modules) + 1] = content
        modules[len(modules) + 1] = {"class": "nn.ReLU", "inplace": 1}
    module({"class": "nn.Sequential", "modules": modules})
    path.write_bytes(bytes(out))


def write_h5(path, layers, dense):
    h5py = pytest.importorskip("h5py", reason="h5py is not installed; only the .h5 layouts need it")
    with h5py.File(path, "w") as file:
        names = []
        for i, (name, (weight, bias)) in enumerate(as_convolutions(layers, bgr=True).items()):
            kernel = weight.transpose(2, 3, 1, 0)
            if dense and name.startswith("fc"):
                kernel = kernel.reshape(-1, len(weight))
            group = name if dense else f"layer_{97 - i}"  # names that say nothing, in an order that is not alphabetic
            names += [group, f"relu_{i}"]
            file.create_group(f"relu_{i}")
            file[f"{group}/{group}/kernel:0"], file[f"{group}/{group}/bias:0"] = kernel, bias
        file.attrs["layer_names"] = [n.encode() for n in names]


def write_rcmalli_h5(path, layers):
    write_h5(path, layers, dense=True)


def write_deepface_h5(path, layers):
    write_h5(path, layers, dense=False)


WRITERS = [
    ("mcn", "a.pth", write_mcn),
    ("deepface-pth", "b.pth", write_deepface_pth),
    ("matconvnet", "c.mat", write_mat),
    ("matconvnet", "d.mat", write_old_mat),
    ("torch7", "e.t7", write_t7),
    ("rcmalli-h5", "f.h5", write_rcmalli_h5),
    ("deepface-h5", "g.h5", write_deepface_h5),
]


@pytest.mark.parametrize(("layout", "name", "write"), WRITERS)
def test_every_layout_gives_identical_fc7(tmp_path, network, layers, layout, name, write):
    write(tmp_path / name, layers)
    state, found = read_vgg_face(tmp_path / name)
    pixels = torch.rand(2, 3, 64, 64) * 255
    with torch.no_grad():
        assert torch.equal(build(state).fc7_before_relu(pixels), network.fc7_before_relu(pixels))
    assert found == layout


def test_a_wrong_channel_order_would_be_noticed(network):
    pixels = torch.rand(1, 3, 64, 64) * 255
    with torch.no_grad():
        assert not torch.allclose(network.fc7_before_relu(pixels), network.fc7_before_relu(pixels.flip(1)))


def test_a_missing_layer_is_named(tmp_path, layers):
    write_mcn(tmp_path / "a.pth", {n: pair for n, pair in layers.items() if n != "conv3_2"})
    with pytest.raises(ValueError, match=r"conv3_2\.weight"):
        read_vgg_face(tmp_path / "a.pth")


def test_a_cut_torch7_file_says_so(tmp_path, layers):
    write_t7(tmp_path / "a.t7", layers)
    (tmp_path / "a.t7").write_bytes((tmp_path / "a.t7").read_bytes()[:500])
    with pytest.raises(ValueError, match="download complete"):
        read_vgg_face(tmp_path / "a.t7")


def test_an_unknown_ending_lists_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"\.pth, \.pt, \.h5, \.mat, \.t7"):
        read_vgg_face(tmp_path / "weights.zip")


def test_converted_file_loads_by_name_with_the_published_means(tmp_path, monkeypatch, network, layers, capsys):
    from s2f_lib import hub

    monkeypatch.setenv("S2F_HOME", str(tmp_path / "home"))
    write_deepface_pth(tmp_path / "vgg_face_weights.pth", layers)
    assert fetch_weights.main(["--file", str(tmp_path / "vgg_face_weights.pth")]) == 0
    assert "deepface-pth" in capsys.readouterr().out
    recogniser = hub.load("vgg-face")
    images = torch.rand(2, 3, 64, 64)
    features = recogniser(images)
    with torch.no_grad():
        expected = network.fc7_before_relu(images * 255 - torch.tensor(MEAN_RGB).view(1, 3, 1, 1)).relu()
    assert torch.equal(features.v_f, expected)
    assert features.logits.shape == (2, 5)


def test_fetching_reports_what_is_wrong_and_fails(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("S2F_HOME", str(tmp_path))
    (tmp_path / "x.pth").write_bytes(b"<html>quota exceeded</html>")
    assert cli.main(["weights", "fetch", "--file", str(tmp_path / "x.pth")]) == 2
    assert "x.pth" in capsys.readouterr().err
    assert not (tmp_path / "weights" / "vgg-face.safetensors").exists()


def test_first_copy_is_trusted_and_a_changed_one_refused(tmp_path, monkeypatch):
    from s2f_lib import io

    monkeypatch.setenv("S2F_HOME", str(tmp_path))
    monkeypatch.setattr(
        io, "download", lambda url, path, sha: (path.parent.mkdir(parents=True), path.write_bytes(b"1"))
    )
    path = fetch_weights.fetch("mcn")
    assert path.with_name(path.name + ".sha256").read_text().strip() == io.sha256(path)
    path.write_bytes(b"2")
    with pytest.raises(io.ChecksumError, match="first copy"):
        fetch_weights.fetch("mcn")


def test_the_full_network_is_the_published_one():
    with torch.device("meta"):
        network = VGGFace(FULL)
    assert sum(p.numel() for p in network.parameters()) == 145_002_878
    assert FULL.map_size == 7


def test_the_convolutions_are_those_of_torchvision():
    torchvision = pytest.importorskip("torchvision")
    with torch.device("meta"):
        reference, ours = torchvision.models.vgg16().features, VGGFace(FULL).features
    assert [(k, v.shape) for k, v in reference.state_dict().items()] == [
        (k, v.shape) for k, v in ours.state_dict().items()
    ]
    assert [type(m) for m in reference] == [type(m) for m in ours]
