"""Read the binary files of Torch7 (``torch.save`` of Lua), as far as networks need it."""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

__all__ = ["read_t7"]

NIL, NUMBER, STRING, TABLE, OBJECT, BOOLEAN = range(6)  # type tags of the format; functions are not read
ITEM = {"Float": np.float32, "Double": np.float64, "Int": np.int32, "Long": np.int64, "Byte": np.uint8}
MAX_DIMS = 8  # of a tensor


def read_t7(path: str | Path) -> Any:
    """Read a Torch7 binary file.

    Returns
    -------
    object
        Numbers as float, tables and ``nn`` modules as dict, tensors as numpy arrays (read-only views of the storages).

    Raises
    ------
    ValueError
        If the file is cut short, holds something else than numbers, strings, tables, tensors and modules, or has a
        tensor that reaches beyond its storage.
    """
    with open(path, "rb") as file:
        try:
            return _Reader(file).value()
        except RecursionError as error:
            raise ValueError(f"{Path(path).name}: not a Torch7 network, its tables are nested without end") from error
        except ValueError as error:
            raise ValueError(f"{Path(path).name}: {error}") from error


class _Reader:
    """Walks through one file; objects that were seen before are written as references and found by number."""

    def __init__(self, file: BinaryIO):
        self.file = file
        self.left = os.fstat(file.fileno()).st_size  # bytes
        self.seen: dict[int, Any] = {}

    def take(self, size: int) -> bytes:
        """The next bytes; never more than the file has, whatever it announces."""
        if not 0 <= size <= self.left:
            raise ValueError(
                f"the file ends in the middle of a value ({size} bytes are announced, {self.left} are left); "
                "is the download complete?"
            )
        self.left -= size
        return self.file.read(size)

    def unpack(self, kind: str) -> Any:
        return struct.unpack(f"<{kind}", self.take(struct.calcsize(f"<{kind}")))[0]

    def string(self) -> str:
        return self.take(self.unpack("i")).decode("latin-1")

    def value(self) -> Any:
        """The next value, whatever it is."""
        kind = self.unpack("i")
        if kind == NIL:
            return None
        if kind == NUMBER:
            return self.unpack("d")
        if kind == STRING:
            return self.string()
        if kind == BOOLEAN:
            return self.unpack("i") == 1
        if kind not in (TABLE, OBJECT):
            raise ValueError(f"not a Torch7 network: type tag {kind} at byte {self.file.tell() - 4}")
        index = self.unpack("i")
        if index not in self.seen:
            if kind == TABLE:
                self.seen[index] = {}
                self.table(self.seen[index])
            else:
                self.seen[index] = self.object()
        return self.seen[index]

    def table(self, into: dict) -> None:
        for _ in range(self.unpack("i")):
            key = self.value()
            if not isinstance(key, (str, float)) or key in (np.inf, -np.inf) or key != key:
                raise ValueError(f"not a Torch7 network: a table has the key {key!r}")
            into[int(key) if isinstance(key, float) else key] = self.value()

    def object(self) -> Any:
        """A storage, a tensor, or a module (whose content is a table)."""
        version = self.string()
        name = self.string() if version.startswith("V ") else version
        if name.endswith("Storage"):
            dtype = np.dtype(_item(name, "Storage")).newbyteorder("<")
            return np.frombuffer(self.take(self.unpack("q") * dtype.itemsize), dtype)
        if name.endswith("Tensor"):
            return self.tensor(_item(name, "Tensor"))
        content = self.value()
        if not isinstance(content, dict):
            raise ValueError(f"cannot read the Torch7 class {name!r}")
        return content

    def tensor(self, kind: Any) -> np.ndarray:
        """A read-only view of a storage, none of whose numbers may lie outside of it."""
        dims = self.unpack("i")
        if not 0 <= dims <= MAX_DIMS:
            raise ValueError(f"not a Torch7 network: a tensor with {dims} dimensions")
        sizes = [self.unpack("q") for _ in range(dims)]
        strides = [self.unpack("q") for _ in range(dims)]
        offset, storage = self.unpack("q") - 1, self.value()
        if storage is None or not dims or 0 in sizes:
            return np.empty([*map(abs, sizes)] if 0 in sizes else 0, kind)
        if not isinstance(storage, np.ndarray) or storage.ndim != 1 or storage.dtype != np.dtype(kind):
            raise ValueError("not a Torch7 network: the numbers of a tensor are of another kind than the tensor")
        last = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
        if min(*sizes, *strides, offset) < 0 or last >= storage.size or math.prod(sizes) > storage.size:
            raise ValueError(
                f"a Torch7 tensor of shape {tuple(sizes)}, strides {tuple(strides)}, offset {offset} reaches beyond "
                f"its storage of {storage.size} numbers; the file is damaged"
            )
        steps = [stride * storage.itemsize for stride in strides]
        return np.lib.stride_tricks.as_strided(storage[offset:], sizes, steps, writeable=False)


def _item(name: str, ending: str) -> Any:
    """numpy type of torch.FloatTensor, torch.CudaStorage and the like."""
    kind = name.removeprefix("torch.").removesuffix(ending).removeprefix("Cuda") or "Float"
    if kind not in ITEM:
        raise ValueError(f"cannot read the Torch7 class {name!r}")
    return ITEM[kind]
