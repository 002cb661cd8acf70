import dataclasses

import numpy as np
import pytest
import torch

from s2f_lib import io, people
from s2f_lib.faces import pictures as pictures_module
from s2f_lib.faces.pictures import PictureSet, rendered
from s2f_lib.faces.recogniser import to_tensor
from tools import face_training, train_decoder
from tools.face_training import batches, cosine_schedule, to_device
from tools.train_recogniser import RecogniserConfig, augmented, cosface_loss, train

TINY = RecogniserConfig(
    people=6, items=2, picture_size=32, widths=(4, 4, 8, 8, 8), image_size=64, fc6=8, classes=4, steps=6, batch_size=9
)


@pytest.fixture(scope="module")
def sets():
    rng = np.random.default_rng(0)
    wild = rng.integers(0, 255, (6, 2, 32, 32, 3), np.uint8)
    return PictureSet(wild, np.zeros((6, 2, 68, 2))), PictureSet(wild[:, :1], np.zeros((6, 1, 68, 2)))


def test_stopping_and_continuing_is_the_same_as_not_stopping(tmp_path, sets, monkeypatch):
    whole, _ = train(TINY, tmp_path / "whole", *sets)
    steps = []

    def stopped(step, *arguments):
        steps.append(step)
        if len(steps) == 5:
            raise KeyboardInterrupt
        return cosine_schedule(step, *arguments)

    monkeypatch.setattr(face_training, "SAVE_EVERY", 3)
    monkeypatch.setattr(face_training, "cosine_schedule", stopped)
    with pytest.raises(KeyboardInterrupt):
        train(TINY, tmp_path / "parts", *sets)
    continued, _ = train(TINY, tmp_path / "parts", *sets)
    assert steps == [0, 1, 2, 3, 4, 3, 4, 5]
    assert all(
        torch.allclose(a, b, atol=1e-6) for a, b in zip(whole.state_dict().values(), continued.state_dict().values())
    )


def test_only_the_shipped_identities_keep_their_row_and_logits_have_the_wanted_scale(tmp_path, sets):
    network, seconds = train(TINY, tmp_path, *sets)
    assert network.fc8.weight.shape == (4, 4096)
    assert seconds > 0
    rows = network.fc8.weight.norm(dim=1)
    assert torch.allclose(rows, rows[:1].expand_as(rows), rtol=1e-4)


def test_other_settings_do_not_continue_a_checkpoint(tmp_path, sets):
    train(TINY, tmp_path, *sets)
    for change, message in (
        ({"fc6": 12}, "fc6 = 8, not 12"),
        ({"margin": 0.5}, "margin = 0.15, not 0.5"),  # the same tensors
        ({"steps": 9}, "steps = 6, not 9"),  # the learning rate had fallen to nothing
    ):
        with pytest.raises(ValueError, match=f"belongs to other settings: .* {message}; give another --out"):
            train(dataclasses.replace(TINY, **change), tmp_path, *sets)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    del state["settings"]
    torch.save(state, tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match="does not say with which settings"):
        train(TINY, tmp_path, *sets)


def test_a_command_with_other_settings_leaves_those_of_the_checkpoint(tmp_path, sets):
    parser = face_training.command_line("", RecogniserConfig, tmp_path, "tiny", 4)
    made = face_training.chosen(parser.parse_args(["--steps", "0", "--people", "6"]), RecogniserConfig)
    network = torch.nn.Linear(2, 2)
    face_training.save_checkpoint(
        tmp_path / "checkpoint.pt", network, torch.optim.AdamW(network.parameters()), made, 0, 0.0
    )
    before = (tmp_path / "config.json").read_text()
    with pytest.raises(ValueError, match="people = 6, not 7"):
        face_training.chosen(parser.parse_args(["--steps", "0", "--people", "7"]), RecogniserConfig)
    assert (tmp_path / "config.json").read_text() == before
    assert face_training.chosen(parser.parse_args(["--steps", "0", "--people", "6"]), RecogniserConfig) == made


def test_margin_loss_by_hand():
    v_f, weight = torch.tensor([[3.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    loss = cosface_loss(v_f, weight, torch.tensor([0]), scale=2.0, margin=0.5)
    assert loss.item() == pytest.approx(np.log(1 + np.exp(0.0 - 2 * 0.5)))


def test_augmentation_keeps_range_and_is_repeatable():
    pictures = torch.rand(5, 3, 40, 40)
    first = augmented(pictures, 32, torch.Generator().manual_seed(1))
    again = augmented(pictures, 32, torch.Generator().manual_seed(1))
    other = augmented(pictures, 32, torch.Generator().manual_seed(2))
    assert first.shape == (5, 3, 32, 32)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert 0 <= first.min() <= first.max() <= 1


def test_batches_visit_everything_once_an_epoch_from_any_step():
    stream = batches(10, 5, 0, seed=3)
    drawn = [next(stream) for _ in range(4)]
    assert sorted(np.concatenate(drawn[:2])) == list(range(10))
    later = batches(10, 5, 3, seed=3)
    assert np.array_equal(next(later), drawn[3])


def test_schedule_rises_then_falls():
    rates = [cosine_schedule(step, 100, 1.0) for step in range(100)]
    assert rates[0] < rates[4] == pytest.approx(1.0, rel=0.01)
    assert rates[-1] < 0.02


def test_rendering_continues_where_it_stopped(tmp_path, monkeypatch):
    population = people.sample(6, seed=5)
    whole = rendered(tmp_path / "whole", population, kind="canonical", size=32, workers=1, progress=False)
    monkeypatch.setattr(pictures_module, "CHUNK", 2)
    monkeypatch.setattr("s2f_lib.people.batch.PEOPLE_PER_TASK", 2)
    original = people.iterate_pictures

    def broken(*arguments, **options):
        for count, part in enumerate(original(*arguments, **options)):
            if count == 2:
                raise KeyboardInterrupt
            yield part

    monkeypatch.setattr(people, "iterate_pictures", broken)
    with pytest.raises(KeyboardInterrupt):
        rendered(tmp_path / "parts", population, kind="canonical", size=32, workers=1, progress=False)
    drawn = []
    monkeypatch.setattr(
        people, "iterate_pictures", lambda part, *a, **k: drawn.append(len(part)) or original(part, *a, **k)
    )
    parts = rendered(tmp_path / "parts", population, kind="canonical", size=32, workers=1, progress=False)
    assert drawn == [2]
    assert np.array_equal(parts.pictures, whole.pictures)
    assert np.allclose(parts.landmarks, whole.landmarks)


def test_another_set_in_the_same_folder_is_refused(tmp_path):
    population = people.sample(2, seed=5)
    rendered(tmp_path, population, kind="canonical", size=32, workers=1, progress=False)
    with pytest.raises(ValueError, match="size 32 instead of 48"):
        rendered(tmp_path, population, kind="canonical", size=48, workers=1, progress=False)


def test_pictures_of_another_renderer_are_refused(tmp_path, monkeypatch):
    population = people.sample(2, seed=5)
    how = {"kind": "wild", "size": 32, "items": (3, 4), "workers": 1, "progress": False}
    rendered(tmp_path, population, **how)
    assert len(rendered(tmp_path, population[:1], **how).pictures) == 1
    monkeypatch.setattr(pictures_module, "face_version", lambda: "another")
    with pytest.raises(io.cache.StaleCache, match=r"renderer .* instead of 'another'.*delete it"):
        rendered(tmp_path, population, **how)


def test_pictures_that_travel_as_bytes_arrive_as_the_same_images(sets):
    pictures = sets[0].pictures
    pictures.setflags(write=False)  # as a memory map is
    assert torch.equal(to_device(pictures, "cpu"), to_tensor(pictures))


def test_kept_features_belong_to_the_weights_that_made_them(monkeypatch):
    name = train_decoder._stamp("synthetic-vgg")
    assert name == train_decoder._stamp("synthetic-vgg")
    entry = train_decoder.hub.describe("synthetic-vgg")
    monkeypatch.setattr(train_decoder.hub, "describe", lambda _: entry | {"sha256": "0" * 64})
    assert train_decoder._stamp("synthetic-vgg") != name  # trained anew: other features, another file
    assert train_decoder._stamp("") == ""
