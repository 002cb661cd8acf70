"""Shards: plain tar files in the WebDataset layout, the same bytes for the same content.

A sample is a run of members that share a key: ``<key>.wav`` (16-bit mono, readable with the standard library) or
``<key>.flac``, ``<key>.jpg`` (and ``<key>.1.jpg`` ...), ``<key>.json``, ``<key>.v_f.npy``, ``<key>.logits.npy``.
"""

import contextlib
import hashlib
import io as bytes_io
import json
import os
import tarfile
import wave
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

import numpy as np

from s2f_lib import media
from s2f_lib.audio import SAMPLE_RATE
from s2f_lib.corpus import storage
from s2f_lib.corpus.manifest import safe_name

MAX_MEMBER = 64 << 20  # bytes of one member; more is refused
BLOCK = 512  # bytes of a tar file

Sample = Mapping[str, object]


class ShardError(ValueError):
    """A shard is not what was written, or not what training wants; the message names it."""


def write_shard(path: storage.PathLike, samples: Iterable[tuple[str, Sample]]) -> storage.Location:
    """Write samples (key, {ending: value}) to a tar file, whole or not at all.

    Values are encoded by their ending, see `encode`. Times, owners and modes are fixed, so that equal samples give
    equal bytes.
    """
    with storage.atomic_write(path) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for key, sample in samples:
            safe_name(key, "key of a sample")
            for ending, value in sample.items():
                data = encode(ending, value)
                member = tarfile.TarInfo(f"{key}.{ending}")
                member.size, member.mode = len(data), 0o644
                tar.addfile(member, bytes_io.BytesIO(data))
    return storage.resolve(path)


def read_samples(
    path: storage.PathLike, endings: Iterable[str] | None = None, sha256: str | None = None
) -> Iterator[tuple[str, dict[str, object]]]:
    """Stream (key, {ending: value}) of a shard in the order of the file; nothing is unpacked to the disk.

    With `sha256` a shard that is not the one that was written is refused before its first sample.
    """
    wanted = None if endings is None else set(endings)
    with contextlib.closing(Shard(path, sha256=sha256)) as shard:
        for key in shard.keys:
            members = shard.members[key]
            yield key, {e: shard.read(key, e) for e in members if wanted is None or e in wanted}


class Shard:
    """Random access to the samples of a shard, a tar file whose `keys` are in its order; from an address it is fetched.

    Raises ShardError if the checksum is another one, the file is cut, or a member is no plain file, has an unsafe name,
    is there twice, or is larger than `MAX_MEMBER`.
    """

    def __init__(self, path: storage.PathLike, sha256: str | None = None):
        self.path, self.file = storage.resolve(path), storage.local(path)
        self.members: dict[str, dict[str, tuple[int, int]]] = {}  # key -> ending -> (offset, size)
        try:
            if sha256 is not None and (found := hashlib.file_digest(self.file, "sha256").hexdigest()) != sha256:
                raise ShardError(
                    f"{path} is not the shard that was written: SHA-256 is {found[:12]}..., corpus.json says "
                    f"{sha256[:12]}...; fetch or build it again"
                )
            for name, offset, size in _members(self.file, path):
                key, _, ending = name.partition(".")
                safe_name(key, f"{path}: key")
                if ending in self.members.setdefault(key, {}):
                    raise ShardError(f"{path} holds {name[:80]!r} twice; the shard is damaged")
                self.members[key][ending] = (offset, size)
            self.keys = list(self.members)
        except BaseException:
            self.file.close()
            raise

    def bytes(self, key: str, ending: str) -> bytes:
        """Undecoded content of a member. ShardError if it is not there, or cut."""
        if ending not in self.members.get(key, ()):
            there = ", ".join(self.members.get(key, ())) or "nothing"
            raise ShardError(f"{self.path} has no {key}.{ending}; of {key} it has {there}")
        offset, size = self.members[key][ending]
        self.file.seek(offset)
        data = self.file.read(size)
        if len(data) != size:
            raise ShardError(f"{self.path} ends in the middle of {key}.{ending}; the shard is damaged")
        return data

    def read(self, key: str, ending: str) -> object:
        """Decoded content of a member, see `decode`; whatever is wrong with it is a `ShardError`."""
        data = self.bytes(key, ending)
        try:
            value = decode(ending, data)
        except Exception as error:
            raise ShardError(f"{self.path}: {key}.{ending} is damaged: {error or type(error).__name__}") from error
        if ending == "json" and not (isinstance(value, dict) and all(isinstance(k, str) for k in value)):
            raise ShardError(f"{self.path}: {key}.json is no table of names and values")
        return value

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def _members(file: BinaryIO, path: object) -> Iterator[tuple[str, int, int]]:
    """(name, offset, size) of the plain files of a tar; no links or sparse files, no size that leads back or beyond."""
    total, place = file.seek(0, os.SEEK_END), 0
    while True:
        file.seek(place)
        header = file.read(BLOCK)
        if header == bytes(BLOCK):
            return  # the end, as tar marks it
        if len(header) < BLOCK:
            what = "is no tar file" if place == 0 else "ends in the middle of its members"
            raise ShardError(f"{path} {what}; the shard is damaged")
        try:
            member = tarfile.TarInfo.frombuf(header, "utf-8", "replace")
        except tarfile.HeaderError as error:
            raise ShardError(f"{path} is no tar file, or a damaged one: {error} at byte {place}") from error
        name, size = member.name, member.size
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or not 0 <= size <= MAX_MEMBER:
            raise ShardError(f"{path}: {name[:80]!r} is no plain file of at most {MAX_MEMBER >> 20} MB")
        if place + BLOCK + size > total:
            raise ShardError(f"{path} ends in the middle of {name[:80]}; the shard is damaged")
        yield name, place + BLOCK, size
        place += BLOCK + -(-size // BLOCK) * BLOCK


def encode(ending: str, value: object) -> bytes:
    """Turn a value into the bytes of a member: wav/flac from int16 (samples,), jpg from uint8 (H, W, 3), npy, json.

    Bytes pass unchanged. ValueError for another ending, sound or type.
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
    """Turn the bytes of a member into a value; never unpickles.

    Raises ValueError if the sound is not mono at 16 kHz, or the picture damaged or too large, see
    `s2f_lib.media.read_picture`.
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
        return media.read_picture(data)
    if kind == "npy":
        array = np.lib.format.read_array(buffer, allow_pickle=False)
        if buffer.read(1):
            raise ValueError(f"more follows than the {array.shape} of {array.dtype} of its head")
        return array
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
