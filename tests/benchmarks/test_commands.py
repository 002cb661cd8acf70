"""A record names the command that made it: that of the committed records, and any other when options differ."""

import shlex

import numpy as np
import pytest

from benchmarks import face_pipeline, synthetic_people, voice_encoder, voice_scaling
from s2f_lib import io, people

PROGRAMS = {
    "face_pipeline": face_pipeline,
    "synthetic_people": synthetic_people,
    "voice_encoder": voice_encoder,
    "voice_scaling": voice_scaling,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_recorded_command_gives_itself_again(name):
    recorded = io.read_record(name).command
    parser = PROGRAMS[name].parser()
    typed = shlex.split(recorded.removeprefix(parser.prog))
    assert io.command_of(parser, parser.parse_args(typed)) == recorded
    fewer = parser.parse_args([*typed, "--people", "7"])
    assert io.command_of(parser, fewer).startswith(f"{parser.prog} --people 7")


def test_people_whose_pictures_are_near_each_other_are_told_apart():
    """Distances, not similarities: the area under the curve is 1 where those of one person are the smaller ones."""
    population = people.sample(8, seed=1)
    who = np.repeat(np.arange(8), 2)
    near = np.eye(8)[who] + 0.01 * np.arange(16)[:, None]
    found = synthetic_people.verification(population, who, near)
    assert [row["value"] for row in found if row["measure"] == "auc"] == [1]  # of eight people, no two are alike
