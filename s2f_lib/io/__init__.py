"""Files that are whole or absent: atomic writes, the cache folder, checked downloads, and records of runs."""

from s2f_lib.io.download import ChecksumError, DownloadError, download
from s2f_lib.io.files import atomic_path, atomic_write, cache_dir, explain, sha256
from s2f_lib.io.records import (
    Record,
    command_of,
    current_commit,
    describe_cpu,
    read_record,
    refuse_uncommitted,
    results_dir,
    write_record,
)
from s2f_lib.io.tensors import read_tensors, write_tensors

__all__ = [
    "ChecksumError",
    "DownloadError",
    "Record",
    "atomic_path",
    "atomic_write",
    "cache_dir",
    "command_of",
    "current_commit",
    "describe_cpu",
    "download",
    "explain",
    "read_record",
    "read_tensors",
    "refuse_uncommitted",
    "results_dir",
    "sha256",
    "write_record",
    "write_tensors",
]
