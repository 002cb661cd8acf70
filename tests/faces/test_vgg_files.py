"""A small random VGG-Face, written in every published layout, must come back with the same fc7."""

import struct
import zipfile

import numpy as np
import pytest
import torch

from data_scripts import fetch_vgg_face as fetch_weights
from data_scripts._torch7 import read_t7
from data_scripts._vgg_files import read_vgg_face
from s2f_lib import cli, io
from s2f_lib.faces.vgg import FULL, LAYERS, MEAN_RGB, VGGFace, VGGShape, build

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
    assert cli.main(["weights", "fetch", "--file", str(tmp_path / "x.pth")]) == 1
    assert "nothing was fetched: x.pth" in capsys.readouterr().err
    assert not (tmp_path / "weights" / "vgg-face.safetensors").exists()


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Stands for the download: gives the bodies in turn, the last one for ever."""
    monkeypatch.setenv("S2F_HOME", str(tmp_path / "home"))
    bodies = []

    def download(url, path, sha256=None):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bodies.pop(0))
        if sha256 and io.sha256(path) != sha256:
            path.unlink()
            raise io.ChecksumError("another file")
        return path

    monkeypatch.setattr(io, "download", download)
    return bodies


def test_first_copy_that_holds_weights_is_trusted_and_a_changed_one_refused(tmp_path, server, layers):
    write_mcn(tmp_path / "a.pth", layers)
    server += [(tmp_path / "a.pth").read_bytes(), b"changed"]
    path, layout = fetch_weights.fetch("mcn", tmp_path / "out.safetensors")
    assert layout == "mcn"
    assert path.with_name(path.name + ".sha256").read_text().strip() == io.sha256(path)
    path.write_bytes(b"2")
    with pytest.raises(io.ChecksumError, match="first copy"):
        fetch_weights.fetch("mcn", tmp_path / "out.safetensors")
    path.unlink()
    with pytest.raises(io.ChecksumError, match="another file"):
        fetch_weights.fetch("mcn", tmp_path / "out.safetensors")


def test_an_error_message_in_place_of_weights_is_never_trusted(tmp_path, server, layers, capsys):
    write_deepface_pth(tmp_path / "a.pth", layers)
    server += [b'{"error": "quota exceeded"}', b"", (tmp_path / "a.pth").read_bytes()]
    assert fetch_weights.main([]) == 1
    assert "vgg_face_weights.pth is not a VGG-Face" in capsys.readouterr().err
    assert fetch_weights.main([]) == 1
    assert not [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert fetch_weights.main([]) == 0
    assert server == []


# --- files that are not what they should be: one sentence, never a traceback

HTML = b"<!DOCTYPE html><html><title>Quota exceeded</title></html>"
NAMED = {
    f"{n}.{k}": torch.zeros(2, 2, 3, 3) if k == "weight" else torch.zeros(2) for n in LAYERS for k in ("weight", "bias")
}
NO_NETWORKS = {
    "tensor": torch.zeros(3),
    "list": [1, 2],
    "number": 3,
    "none": None,
    "wrapped": {"state_dict": NAMED},
    "other names": {f"module.{name}": tensor for name, tensor in NAMED.items()},
    "no bias": {name: tensor for name, tensor in NAMED.items() if "bias" not in name},
    "no tensors": dict.fromkeys(NAMED, 1),
    "a module": torch.nn.Linear(2, 2),
    "whole numbers": {name: tensor.long() for name, tensor in NAMED.items()},
    "expanded": NAMED | {"fc6.weight": torch.zeros(1).expand(2, 10**12)},
    "not finite": NAMED | {"conv1_1.bias": torch.full((2,), float("nan"))},
    "sizes that do not fit": NAMED,
}


@pytest.mark.parametrize("ending", ["pth", "pt", "h5", "mat", "t7"])
@pytest.mark.parametrize(
    "body", [b"", HTML, b'{"error": 1}', bytes(4000), b"PK\x03\x04", b"\x89HDF\r\n\x1a\n" + bytes(90)]
)
def test_a_page_or_nothing_in_place_of_a_file_is_refused(tmp_path, ending, body):
    path = tmp_path / f"weights.{ending}"
    path.write_bytes(body)
    with pytest.raises(io.WeightFileError, match=rf"weights\.{ending} is not a VGG-Face that can be read: \w"):
        read_vgg_face(path)


@pytest.mark.parametrize("content", NO_NETWORKS.values(), ids=NO_NETWORKS)
def test_a_torch_file_of_something_else_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(io.WeightFileError, match=r"a\.pth is not a VGG-Face"):
        read_vgg_face(tmp_path / "a.pth")


@pytest.mark.parametrize("name", ["a", "net", "layers"])
def test_a_matlab_file_of_something_else_is_refused(tmp_path, name):
    from scipy.io import savemat

    savemat(tmp_path / "a.mat", {name: np.zeros(3)})
    with pytest.raises(io.WeightFileError, match=r"a\.mat is not a VGG-Face"):
        read_vgg_face(tmp_path / "a.mat")


def test_a_keras_file_of_something_else_is_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.zeros(3)
    with pytest.raises(io.WeightFileError, match="no 'layer_names'"):
        read_vgg_face(path)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = ["a"]
        file.create_group("a")["only"] = np.zeros(3)
    with pytest.raises(io.WeightFileError, match="layer 'a' has 1 arrays; expected a kernel and a bias"):
        read_vgg_face(path)
    with h5py.File(path, "w") as file:  # a few bytes that announce four terabytes
        file.attrs["layer_names"] = ["a"]
        file.create_group("a").create_dataset("w", (10**6, 10**6), "f4", chunks=(100, 100), compression="gzip")
    with pytest.raises(io.WeightFileError, match="announces 1000000000000 numbers"):
        read_vgg_face(path)


def test_a_torch_file_that_unpacks_without_end_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr("data_scripts._foreign.MAX_NUMBERS", 1000)
    torch.save({"conv1_1.weight": torch.zeros(6_000_000)}, tmp_path / "whole.pth")
    with zipfile.ZipFile(tmp_path / "whole.pth") as whole, zipfile.ZipFile(tmp_path / "x.pth", "w") as packed:
        for name in whole.namelist():
            packed.writestr(name, whole.read(name), zipfile.ZIP_DEFLATED)
    assert (tmp_path / "x.pth").stat().st_size < 100_000
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was unpacked"))
    with pytest.raises(io.WeightFileError, match="unpacks to 22 MB"):
        read_vgg_face(tmp_path / "x.pth")


def test_a_folder_or_a_missing_file_is_told_as_such(tmp_path):
    (tmp_path / "a.pth").mkdir()
    with pytest.raises(IsADirectoryError):
        read_vgg_face(tmp_path / "a.pth")
    with pytest.raises(FileNotFoundError):
        read_vgg_face(tmp_path / "b.mat")


def t7_tensor(sizes, strides, offset, numbers, announced=None, storage="torch.FloatStorage"):
    """A Torch7 file of one float tensor, whatever its sizes say."""

    def string(text):
        return struct.pack("<i", len(text)) + text.encode()

    data = np.arange(numbers, dtype="<f4").tobytes()
    body = struct.pack("<ii", 4, 1) + string("V 1") + string("torch.FloatTensor") + struct.pack("<i", len(sizes))
    body += struct.pack(f"<{len(sizes) + len(strides) + 1}q", *sizes, *strides, offset)
    body += struct.pack("<ii", 4, 2) + string("V 1") + string(storage)
    return body + struct.pack("<q", numbers if announced is None else announced) + data


@pytest.mark.parametrize(
    "tensor",
    [
        ([10**9], [1], 1, 1),
        ([64], [1], 1, 1),
        ([2], [10**12], 1, 4),
        ([2], [1], 4, 4),
        ([4], [1], 0, 4),
        ([4], [1], -(10**15), 4),
        ([4], [-1], 4, 4),
        ([-4], [1], 1, 4),
        ([2**62, 4], [1, 2**62], 1, 4),
        ([10**5, 10**5], [0, 0], 1, 1),
        ([2, 2], [3, 1], 1, 4),
        ([1] * 40, [1] * 40, 1, 1),
        ([4], [1], 1, 4, -1),
        ([4], [1], 1, 4, 2**61),
        ([4], [1], 1, 4, 5),
        ([2], [1], 1, 4, None, "torch.LongStorage"),
        ([2], [1], 1, 4, None, "torch.NoStorage"),
    ],
)
def test_a_torch7_tensor_that_reaches_beyond_its_storage_is_refused(tmp_path, tensor):
    (tmp_path / "a.t7").write_bytes(t7_tensor(*tensor))
    with pytest.raises(ValueError, match=r"beyond its storage|Torch7|ends in the middle"):
        read_t7(tmp_path / "a.t7")


def test_a_torch7_tensor_may_be_any_view_of_its_storage(tmp_path):
    for tensor, expected in (
        (([2, 2], [2, 1], 1, 4), [[0, 1], [2, 3]]),
        (([2, 2], [1, 2], 1, 4), [[0, 2], [1, 3]]),
        (([2], [2], 2, 4), [1, 3]),
        (([0], [1], 1, 4), []),
    ):
        (tmp_path / "a.t7").write_bytes(t7_tensor(*tensor))
        np.testing.assert_array_equal(read_t7(tmp_path / "a.t7"), expected)


@pytest.mark.parametrize("kind", ["tables in tables", "negative length", "a table as a key"])
def test_torch7_files_without_end_are_refused(tmp_path, kind):
    table = struct.pack("<iii", 3, 1, 1)
    number = struct.pack("<id", 1, 1.0)
    tables = b"".join(struct.pack("<iii", 3, i, 1) + number for i in range(1, 100_000))
    body = {
        "tables in tables": tables,
        "negative length": struct.pack("<ii", 2, -5) + bytes(9),
        "a table as a key": table + struct.pack("<iii", 3, 2, 0) + number,
    }[kind]
    (tmp_path / "a.t7").write_bytes(body)
    with pytest.raises(ValueError, match=r"Torch7|ends in the middle"):
        read_t7(tmp_path / "a.t7")


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
