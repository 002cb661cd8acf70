"""What can be set on a page of the book: its parameters cell, read without running it; values checked against it."""

from __future__ import annotations

import ast
import io
import tokenize
from dataclasses import dataclass
from typing import Any


class PageError(ValueError):
    """Something the caller can put right: an unknown page, an unknown parameter, a value of the wrong type."""


@dataclass(frozen=True)
class Parameter:
    """One line of a page's parameters cell."""

    name: str
    default: Any
    kind: str  # "int", "float", "str", "bool", "list", "dict" or "any" where the default is None
    help: str  # the comment on that line, else the comment above it


def read_parameters(source: str, where: str = "parameters cell") -> list[Parameter]:
    """Parse the text of a parameters cell.

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
    """Read a value typed at the command line, as the type of the parameter's default.

    Raises
    ------
    PageError
        If the text is of another type; the message gives the parameter, its type and its default.
    """
    import yaml

    if parameter.kind == "str":
        return text
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PageError(f"{parameter.name}: cannot read {text!r} ({error})") from error
    return check_value(value, parameter)


def check_value(value: Any, parameter: Parameter) -> Any:
    """Return the value if its type fits the parameter (a whole number fits a float), else raise PageError."""
    kind, given = parameter.kind, _kind(value)
    if kind == "float" and given == "int":
        return float(value)
    inner = {_kind(item) for item in parameter.default} if kind == "list" and parameter.default else set()
    if kind not in ("any", given) and not (given == "any" and parameter.default is None):
        raise PageError(f"{parameter.name} is of type {kind} (default {parameter.default!r}), got {value!r} ({given})")
    if (
        kind == "list"
        and inner
        and not {_kind(item) for item in value} <= inner | ({"int"} if "float" in inner else set())
    ):
        raise PageError(f"{parameter.name} is a list of {'/'.join(sorted(inner))}, got {value!r}")
    return value
