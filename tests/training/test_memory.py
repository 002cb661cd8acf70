"""Memory of a step is counted and kept from step to step; scores of a look at a network know chance."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from s2f_lib import voice_encoder
from s2f_lib.training import memory, validate


def test_memory_grows_with_the_batch_by_what_the_activations_take():
    one, two, three = (memory.step_bytes("paper", n) for n in (1, 2, 3))
    assert two - one == three - two > 0
    # the convolutions' outputs alone, before and behind ReLU and BN, give the order of magnitude
    outputs = sum(s.channels * s.time * s.frequency for s in voice_encoder.layer_walk(voice_encoder.preset("paper")))
    assert 4 * outputs < two - one < 4 * 4 * outputs
    assert one > 4 * 4 * 148_062_976


def test_the_largest_batch_fits_and_twice_as_many_do_not():
    free = 16e9
    batch = memory.largest_batch("paper", free)
    assert memory.step_bytes("paper", batch) <= 0.9 * free < memory.step_bytes("paper", 2 * batch)
    assert memory.largest_batch("paper", 1e9) == 0
    assert memory.largest_batch("paper", free, "bf16") >= batch


def test_quick_scores_on_a_hand_made_gallery():
    v_f = np.eye(20, dtype=np.float32)
    perfect = validate.quick_scores(v_f, v_f)
    assert perfect["angle_deg"] == pytest.approx(0, abs=0.1)
    assert perfect["top10_percent"] == 100
    constant = validate.quick_scores(np.ones((20, 20)), v_f)
    assert constant["top10_percent"] == pytest.approx(10)  # every face is equally near: chance
    assert validate.quick_scores(np.zeros((20, 20)), v_f) == constant  # nothing predicted says no more
    assert constant["angle_deg"] == pytest.approx(np.degrees(np.arccos(1 / np.sqrt(20))), abs=0.1)


def test_predictions_come_in_order_and_leave_the_mode_alone(clips):
    encoder = voice_encoder.VoiceEncoder(
        voice_encoder.preset("quick", channels=[4] * 9, hidden=8, feature_dim=6)
    ).train()
    v_s = validate.predict(encoder, clips, batch_size=5, seconds=3.0)
    assert encoder.training
    encoder.eval()
    with torch.no_grad():
        last = encoder(torch.from_numpy(clips.waveforms[15:16, :48_000]))
    assert np.allclose(v_s[15], last, atol=1e-4)


FAULTS = """
import resource, torch
from s2f_lib.training import memory

def faults():  # pages of 4 kB that the system had to give for 64 MB of numbers
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.empty(2**24).fill_(1.0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1])

with memory.keep_freed_memory(torch.device("cpu")):
    inside, kept = min(faults() for _ in range(20)), resident()  # the first ones have to find their place
print(inside, kept - resident())
"""


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(memory.ctypes.CDLL(None), "mallopt"), reason="only glibc can be asked"
)
def test_freed_memory_is_used_again_inside_and_given_back_afterwards():
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    inside, given_back = map(int, done.stdout.split())
    assert inside < 100
    assert given_back > 10_000  # pages; whether later arrays are mapped anew hangs on where the heap's last one lies


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_any_platform_and_device_goes_through(platform, device, monkeypatch):
    monkeypatch.setattr(memory.sys, "platform", platform)
    with memory.keep_freed_memory(torch.device(device)):
        assert torch.ones(3).sum() == 3
    with pytest.raises(ZeroDivisionError), memory.keep_freed_memory(torch.device(device)):
        raise ZeroDivisionError
