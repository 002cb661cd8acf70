"""Memory stays with a training run on the CPU, and goes back when it ends."""

import subprocess
import sys

import pytest
import torch

from s2f_lib.training import heap

FAULTS = """
import resource, torch
from s2f_lib.training import heap

def faults():  # pages of 4 kB that the system had to give for 64 MB of numbers
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.empty(2**24).fill_(1.0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1])

with heap.kept(torch.device("cpu")):
    inside, kept = min(faults() for _ in range(20)), resident()  # the first ones have to find their place
print(inside, kept - resident())
"""


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(heap.ctypes.CDLL(None), "mallopt"), reason="only glibc can be asked"
)
def test_freed_memory_is_used_again_inside_and_given_back_afterwards():
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    inside, given_back = map(int, done.stdout.split())
    assert inside < 100
    assert given_back > 10_000  # pages; whether later arrays are mapped anew hangs on where the heap's last one lies


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_any_platform_and_device_goes_through(platform, device, monkeypatch):
    monkeypatch.setattr(heap.sys, "platform", platform)
    with heap.kept(torch.device(device)):
        assert torch.ones(3).sum() == 3
    with pytest.raises(ZeroDivisionError), heap.kept(torch.device(device)):
        raise ZeroDivisionError
