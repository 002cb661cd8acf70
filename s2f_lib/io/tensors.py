"""Weight files: the tensors of a network in half precision and what its builder must know, in one safetensors file."""

import json
from pathlib import Path

from s2f_lib.io.files import atomic_write

SHAPE_KEYS = ("shape", "config")  # "config" in the files of voice encoders


class WeightFileError(ValueError):
    """A file does not hold the weights it should; the message names the file, what is wrong and what to do."""


def write_tensors(path: str | Path, tensors: dict, shape: dict, *, key: str = "shape", half: bool = True):
    """Write floating-point tensors and a network's shape, in one piece or not at all; ValueError if one is not finite.

    Parameters
    ----------
    path : str or Path
    tensors : dict
        A network's ``state_dict``; integer tensors (counters of batch normalisation) are left out.
    shape : dict
        What the builder needs besides the tensors, in plain JSON values; stored under the name `key`.
    half : bool
        16 bits a number instead of 32.
    """
    import torch
    from safetensors.torch import save

    kind = torch.float16 if half else torch.float32
    numbers = {k: t.detach().cpu().to(kind).contiguous() for k, t in tensors.items() if t.is_floating_point()}
    overflow = [name for name, tensor in numbers.items() if not torch.isfinite(tensor).all()]
    if overflow:
        raise ValueError(f"{', '.join(overflow)} cannot be stored in {8 * kind.itemsize} bits: not finite")
    with atomic_write(path) as file:
        file.write(save(numbers, metadata={key: json.dumps(shape)}))


def read_tensors(path: str | Path) -> tuple[dict, dict]:
    """Read what `write_tensors` wrote: tensors in single precision, and the shape; refuses by `WeightFileError`."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 - not a dict
        shape = next((json.loads(metadata[key]) for key in SHAPE_KEYS if key in metadata), None)
    except FileNotFoundError:
        raise
    except (SafetensorError, json.JSONDecodeError, OSError) as error:  # OSError: of a folder, without its name
        raise WeightFileError(f"{path} is no weight file, or a damaged one ({error}); get or make it again") from error
    if not isinstance(shape, dict):
        raise WeightFileError(f"{path} does not say the shape of its network; it was not written by s2f_lib")
    return tensors, shape
