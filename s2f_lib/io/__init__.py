"""Files that are whole or absent: atomic writes, locks, the cache of arrays, checked downloads, and records of runs."""

from s2f_lib.io import cache
from s2f_lib.io.download import ChecksumError, DownloadError, download
from s2f_lib.io.files import BusyError, allocate, atomic_path, atomic_write, cache_dir, explain, locked, sha256
from s2f_lib.io.records import command_of, current_commit, describe_cpu, read_record, results_dir, write_record

__all__ = [
    "BusyError",
    "ChecksumError",
    "DownloadError",
    "allocate",
    "atomic_path",
    "atomic_write",
    "cache",
    "cache_dir",
    "command_of",
    "current_commit",
    "describe_cpu",
    "download",
    "explain",
    "locked",
    "read_record",
    "results_dir",
    "sha256",
    "write_record",
]
