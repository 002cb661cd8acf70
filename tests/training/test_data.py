"""Sources: every clip once an epoch, the same from any position, shared without overlap."""

import itertools
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch

from s2f_lib.training import validate
from s2f_lib.training.sources import ArraySource, Plan, prefetch


def take(batches, n):
    return list(itertools.islice(batches, n))


def test_an_epoch_holds_every_clip_once_and_the_next_is_shuffled_anew(clips):
    batches = take(clips.batches(Plan(4, seed=1)), 8)
    first = torch.cat([b["clip"] for b in batches[:4]])
    second = torch.cat([b["clip"] for b in batches[4:]])
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(16))
    assert first.tolist() != second.tolist()


def test_a_batch_belongs_together(clips):
    batch = next(clips.batches(Plan(4, seed=3)))
    rows = batch["clip"].numpy()
    assert np.array_equal(batch["waveform"].numpy(), clips.waveforms[rows])
    assert np.array_equal(batch["v_f"].numpy(), clips.v_f[rows])
    assert np.array_equal(batch["speaker"].numpy(), rows // 2)


def test_starting_later_gives_the_same_batches(clips):
    plan = Plan(6, seed=2, random_start=True, seconds=3.0)  # 6 does not divide 16: batches reach into the next epoch
    whole = take(clips.batches(plan), 7)
    for later, expected in zip(take(clips.batches(plan, start=4), 3), whole[4:]):
        assert all(torch.equal(later[key], expected[key]) for key in expected)
    assert whole[0]["waveform"].shape == (6, 48_000)


def test_two_processes_share_a_batch(clips):
    one = next(clips.batches(Plan(8, random_start=True)))
    parts = [next(clips.batches(Plan(8, rank=r, world=2, random_start=True))) for r in (0, 1)]
    for key in one:
        assert torch.equal(torch.cat([part[key] for part in parts]), one[key])
    with pytest.raises(ValueError, match="evenly"):
        Plan(9, world=2)


def test_a_random_start_only_turns_the_clip(clips):
    turned = next(clips.batches(Plan(2, random_start=True)))
    for clip, sound in zip(turned["clip"], turned["waveform"].numpy()):
        assert np.array_equal(np.sort(sound), np.sort(clips.waveforms[clip]))
        assert not np.array_equal(sound, clips.waveforms[clip])


def test_arrays_of_different_length_are_refused():
    with pytest.raises(ValueError, match=r"'v_f': 2"):
        ArraySource(np.zeros((3, 10), np.int16), np.zeros((2, 4)))


def test_prefetching_keeps_order_and_hands_errors_over():
    def numbers():
        yield from range(10)
        raise OSError("disk is gone")

    reader = prefetch(numbers(), ahead=2)
    assert [next(reader) for _ in range(10)] == list(range(10))
    with pytest.raises(OSError, match="disk is gone"):
        next(reader)


def test_prefetching_stops_reading_when_nobody_listens():
    read = []

    def numbers():
        for i in itertools.count():
            read.append(i)
            yield i

    reader = prefetch(numbers(), ahead=2)
    assert [next(reader) for _ in range(3)] == [0, 1, 2]
    reader.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "s2f-prefetch"]
    assert len(read) <= 8


def test_a_program_that_stops_while_batches_are_prepared_ends_in_peace():
    program = """
import torch
from s2f_lib.training.sources import prefetch

def batches():
    sound, window = torch.randn(64, 48_000), torch.ones(512)
    while True:
        yield {"spectrum": [torch.stft(sound, 512, window=window, return_complex=True) for _ in range(10)][0]}

reader = prefetch(batches())
next(reader)
reader.close()
"""  # a thread inside torch at the end of the interpreter aborts the process
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_prediction_of_zeros_counts_as_the_mean_face_and_others_stay():
    v_s, v_f = np.array([[0.0, 0.0], [3.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_array_equal(validate.with_direction(v_s, v_f), [[0.5, 0.5], [3.0, 0.0]])
