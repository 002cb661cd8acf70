"""Settings go to a file and come back the same, and wrong ones are refused with the known names."""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import pytest

from s2f_lib import config


@dataclass(frozen=True)
class Optimiser:
    rate: float = 1e-3
    betas: tuple[float, float] = (0.5, 0.999)


@dataclass(frozen=True)
class Run:
    loss: Literal["paper", "l1"] = "paper"
    steps: int = 200
    widths: tuple[int, ...] = (64, 128)
    names: list[str] = field(default_factory=list)
    limit: int | None = None
    deterministic: bool = False
    optimiser: Optimiser = Optimiser()
    PRESETS: ClassVar[dict[str, dict]] = {
        "quick": {"steps": 5, "widths": (4, 8, 16)},
        "slow": {"optimiser": Optimiser(rate=1e-5)},
    }


def test_population_seeds_never_meet_and_cannot_be_changed():
    assert config.SEEDS == {"recogniser": 1000, "decoder": 2000, "voice": 3000, "development": 4000, "test": 9000}
    with pytest.raises(TypeError):
        config.SEEDS["test"] = 1


def test_saved_settings_come_back_equal(tmp_path):
    settings = Run(loss="l1", widths=(1, 2, 3), names=["a"], limit=7, optimiser=Optimiser(0.25, (0.9, 0.99)))
    path = config.save(settings, tmp_path / "run" / "config.json")
    assert config.load(Run, path) == settings
    assert json.loads(path.read_text())["optimiser"] == {"rate": 0.25, "betas": [0.9, 0.99]}


def test_a_file_with_one_line_changes_one_field(tmp_path):
    (tmp_path / "ablation.json").write_text('{"loss": "l1"}')
    assert config.load(Run, tmp_path / "ablation.json") == dataclasses.replace(Run(), loss="l1")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"step": 5}, "no setting step; it has .*steps"),
        ({"steps": "many"}, "Run.steps must be int, got 'many'"),
        ({"steps": True}, "Run.steps must be int"),
        ({"steps": 2.5}, "Run.steps must be int"),
        ({"loss": "l2"}, "must be one of"),
        ({"widths": 4}, "must be a list"),
        ({"widths": [1, "x"]}, r"widths\[1\] must be int"),
        ({"optimiser": {"betas": [0.5]}}, "2 items, got 1"),
        ({"limit": "all"}, "int or NoneType"),
        ({"limit": True}, "int or NoneType"),
        ({"deterministic": 1}, "Run.deterministic must be bool"),
        ({"optimiser": {"rate": True}}, "rate must be a finite number, got True"),
        ({"optimiser": {"rate": "fast"}}, "rate must be a finite number, got 'fast'"),
        ({"optimiser": {"rate": [1]}}, "rate must be a finite number"),
        ({"optimiser": {"rate": float("nan")}}, "rate must be a finite number, got nan"),
        ({"optimiser": {"rate": float("-inf")}}, "rate must be a finite number, got -inf"),
        ({"optimiser": {"rate": "inf"}}, "rate must be a finite number"),
        ({"optimiser": {"rate": 10**400}}, "rate must be a finite number"),
        ({"optimiser": {"betas": [0.5, float("inf")]}}, r"betas\[1\] must be a finite number"),
        ({"optimiser": [1]}, "must be a JSON object, got list"),
        ([], "must be a JSON object, got list"),
    ],
)
def test_wrong_settings_are_named(tmp_path, values, message):
    (tmp_path / "c.json").write_text(json.dumps(values))
    with pytest.raises(ValueError, match=message):
        config.load(Run, tmp_path / "c.json")


@pytest.mark.parametrize("rate", [1, 1.0, "1", "1e0", "10e-1"])
def test_a_number_is_a_number_however_it_is_written(rate):
    found = config.from_dict(Optimiser, {"rate": rate}).rate
    assert found == 1.0
    assert isinstance(found, float)


def test_a_preset_in_the_home_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    config.save(Run(steps=7), tmp_path / "mine.json")
    assert config.preset(Run, "~/mine.json").steps == 7


def test_presets_by_name_by_file_and_with_changes(tmp_path):
    assert config.preset(Run, "default") == Run()
    assert config.preset(Run, "quick") == Run(steps=5, widths=(4, 8, 16))
    assert config.preset(Run, "slow").optimiser.rate == 1e-5
    assert config.preset(Run, "quick", steps=9, widths=(1,)) == Run(steps=9, widths=(1,))
    assert config.preset(Run, config.save(Run(steps=3), tmp_path / "x.json")) == Run(steps=3)
    with pytest.raises(ValueError, match="no preset 'huge'; it has default, quick, slow"):
        config.preset(Run, "huge")


def test_presets_of_a_folder_hold_only_the_difference(tmp_path, monkeypatch):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "short.json").write_text('{"steps": 1}')
    monkeypatch.setattr(config, "PRESETS", tmp_path)
    monkeypatch.setattr(Run, "PRESET_FOLDER", "runs", raising=False)
    assert config.preset(Run, "short") == Run(steps=1)


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / "c.json").write_text("{")
    with pytest.raises(ValueError, match=r"c\.json is damaged"):
        config.load(Run, tmp_path / "c.json")


def test_only_dataclass_objects_are_settings(tmp_path):
    with pytest.raises(TypeError, match="dataclass"):
        config.save({"steps": 1}, tmp_path / "c.json")
    assert not list(tmp_path.iterdir())
