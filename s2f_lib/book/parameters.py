"""What can be set on a page of the book: its parameters cell, read without running it; values checked against it."""

import ast
import io
import math
import re
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LEAST = re.compile(r"at least (-?[\d.e-]*\d)")


class PageError(ValueError):
    """Something the caller can put right: an unknown page, an unknown parameter, a value that does not fit."""


@dataclass(frozen=True)
class Parameter:
    """One line of a page's parameters cell."""

    name: str
    default: Any
    kind: str  # "int", "float", "str", "bool", "list", "dict" or "any" where the default is None
    help: str  # the comment on that line, else the comment above it

    @property
    def least(self) -> float | None:
        """Smallest sensible value, where the help says "at least N"."""
        found = LEAST.search(self.help)
        return float(found[1]) if found else None


def read_parameters(source: str, where: str = "parameters cell") -> list[Parameter]:
    """Parse the text of a parameters cell; unlike papermill's reader it refuses what it cannot read.

    PageError names the line of anything but a constant given to a name.

    Examples
    --------
    >>> read_parameters("seeds = [0, 1]  # one run per seed")
    [Parameter(name='seeds', default=[0, 1], kind='list', help='one run per seed')]
    """
    comments = {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    found = []
    for node in ast.parse(source).body:
        target = node.targets[0] if isinstance(node, ast.Assign) and len(node.targets) == 1 else None
        target = node.target if isinstance(node, ast.AnnAssign) else target
        if not isinstance(target, ast.Name) or node.value is None:
            raise PageError(f"{where}, line {node.lineno}: only plain assignments may stand in a parameters cell")
        try:
            default = ast.literal_eval(node.value)
        except ValueError as error:
            raise PageError(
                f"{where}, line {node.lineno}: {target.id} must be a constant, so that it can be set"
            ) from error
        annotated = node.annotation if isinstance(node, ast.AnnAssign) else None
        kind = _kind(default)
        if kind == "any" and annotated is not None:
            kind = ast.unparse(annotated).replace(" | None", "")
        helping = next((comments[line] for line in range(node.lineno, node.end_lineno + 1) if line in comments), None)
        found.append(Parameter(target.id, default, kind, helping or comments.get(node.lineno - 1, "")))
    return found


def _kind(value: Any) -> str:
    """Name of a value's type; "any" for None."""
    return "any" if value is None else type(value).__name__.replace("tuple", "list")


def parse_value(text: str, parameter: Parameter) -> Any:
    """Read a value typed at the command line, as the type of the parameter's default; PageError if it is of another."""
    import yaml

    if parameter.kind == "str":
        return check_value(text, parameter)
    try:
        value = float(text) if parameter.kind == "float" else yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise PageError(f"{parameter.name} is of type {parameter.kind}, and {text!r} cannot be read as that") from error
    return check_value(value, parameter)


def check_value(value: Any, parameter: Parameter) -> Any:
    """Return the value if it fits the parameter, else raise PageError.

    A whole number fits a float, and so does a number written 1e-3 (a text to YAML); "~/" becomes the home
    folder. Less than the parameter's least, and what is not finite, does not fit.
    """
    kind, given = parameter.kind, _kind(value)
    if kind == "float" and given in ("int", "str"):
        value = _float(value)
        given = _kind(value)
    if kind not in ("any", given) and not (given == "any" and parameter.default is None):
        raise PageError(f"{parameter.name} is of type {kind} (default {parameter.default!r}), got {value!r} ({given})")
    if given == "list" and parameter.default:
        value = [_item(item, parameter, value) for item in value]
    for number in value if isinstance(value, list) else [value]:
        if not isinstance(number, (int, float)) or isinstance(number, bool):
            continue
        if not math.isfinite(number):
            raise PageError(f"{parameter.name} is {number}; wanted a finite number")
        if parameter.least is not None and number < parameter.least:
            raise PageError(f"{parameter.name} is {number:g}; wanted at least {parameter.least:g}")
    return str(Path(value).expanduser()) if given == "str" and value.startswith("~/") else value


def _item(item: Any, parameter: Parameter, whole: list) -> Any:
    """One item of a list, of a type that the default's items have."""
    kinds = {_kind(one) for one in parameter.default}
    item = _float(item) if "float" in kinds and isinstance(item, str) else item
    if _kind(item) not in kinds | ({"int"} if "float" in kinds else set()):
        raise PageError(f"{parameter.name} is a list of {'/'.join(sorted(kinds))}, got {whole!r}")
    return item


def _float(value: int | str) -> float | str:
    """A number for what is one, also where it is written as a text, as YAML reads 1e-3; anything else as it is."""
    try:
        return float(value)
    except ValueError:
        return value


def claims(given: Mapping[str, Any], **defaults: Any) -> bool:
    """Whether a page's text holds for this run: what it claims was seen with the page's own settings.

    A page asks this before it asserts what its text says; with other settings it prints that it does not.

    ``given`` are the page's ``globals()``, ``defaults`` the values of the parameters that the text is about.

    Examples
    --------
    >>> claims({"people": 1000}, people=1000)
    True
    >>> claims({"people": 60, "seed": 0}, people=1000, seed=0)
    What the text claims was seen with people = 1000; here people = 60, so it is not checked.
    False
    """
    changed = [name for name, value in defaults.items() if given[name] != value]
    if changed:
        text = ", ".join(f"{name} = {defaults[name]!r}" for name in changed)
        here = ", ".join(f"{name} = {given[name]!r}" for name in changed)
        print(f"What the text claims was seen with {text}; here {here}, so it is not checked.")
    return not changed
