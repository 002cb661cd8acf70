import dataclasses

import numpy as np
import pytest
import torch

from s2f_lib import io, people
from s2f_lib.faces.recogniser import to_tensor
from s2f_lib.faces.vgg import VGGFace, VGGShape
from tools import face_training
from tools import pictures as pictures_module
from tools.face_training import FaceTrainer, to_device
from tools.pictures import PictureSet, rendered
from tools.train_recogniser import RecogniserConfig, augmented, cosface_loss, fold_batch_norm, train

TINY = RecogniserConfig(
    people=6,
    items=2,
    picture_size=32,
    widths=(4, 4, 8, 8, 8),
    image_size=64,
    fc6=8,
    classes=4,
    max_steps=6,
    checkpoint_every=3,
    batch_size=9,
)


@pytest.fixture(scope="module")
def sets():
    rng = np.random.default_rng(0)
    wild = rng.integers(0, 255, (6, 2, 32, 32, 3), np.uint8)
    return PictureSet(wild, np.zeros((6, 2, 68, 2))), PictureSet(wild[:, :1], np.zeros((6, 1, 68, 2)))


def test_stopping_and_continuing_is_the_same_as_not_stopping(tmp_path, sets, monkeypatch):
    whole, _ = train(TINY, tmp_path / "whole", *sets)
    steps, step = [], FaceTrainer.train_step

    def stopped(trainer, batch):
        steps.append(trainer.step)
        if len(steps) == 5:
            raise KeyboardInterrupt
        step(trainer, batch)

    monkeypatch.setattr(FaceTrainer, "train_step", stopped)
    with pytest.raises(KeyboardInterrupt):
        train(TINY, tmp_path / "parts", *sets)
    continued, _ = train(TINY, tmp_path / "parts", *sets)
    assert steps == [0, 1, 2, 3, 4, 3, 4, 5]
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), continued.state_dict().values()))


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
        ({"max_steps": 9}, "planned for 6 steps, not 9"),  # the learning rate had fallen to nothing
    ):
        with pytest.raises(ValueError, match=f"{message}.*(choose another folder|Choose schedule)"):
            train(dataclasses.replace(TINY, **change), tmp_path, *sets)


def test_a_command_with_other_settings_leaves_those_of_the_checkpoint(tmp_path, sets):
    train(TINY, tmp_path, *sets)
    before = (tmp_path / "config.json").read_text()
    parser = face_training.command_line("", RecogniserConfig, tmp_path, "tiny", 4)
    with pytest.raises(ValueError, match="planned for 6 steps, not 9"):
        face_training.chosen(parser.parse_args(["--max-steps", "9", "--people", "6"]), RecogniserConfig)
    with pytest.raises(ValueError, match="batch_size = 9, not 128"):
        face_training.chosen(parser.parse_args(["--max-steps", "6"]), RecogniserConfig)
    assert (tmp_path / "config.json").read_text() == before


def test_what_is_published_follows_from_a_commit(tmp_path, monkeypatch):
    monkeypatch.setattr("s2f_lib.io.current_commit", lambda: "0123456789ab+changes")
    parser = face_training.command_line("", RecogniserConfig, tmp_path, "tiny", 4)
    with pytest.raises(ValueError, match=r"uncommitted changes.*commit first"):
        face_training.chosen(parser.parse_args(["--publish"]), RecogniserConfig)


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


def test_folding_batch_norm_changes_no_output():
    torch.manual_seed(0)
    trained = VGGFace(VGGShape((4, 4, 8, 8, 8), 2, 64, 8, 32, 6), batch_norm=True)
    for _ in range(3):
        trained(torch.randn(8, 3, 64, 64) * 3 + 1)  # moves the running statistics
    with torch.no_grad():
        trained.bn6.weight.uniform_(0.5, 2)
    trained.eval()
    pixels = torch.randn(4, 3, 64, 64)
    plain = fold_batch_norm(trained)
    assert torch.allclose(plain(pixels), trained(pixels), atol=1e-5)
    assert not any(isinstance(m, (torch.nn.BatchNorm2d, torch.nn.BatchNorm1d)) for m in plain.modules())
