"""Shards: plain tar files in the WebDataset layout, the same bytes for the same content.

A sample is a run of members that share a key: ``<key>.wav`` (16-bit mono, readable with the standard library) or
``<key>.flac``, ``<key>.jpg`` (and ``<key>.1.jpg`` ...), ``<key>.json``, ``<key>.v_f.npy``, ``<key>.logits.npy``.
"""

from __future__ import annotations

import io as bytes_io
import json
import tarfile
import wave
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

import numpy as np

from s2f_lib.audio import SAMPLE_RATE
from s2f_lib.corpus import storage
from s2f_lib.corpus.manifest import safe_name

__all__ = ["Shard", "decode", "encode", "read_samples", "write_shard"]

LARGEST = 64 << 20  # bytes of one member; more is refused
MAX_PIXELS = 4096 * 4096  # of a picture in a shard

Sample = Mapping[str, object]


def write_shard(path: storage.Name, samples: Iterable[tuple[str, Sample]]) -> storage.Place:
    """Write samples (key, {ending: value}) to a tar file, whole or not at all.

    Values are encoded by their ending, see `encode`. Times, owners and modes are fixed, so that equal samples give
    equal bytes.
    """
    with (
        storage.atomic_write(path) as file,
        tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for key, sample in samples:
            safe_name(key, "key of a sample")
            for ending, value in sample.items():
                data = encode(ending, value)
                member = tarfile.TarInfo(f"{key}.{ending}")
                member.size, member.mode = len(data), 0o644
                tar.addfile(member, bytes_io.BytesIO(data))
    return storage.at(path)


def read_samples(path: storage.Name, endings: Iterable[str] | None = None) -> Iterator[tuple[str, dict[str, object]]]:
    """Stream (key, {ending: value}) of a shard in the order of the file; nothing is unpacked to the disk."""
    wanted = None if endings is None else set(endings)
    with storage.local(path) as file:
        shard = Shard(path, file)
        for key in shard.keys:
            members = shard.members[key]
            yield key, {e: shard.read(key, e) for e in members if wanted is None or e in wanted}


class Shard:
    """Random access to the samples of a shard.

    Parameters
    ----------
    path : str, Path or Address
        The tar file.
    file : binary file, optional
        The open file; by default it is opened here, from an address after it was fetched.

    Raises
    ------
    ValueError
        If a member is no plain file, has an unsafe name, or is larger than `LARGEST`.
    """

    def __init__(self, path: storage.Name, file: BinaryIO | None = None):
        self.path = storage.at(path)
        self.file = storage.local(path) if file is None else file
        self.members: dict[str, dict[str, tuple[int, int]]] = {}  # key -> ending -> (offset, size)
        try:
            with tarfile.open(fileobj=self.file, mode="r:") as tar:
                for member in tar:
                    key, _, ending = member.name.partition(".")
                    if not member.isreg() or member.size > LARGEST:
                        raise ValueError(f"{path}: {member.name[:80]!r} is no plain file of at most {LARGEST >> 20} MB")
                    safe_name(key, f"{path}: key")
                    self.members.setdefault(key, {})[ending] = (member.offset_data, member.size)
        except tarfile.ReadError as error:
            raise ValueError(f"{path} is no tar file, or a damaged one: {error}") from error

    @property
    def keys(self) -> list[str]:
        """Keys of the samples in the order of the file."""
        return list(self.members)

    def bytes(self, key: str, ending: str) -> bytes:
        """Undecoded content of a member."""
        if ending not in self.members.get(key, ()):
            there = ", ".join(self.members.get(key, ())) or "nothing"
            raise KeyError(f"{self.path} has no {key}.{ending}; of {key} it has {there}")
        offset, size = self.members[key][ending]
        self.file.seek(offset)
        data = self.file.read(size)
        if len(data) != size:
            raise ValueError(f"{self.path} ends in the middle of {key}.{ending}; the shard is damaged")
        return data

    def read(self, key: str, ending: str) -> object:
        """Decoded content of a member, see `decode`."""
        return decode(ending, self.bytes(key, ending))

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def encode(ending: str, value: object) -> bytes:
    """Turn a value into the bytes of a member: wav/flac from int16 (samples,), jpg from uint8 (H, W, 3), npy, json.

    Bytes pass unchanged.
    """
    if isinstance(value, bytes):
        return value
    kind, buffer = ending.rpartition(".")[2], bytes_io.BytesIO()
    if kind == "wav":
        with wave.open(buffer, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE)
            file.writeframes(_int16(value).astype("<i2").tobytes())
    elif kind == "flac":
        import soundfile

        soundfile.write(buffer, _int16(value), SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    elif kind == "jpg":
        from PIL import Image

        Image.fromarray(np.asarray(value, np.uint8)).save(buffer, "JPEG", quality=92, subsampling=0)
    elif kind == "npy":
        np.save(buffer, np.asarray(value), allow_pickle=False)
    elif kind == "json":
        return json.dumps(value, sort_keys=True, ensure_ascii=True, allow_nan=False).encode()
    else:
        raise ValueError(f"no way to store {ending!r}; known endings are wav, flac, jpg, npy, json")
    return buffer.getvalue()


def decode(ending: str, data: bytes) -> object:
    """Turn the bytes of a member into a value; never unpickles, and refuses giant pictures.

    Raises
    ------
    ValueError
        If the sound is not mono at 16 kHz, or the picture larger than `MAX_PIXELS`.
    """
    kind, buffer = ending.rpartition(".")[2], bytes_io.BytesIO(data)
    if kind == "wav":
        with wave.open(buffer) as file:
            if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (1, 2, SAMPLE_RATE):
                raise ValueError(f"expected 16-bit mono sound at 16 kHz, got {file.getparams()}")
            return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16, copy=False)
    if kind == "flac":
        import soundfile

        samples, rate = soundfile.read(buffer, dtype="int16")
        if rate != SAMPLE_RATE or samples.ndim != 1:
            raise ValueError(f"expected mono sound at 16 kHz, got {rate} Hz, shape {samples.shape}")
        return samples
    if kind in ("jpg", "jpeg", "png"):
        from PIL import Image

        try:
            with Image.open(buffer, formats=("JPEG", "PNG")) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise ValueError(f"a picture of {picture.width} x {picture.height} pixels is refused as too large")
                return np.asarray(picture.convert("RGB"))
        except Image.DecompressionBombError as error:  # Pillow has a limit of its own, and an error that is no OSError
            raise ValueError(f"a picture is refused as too large: {error}") from error
    if kind == "npy":
        return np.load(buffer, allow_pickle=False)
    if kind == "json":
        return json.loads(data)
    return data


def _int16(value: object) -> np.ndarray:
    """Sound as int16; floating point is taken to be in [-1, 1]."""
    samples = np.asarray(value)
    if samples.ndim != 1:
        raise ValueError(f"expected mono sound of shape (samples,), got {samples.shape}")
    if np.issubdtype(samples.dtype, np.floating):
        return np.round(np.clip(samples, -1, 1) * 32_767).astype(np.int16)
    if samples.dtype != np.int16:
        raise ValueError(f"expected int16 or floating-point sound, got {samples.dtype}")
    return samples
