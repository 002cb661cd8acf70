"""Files that are whole or absent: atomic writes, locks, the cache of arrays, checked downloads, and records of runs."""

from s2f_lib.io import cache
from s2f_lib.io.download import ChecksumError, DownloadError, Interrupted, download, read_head
from s2f_lib.io.files import (
    BusyError,
    atomic_path,
    atomic_write,
    cache_dir,
    differences,
    explain,
    locked,
    read_json,
    sha256,
)
from s2f_lib.io.records import (
    Record,
    command_of,
    current_commit,
    describe_cpu,
    read_record,
    refuse_uncommitted,
    result_file,
    results_dir,
    row,
    write_record,
)
from s2f_lib.io.tensors import WeightFileError, read_tensors, write_tensors
