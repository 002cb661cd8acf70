"""Many tasks on one machine or many: every result once, whatever happens to the workers."""

import os
import signal
import time
from pathlib import Path

import pytest

from s2f_lib.corpus import workers


def square(number):
    return number * number


def stumble(number):
    if number == 3:
        raise ValueError("three is too many")
    return number


def die_once(task):
    """Kills its own process the first time it sees task 2."""
    folder, number = task
    mark = Path(folder) / "died"
    if number == 2 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def run(*arguments, **options):
    return dict(workers.run(*arguments, progress=False, **options))


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_every_task_once(jobs):
    assert run(square, range(20), jobs=jobs) == {i: i * i for i in range(20)}
    assert run(square, [], jobs=jobs) == {}
    assert run(square, iter(range(20)), jobs=jobs) == {i: i * i for i in range(20)}


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_of_a_task_comes_out(jobs):
    with pytest.raises(ValueError, match="three is too many"):
        run(stumble, range(9), jobs=jobs)


def test_a_killed_worker_is_told(tmp_path):
    with pytest.raises(workers.WorkerDied, match="run again to go on"):
        run(die_once, [(str(tmp_path), i) for i in range(6)], jobs=2)


def test_impossible_numbers_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        run(square, range(3), jobs=0)


@pytest.mark.slow
def test_dask_gives_the_same_and_survives_a_killed_worker(tmp_path):
    """One cluster for both: starting it is what takes time."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        assert run(square, range(20), scheduler=address) == {i: i * i for i in range(20)}
        tasks = [(str(tmp_path), i) for i in range(6)]
        assert run(die_once, tasks, scheduler=address) == {task: task[1] for task in tasks}
        assert (tmp_path / "died").exists()
        with pytest.raises(ValueError, match="three is too many"):
            run(stumble, range(9), scheduler=address)


def die_or_hang(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 5:
        time.sleep(60)
    return number


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_task_that_crashes_or_hangs_its_process_is_lost_alone(jobs):
    results = run(die_or_hang, range(9), jobs=jobs, isolated=2.0)
    assert sorted(results) == list(range(9))
    assert [n for n, result in results.items() if isinstance(result, workers.WorkerDied)] in ([3, 5], [5, 3])
    assert all(results[n] == n for n in range(9) if n not in (3, 5))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_workers_do_not_outlive_a_killed_parent(tmp_path):
    parent = os.fork()
    if parent == 0:
        list(workers.run(linger, [str(tmp_path)] * 2, jobs=2, progress=False))
        os._exit(0)
    waited = time.monotonic() + 600
    while len(list(tmp_path.glob("*.pid"))) < 2 and time.monotonic() < waited:
        time.sleep(0.05)
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    children = [int(path.stem) for path in tmp_path.glob("*.pid")]
    assert len(children) == 2
    while any(alive(pid) for pid in children) and time.monotonic() < waited:
        time.sleep(0.1)
    assert not any(alive(pid) for pid in children)


def linger(folder):
    (Path(folder) / f"{os.getpid()}.pid").touch()
    time.sleep(1000)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")
