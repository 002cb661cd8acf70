"""Settings of a run: frozen dataclasses, saved as JSON, with named presets.

A run *is* such an object. It is saved beside what it made, and an ablation is a file that differs in one line::

    @dataclass(frozen=True)
    class TrainConfig:
        batch_size: int = 8  # clips
        seed: int = 0
        PRESETS: ClassVar[dict[str, dict]] = {"quick": {}, "paper": {"batch_size": 8}}

    settings = config.preset(TrainConfig, "paper")
    config.save(settings, "runs/x/config.json")
    config.load(TrainConfig, "runs/x/config.json") == settings
"""

import dataclasses
import json
import math
import typing
from pathlib import Path
from types import MappingProxyType, UnionType
from typing import Any, TypeVar

from s2f_lib import io

Settings = TypeVar("Settings")

PRESETS = Path(__file__).resolve().parent / "presets"  # one folder per kind of settings

# Population seeds. People used for one purpose never share a seed with those of another, so that the face recogniser,
# the face decoder, the voice encoder and the evaluation have all seen different people. "development" was looked at
# while the library was written; "test" is for what is reported, by rules fixed before anything was measured on it.
SEEDS = MappingProxyType({"recogniser": 1000, "decoder": 2000, "voice": 3000, "development": 4000, "test": 9000})


def to_dict(settings: Any) -> dict:
    """Turn a settings dataclass (else TypeError) into JSON types: nested ones into nested dicts, tuples into lists."""
    if not dataclasses.is_dataclass(settings) or isinstance(settings, type):
        raise TypeError(f"expected a dataclass object holding settings, got {settings!r}")
    return json.loads(json.dumps(dataclasses.asdict(settings)))


def from_dict(cls: type[Settings], values: dict) -> Settings:
    """Make a settings object from a dict; fields left out keep their default, unknown ones are refused (ValueError)."""
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        raise TypeError(f"expected a dataclass to fill, got {cls!r}")
    if not isinstance(values, dict):
        raise ValueError(f"settings of {cls.__name__} must be a JSON object, got {type(values).__name__}")
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise ValueError(f"{cls.__name__} has no setting {', '.join(unknown)}; it has {', '.join(sorted(fields))}")
    hints = typing.get_type_hints(cls)
    try:
        return cls(**{name: _convert(value, hints[name], f"{cls.__name__}.{name}") for name, value in values.items()})
    except TypeError as error:
        raise ValueError(f"settings of {cls.__name__} are not complete: {error}") from error


def save(settings: Any, path: str | Path) -> Path:
    """Write settings to a JSON file, in one piece or not at all; gives the path back."""
    with io.atomic_write(path, "w") as file:
        json.dump(to_dict(settings), file, indent=2)
        file.write("\n")
    return Path(path)


def load(cls: type[Settings], path: str | Path) -> Settings:
    """Read settings that `save` wrote; ValueError if the file does not hold settings of this class."""
    path = Path(path)
    values = io.read_json(path)
    try:
        return from_dict(cls, values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def preset(cls: type[Settings], name: str | Path, **changes: Any) -> Settings:
    """Give the settings known under a name, with single fields changed if wanted; works from any folder.

    Presets of a dataclass are its attribute ``PRESETS`` (name -> {field: value}) and the files
    ``s2f_lib/presets/<cls.PRESET_FOLDER>/<name>.json``, each holding only what differs from the defaults. "default" is
    always known; `name` may also be the path of a ``.json`` file (a leading ``~`` is the home folder). ValueError for
    an unknown name (the message lists the known ones) or field.
    """
    known = presets(cls)
    if str(name) in known:
        settings = known[str(name)]
        settings = load(cls, settings) if isinstance(settings, Path) else from_dict(cls, _to_plain(settings))
    elif str(name).endswith(".json"):
        settings = load(cls, Path(name).expanduser())
    else:
        raise ValueError(
            f"{cls.__name__} has no preset {str(name)!r}; it has {', '.join(sorted(known))}, or give a .json file"
        )
    return from_dict(cls, to_dict(settings) | _to_plain(changes)) if changes else settings


def presets(cls: type) -> dict[str, dict | Path]:
    """Presets of a settings class by name: field values, or the file that holds them."""
    known: dict[str, dict | Path] = {"default": {}} | dict(getattr(cls, "PRESETS", {}))
    if folder := getattr(cls, "PRESET_FOLDER", None):
        known |= {path.stem: path for path in sorted((PRESETS / folder).glob("*.json"))}
    return known


def _to_plain(values: dict) -> dict:
    """Turn field values into JSON types, so that a preset may hold tuples or nested dataclasses."""
    return json.loads(json.dumps(dict(values), default=dataclasses.asdict))


def _convert(value: Any, hint: Any, where: str) -> Any:
    """Check a JSON value against a type hint; lists become tuples and objects dataclasses where the hint says so."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (typing.Union, UnionType):
        return _convert_union(value, arguments, where)
    if origin is typing.Literal:
        if value not in arguments:
            raise ValueError(f"{where} must be one of {list(arguments)}, got {value!r}")
        return value
    if dataclasses.is_dataclass(hint):
        return from_dict(hint, value)
    if origin in (tuple, list) or hint in (tuple, list):
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{where} must be a list, got {value!r}")
        kinds = arguments or (Any, ...)
        if list in (origin, hint) or kinds[-1] is ...:
            kinds = [kinds[0]] * len(value)
        if len(kinds) != len(value):
            raise ValueError(f"{where} must have {len(kinds)} items, got {len(value)}")
        items = [_convert(item, kind, f"{where}[{i}]") for i, (item, kind) in enumerate(zip(value, kinds, strict=True))]
        return tuple(items) if tuple in (origin, hint) else items
    if hint is float:
        return _number(value, where)
    wanted = origin or hint
    if not isinstance(wanted, type) or (isinstance(value, wanted) and not (wanted is int and isinstance(value, bool))):
        return value
    raise ValueError(f"{where} must be {getattr(hint, '__name__', hint)}, got {value!r}")


def _number(value: Any, where: str) -> float:
    """A finite number; also one that came as text, as YAML takes 1e-3."""
    try:
        number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        number = None
    if number is None or not math.isfinite(number):
        raise ValueError(f"{where} must be a finite number, got {value!r}")
    return number


def _convert_union(value: Any, kinds: tuple, where: str) -> Any:
    """Take the first member of a union that fits."""
    for kind in kinds:
        if kind is type(None):
            if value is None:
                return None
            continue
        try:
            return _convert(value, kind, where)
        except ValueError:
            continue
    raise ValueError(f"{where} must be {' or '.join(getattr(k, '__name__', str(k)) for k in kinds)}, got {value!r}")
