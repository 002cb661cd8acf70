"""The heads and the GAN: losses as worked out by hand, and trainings that learn what is there and nothing else."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from s2f_lib.metrics import retrieval
from s2f_lib.neighbours import heads
from s2f_lib.training.people_set import VALIDATION_SEED, PeopleSet
from tools import gan
from tools import train_end_to_end as end_to_end

SMALL = gan.GanConfig(embedding=4, widths=(8, 8, 8, 8), critic_widths=(8, 8, 8, 8), features=8, batch_size=8, steps=2)


def pairs(n, known=True, seed=0):
    """Voices that are a noisy linear picture of the face, or of nothing."""
    rng = np.random.default_rng(seed)
    v_f = rng.normal(size=(n, 16)) + 3
    cause = v_f if known else rng.normal(size=v_f.shape)
    return cause @ np.random.default_rng(9).normal(size=(16, 24)) + rng.normal(size=(n, 24)), v_f


@pytest.mark.parametrize("method", heads.METHODS)
def test_a_head_finds_faces_of_new_people_and_none_in_a_null_world(method):
    found = {}
    for known in (True, False):
        fitted, curve = heads.fit(replace(heads.METHODS[method], steps=100), *pairs(500, known))
        voice, v_f = (torch.from_numpy(x).float() for x in pairs(300, known, seed=1))
        ranks = retrieval.rank(*(x.numpy() for x in fitted.compared(voice, v_f)))
        found[known] = ranks.match(2).mean()
        assert not known or curve[-1]["loss"] < curve[0]["loss"]
    assert found[True] > 0.85
    assert abs(found[False] - 0.5) < 0.06


def test_a_space_of_its_own_has_nothing_to_regress_to():
    with pytest.raises(ValueError, match="no feature to regress to"):
        heads.HeadConfig(dim=8)


def test_the_gan_draws_64_pixels_and_its_noise_keeps_the_length():
    e = gan.shaken(torch.randn(5, 4), 0.3)
    torch.testing.assert_close(e.norm(dim=1), torch.ones(5))
    torch.testing.assert_close(gan.shaken(7 * e, 0.0), e)
    made = gan.Generator(SMALL)(e)
    assert made.shape == (5, 3, 64, 64)
    assert made.abs().max() <= 1
    real, who = gan.Critic(SMALL, 11)(made)
    assert (real.shape, who.shape) == ((5,), (5, 11))


def test_the_losses_are_those_of_the_formula():
    class Fixed(gan.Critic):
        def forward(self, faces):  # logits 1 for real faces (ones), -2 for made ones (zeros); classes 0, 1, 2
            value = faces.flatten(1)[:, 0]
            return 3 * value - 2, torch.tensor([[0.0, 1.0, 2.0]]).expand(len(faces), 3)

    critic, faces, made = Fixed(SMALL, 3), torch.ones(2, 3, 64, 64), torch.zeros(2, 3, 64, 64)
    total = sum(math.exp(i) for i in range(3))
    terms = gan.critic_losses(critic, faces, torch.tensor([2, 2]), made)
    assert terms["real"].item() == pytest.approx(math.log(1 + math.exp(-1)), rel=1e-5)
    assert terms["made"].item() == pytest.approx(math.log(1 + math.exp(-2)), rel=1e-5)
    assert terms["identity"].item() == pytest.approx(-math.log(math.exp(2) / total), rel=1e-5)
    terms = gan.generator_losses(critic, made, torch.tensor([0, 1]))
    assert terms["taken for real"].item() == pytest.approx(math.log(1 + math.exp(2)), rel=1e-5)
    wanted = -(math.log(1 / total) + math.log(math.exp(1) / total)) / 2
    assert terms["taken for the speaker"].item() == pytest.approx(wanted, rel=1e-5)


def test_the_critic_learns_nothing_from_the_generators_step():
    critic, generator = gan.Critic(SMALL, 3), gan.Generator(SMALL)
    before = [p.clone() for p in critic.parameters()]
    step = gan._stepper(generator, 1e-2)
    step(sum(gan.generator_losses(critic, generator(torch.eye(4)[:3]), torch.arange(3)).values()))
    assert all(torch.equal(a, b) for a, b in zip(before, critic.parameters(), strict=True))
    assert all(p.grad is None for p in critic.parameters())


def test_a_training_repeats_itself():
    faces = torch.rand(6, 3, 64, 64)
    runs = [gan.train(SMALL, torch.eye(6)[:, :4] + 0.1, faces) for _ in range(2)]
    assert runs[0][1] == runs[1][1]
    assert set(runs[0][1][0]) == {"step", "real", "made", "identity", "taken for real", "taken for the speaker"}


def test_whole_networks_differ_in_the_loss_alone_and_are_trained_once(tmp_path, monkeypatch):
    train, other = PeopleSet(16, 1), PeopleSet(4, 1, seed=VALIDATION_SEED, sentences="test")
    jobs = [end_to_end.Job(name, 1e-3, 0, 2, train, {"test": other}) for name in end_to_end.WHOLE]
    losses = [job.config().loss.weights() for job in jobs]
    assert losses == [{"l2": 1.0}, {"contrastive": 1.0}]
    assert replace(jobs[0].config(), loss=jobs[1].config().loss) == jobs[1].config()
    found = [end_to_end.answers(job, tmp_path)["test"] for job in jobs]
    assert found[0].shape == found[1].shape == (4, 4096)
    assert not np.allclose(found[0], found[1])
    monkeypatch.setattr(end_to_end.training, "run", None)  # what is finished is read
    assert np.array_equal(end_to_end.answers(jobs[1], tmp_path)["test"], found[1])


def test_a_regression_is_compared_from_the_mean_face_and_an_embedding_as_it_is():
    v_s, v_f, mean = np.array([[3.0, 1.0]]), np.array([[1.0, 2.0]]), np.array([1.0, 1.0])
    regression, contrastive = (end_to_end.compared(name, v_s, v_f, mean) for name in end_to_end.WHOLE)
    assert np.array_equal(regression, ([[2.0, 0.0]], [[0.0, 1.0]]))
    assert contrastive == (v_s, v_f)
