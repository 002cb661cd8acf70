"""Read the binary files of Torch7 (``torch.save`` of Lua), as far as networks need it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

__all__ = ["read_t7"]

NIL, NUMBER, STRING, TABLE, OBJECT, BOOLEAN = range(6)  # type tags of the format; functions are not read
ITEM = {"Float": np.float32, "Double": np.float64, "Int": np.int32, "Long": np.int64, "Byte": np.uint8}


def read_t7(path: str | Path) -> Any:
    """Read a Torch7 binary file.

    Returns
    -------
    object
        Numbers as float, tables and ``nn`` modules as dict, tensors as numpy arrays.

    Raises
    ------
    ValueError
        If the file is cut short or holds something else than numbers, strings, tables, tensors and modules.
    """
    with open(path, "rb") as file:
        try:
            return _Reader(file).value()
        except struct.error as error:
            raise ValueError(f"{Path(path).name} ends in the middle of a value; is the download complete?") from error


class _Reader:
    """Walks through one file; objects that were seen before are written as references and found by number."""

    def __init__(self, file: BinaryIO):
        self.file = file
        self.seen: dict[int, Any] = {}

    def unpack(self, kind: str) -> Any:
        return struct.unpack(f"<{kind}", self.file.read(struct.calcsize(f"<{kind}")))[0]

    def string(self) -> str:
        return self.file.read(self.unpack("i")).decode("latin-1")

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
            into[int(key) if isinstance(key, float) else key] = self.value()

    def object(self) -> Any:
        """A storage, a tensor, or a module (whose content is a table)."""
        version = self.string()
        name = self.string() if version.startswith("V ") else version
        if name.endswith("Storage"):
            dtype = np.dtype(_item(name, "Storage"))
            count = self.unpack("q")
            data = self.file.read(count * dtype.itemsize)
            if len(data) != count * dtype.itemsize:
                raise struct.error("storage cut short")
            return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype)
        if name.endswith("Tensor"):
            dims = self.unpack("i")
            sizes = [self.unpack("q") for _ in range(dims)]
            strides = [self.unpack("q") for _ in range(dims)]
            offset, storage = self.unpack("q") - 1, self.value()
            if storage is None or not dims:
                return np.empty(0, _item(name, "Tensor"))
            steps = [stride * storage.itemsize for stride in strides]
            return np.lib.stride_tricks.as_strided(storage[offset:], sizes, steps).copy()
        content = self.value()
        if not isinstance(content, dict):
            raise ValueError(f"cannot read the Torch7 class {name!r}")
        return content


def _item(name: str, ending: str) -> Any:
    """numpy type of torch.FloatTensor, torch.CudaStorage and the like."""
    kind = name.removeprefix("torch.").removesuffix(ending).removeprefix("Cuda") or "Float"
    if kind not in ITEM:
        raise ValueError(f"cannot read the Torch7 class {name!r}")
    return ITEM[kind]
