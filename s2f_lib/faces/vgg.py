"""The VGG-Face network (Parkhi et al., 2015), in full and reduced, as a frozen recogniser."""

import dataclasses
from pathlib import Path

import torch
from torch import Tensor, nn

from s2f_lib import io
from s2f_lib.faces.recogniser import FaceFeatures, FaceRecogniser

CONVS_PER_BLOCK = (2, 2, 3, 3, 3)  # VGG-16, configuration D of Simonyan & Zisserman (2015)
MEAN_RGB = (129.186279296875, 104.76238250732422, 93.59396362304688)  # mean colour of the training pictures, 0-255
SYNTHETIC_MEAN, SYNTHETIC_SCALE = 127.5, 64.0  # the same of the reduced network, all three colours alike
CONVS = tuple(f"conv{b + 1}_{i + 1}" for b, count in enumerate(CONVS_PER_BLOCK) for i in range(count))
LAYERS = (*CONVS, "fc6", "fc7", "fc8")
KEYS = dict(  # what `VGGFace` calls them: every convolution is followed by a ReLU, every block by a pooling
    zip(LAYERS, [*(f"features.{2 * i + int(name[4]) - 1}" for i, name in enumerate(CONVS)), *LAYERS[-3:]], strict=True)
)


@dataclasses.dataclass(frozen=True)
class VGGShape:
    """Sizes of a VGG-Face; the defaults are the published network, 145,002,878 parameters."""

    widths: tuple[int, ...] = (64, 128, 256, 512, 512)  # channels of the five blocks
    first_stride: int = 1  # stride of the very first convolution
    image_size: int = 224  # pixels, height and width
    fc6: int = 4096
    fc7: int = 4096  # dimensions of v_f
    classes: int = 2622  # identities the network was trained to tell apart

    def __post_init__(self):
        if len(self.widths) != len(CONVS_PER_BLOCK):
            raise ValueError(f"a VGG-16 has {len(CONVS_PER_BLOCK)} blocks of convolutions, got widths {self.widths}")
        if self.map_size < 1:
            raise ValueError(f"a picture of {self.image_size} pixels is too small for five poolings")

    @property
    def map_size(self) -> int:
        """Height and width of the last feature map: 7 for the published network."""
        size = (self.image_size + self.first_stride - 1) // self.first_stride
        for _ in self.widths:
            size //= 2
        return size


FULL = VGGShape()


class VGGFace(nn.Module):
    """Thirteen 3x3 convolutions in five blocks, then fc6, fc7 and fc8.

    With `batch_norm` every convolution, fc6 and fc7 is followed by batch normalisation, which makes training from
    scratch quick; ``tools.train_recogniser`` then folds it into the weights, and the plain published design remains.
    """

    def __init__(self, shape: VGGShape = FULL, batch_norm: bool = False):
        super().__init__()
        from torchvision.models.vgg import make_layers

        self.shape = shape
        blocks = zip(shape.widths, CONVS_PER_BLOCK, strict=True)
        self.features = make_layers([v for width, count in blocks for v in (*[width] * count, "M")], batch_norm)
        self.features[0].stride = (shape.first_stride, shape.first_stride)
        self.fc6 = nn.Linear(shape.widths[-1] * shape.map_size**2, shape.fc6)
        self.fc7 = nn.Linear(shape.fc6, shape.fc7)
        self.fc8 = nn.Linear(shape.fc7, shape.classes)
        self.bn6 = nn.BatchNorm1d(shape.fc6) if batch_norm else nn.Identity()
        self.bn7 = nn.BatchNorm1d(shape.fc7) if batch_norm else nn.Identity()

    def fc7_before_relu(self, pixels: Tensor) -> Tensor:
        """Prepared pixels (B, 3, S, S) -> the input of the last ReLU, (B, fc7)."""
        maps = self.features(pixels).flatten(1)
        return self.bn7(self.fc7(torch.relu(self.bn6(self.fc6(maps)))))

    def forward(self, pixels: Tensor) -> Tensor:
        """Prepared pixels (B, 3, S, S) -> identity logits (B, classes)."""
        return self.fc8(torch.relu(self.fc7_before_relu(pixels)))


def build(state: dict[str, Tensor]) -> VGGFace:
    """Make the network a state dict belongs to; reads its sizes off the weights.

    Raises ValueError if the layers do not fit together; nothing was allocated for them then.
    """
    try:
        widths = tuple(len(state[f"{KEYS[name]}.bias"]) for name in CONVS if name.endswith("_1"))
        map_size = round((state["fc6.weight"].shape[1] / widths[-1]) ** 0.5)
        sizes = {name: len(state[f"{name}.bias"]) for name in ("fc6", "fc7", "fc8")}
    except KeyError as error:
        raise ValueError(f"these are not the weights of a VGG-Face: {error} is missing") from error
    except (IndexError, TypeError, ZeroDivisionError) as error:
        raise ValueError("these are not the weights of a VGG-Face: layers have no numbers") from error
    shape = VGGShape(widths, 1, 32 * map_size, sizes["fc6"], sizes["fc7"], sizes["fc8"])
    with torch.device("meta"):
        network = VGGFace(shape)
    wrong = [
        f"{name} has shape {tuple(state[name].shape)}" if name in state else f"{name} is missing"
        for name, tensor in network.state_dict().items()
        if name not in state or state[name].shape != tensor.shape
    ]
    if wrong or len(state) != len(network.state_dict()):
        raise ValueError(f"these are not the weights of a VGG-Face: {wrong[0] if wrong else 'there are more of them'}")
    network.load_state_dict(state, assign=True)
    return network.eval()


class VGGRecogniser(FaceRecogniser):
    """A frozen `VGGFace` with the preparation of pixels that belongs to its weights.

    Parameters
    ----------
    network : VGGFace
        Plain, without batch normalisation.
    mean, scale
        Mean colour, **in RGB order**, in 0-255; what pixels in 0-255 minus the mean are divided by.
    after_relu : bool
        Whether v_f is taken after the ReLU of fc7 (our choice, and what fc8 was trained on) or before it. The paper
        only says "the layer before the last one".
    """

    def __init__(self, network: VGGFace, *, name, checksum="", mean, scale=1.0, after_relu=True):
        super().__init__(name=name, image_size=network.shape.image_size, checksum=checksum)
        self.network = network
        self.feature_dim, self.logits_dim = network.shape.fc7, network.shape.classes
        self.scale, self.after_relu = scale, after_relu
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.freeze()

    @property
    def fc8(self) -> nn.Linear:
        """The last layer, feature -> logits: f_VGG in the paper's loss."""
        return self.network.fc8

    def prepare(self, images: Tensor) -> Tensor:
        """Images in [0, 1] -> what the first convolution expects."""
        return (self.resize(images) * 255.0 - self.mean) / self.scale

    def forward(self, images: Tensor) -> FaceFeatures:
        """(B, 3, H, W) RGB in [0, 1], any H and W -> v_f (B, feature_dim) and logits (B, logits_dim).

        Gradients flow to the images (the decoder's loss needs them), never to the weights.
        """
        before = self.network.fc7_before_relu(self.prepare(images))
        after = torch.relu(before)
        return FaceFeatures(after if self.after_relu else before, self.fc8(after))


def synthetic_vgg(network: VGGFace, checksum: str = "", after_relu: bool = True) -> VGGRecogniser:
    """Wrap a reduced network with the preparation it was trained with."""
    how = {"mean": (SYNTHETIC_MEAN,) * 3, "scale": SYNTHETIC_SCALE, "after_relu": after_relu}
    return VGGRecogniser(network, name="synthetic-vgg", checksum=checksum, **how)


def load_synthetic_vgg(path: Path, device: str = "cpu", after_relu: bool = True) -> VGGRecogniser:
    """The shipped recogniser of synthetic people; `s2f_lib.hub` calls this."""
    state, shape = io.read_tensors(path)
    network = VGGFace(VGGShape(**{**shape, "widths": tuple(shape["widths"])}))
    network.load_state_dict(state)
    return synthetic_vgg(network, io.sha256(path), after_relu).to(device)


def load_vgg_face(path: Path, device: str = "cpu", after_relu: bool = True) -> VGGRecogniser:
    """The real VGG-Face, from the file that ``s2f weights fetch`` made; `s2f_lib.hub` calls this."""
    how = {"mean": MEAN_RGB, "after_relu": after_relu}
    network = build(io.read_tensors(path)[0])
    return VGGRecogniser(network, name="vgg-face", checksum=io.sha256(path), **how).to(device)
