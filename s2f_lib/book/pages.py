"""Run the pages of the book: one with other parameters, a grid of runs and its table, or all of them for the build.

    s2f pages list                        # the pages
    s2f pages list 04_loss_ablation       # what can be set: name, type, default, help
    s2f pages run 04_loss_ablation -p seeds=[0,1] -p preset=paper -o runs/ablation
    s2f pages run 04_loss_ablation --grid seed=[0,1,2] --jobs 2 -o runs/seeds
    s2f pages table runs/seeds

Names, types and smallest values are checked before anything starts: papermill itself only warns about a parameter that
the page does not have, and then runs for hours without it. The cells run in a kernel of their own, see `kernel`.
"""

import argparse
import difflib
import hashlib
import itertools
import json
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from s2f_lib.book import kernel
from s2f_lib.book.parameters import PageError, Parameter, check_value, parse_value, read_parameters
from s2f_lib.io import atomic_write, read_json

ROOT = Path(__file__).resolve().parents[2]


def pages(folder: Path | None = None) -> list[Path]:
    """The notebooks of the book, in reading order; empty where the library was installed without them."""
    return sorted((folder or ROOT / "book").glob("[0-9][0-9]_*.ipynb"))


def find(page: str | Path) -> Path:
    """Path of a page by its name ("04_loss_ablation"), its number ("04") or as a path of any notebook, or PageError."""
    path = Path(page).expanduser()
    if path.suffix == ".ipynb":
        if path.is_file():
            return path
        raise PageError(f"there is no notebook {path}")
    known = {p.stem: p for p in pages()}
    hits = [p for stem, p in known.items() if stem == str(page) or stem.split("_")[0] == str(page)]
    if not hits:
        listed = ", ".join(known) or "none here: the pages are in a clone of the repository, not in the package"
        raise PageError(f"there is no page {str(page)!r}; pages: {listed}")
    return hits[0]


def read(path: Path):
    """A notebook (nbformat.NotebookNode, version 4); PageError if the file is none."""
    import nbformat

    try:
        return nbformat.read(path, as_version=4)
    except (ValueError, KeyError, AttributeError, TypeError, nbformat.ValidationError) as error:
        raise PageError(f"{path} is no notebook: {str(error).splitlines()[0]}") from error


def parameters(page: str | Path) -> list[Parameter]:
    """What can be set on a page: the assignments of the cell tagged `parameters`, with type and help.

    PageError if the page has no such cell, or the cell holds something else than plain assignments of constants.
    """
    path = find(page)
    tagged = [cell for cell in read(path).cells if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise PageError(f"{path.name}: expected one cell tagged 'parameters', found {len(tagged)}")
    return read_parameters(tagged[0].source, path.name)


def check(page: str | Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """Check names, types and smallest values for a page before anything runs; strings are read as typed at a shell.

    PageError for an unknown name (with the nearest known one), a wrong type or too small a number.
    """
    known = {p.name: p for p in parameters(page)}
    checked = {}
    for name, value in values.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise PageError(f"{find(page).stem} has no parameter {name!r}{hint} It has: {', '.join(known)}")
        reads = isinstance(value, str) and known[name].kind != "str"
        checked[name] = parse_value(value, known[name]) if reads else check_value(value, known[name])
    return checked


def run(page: str | Path, out: str | Path, values: Mapping[str, Any] | None = None, *, progress: bool = True) -> dict:
    """Execute a page with other parameters.

    Parameters
    ----------
    page : str or path
        See `find`; an unknown one, like an unknown name or a wrong type, is a PageError before anything is started.
    out : str or path
        Folder for the executed notebook and its record; made when missing.
    values : mapping, optional
        Parameter -> value; the others keep their defaults.

    Returns
    -------
    dict
        The record, also written to ``<out>/<page>.json``: page, command, parameters, seconds, status ("done" or
        "failed"), error, and the numbers that the page keeps.
    """
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    path = find(page)
    values = check(path, values or {})
    out = Path(out).expanduser()
    out.mkdir(parents=True, exist_ok=True)
    notebook = load_notebook_node(str(path))
    notebook = parameterize_notebook(notebook, values) if values else notebook
    start = time.monotonic()
    error = kernel.execute(notebook, Path.cwd(), save=out / path.name, bar=path.stem if progress else "")
    settings = "".join(f" -p {name}={json.dumps(value)}" for name, value in values.items())
    record = {
        "page": path.stem,
        "command": f"s2f pages run {path.stem}{settings}",
        "parameters": {p.name: values.get(p.name, p.default) for p in parameters(path)},
        "seconds": round(time.monotonic() - start, 1),
        "status": "failed" if error else "done",
        "error": error,
        "numbers": kernel.kept_numbers(notebook),
    }
    with atomic_write(out / f"{path.stem}.json", "w") as file:
        json.dump(record, file, indent=2)
        file.write("\n")
    return record


def sweep(
    page: str, out: str | Path, grid: Mapping[str, Sequence[Any]], fixed: Mapping[str, Any], jobs: int = 1
) -> list[dict]:
    """Run a page once per point of a grid, several at once; returns the records in grid order.

    All points are checked before the first one starts. Each run gets a folder of its own, named by its values; a run
    whose record says "done" with the same parameters is not repeated. A run that fails is a record, and the others go
    on; ctrl-C stops those that run, and starts none.
    """
    points = [dict(zip(grid, combination)) for combination in itertools.product(*grid.values())]
    checked = [check(page, {**fixed, **point}) for point in points]
    folders = [Path(out).expanduser() / folder_name(point) for point in points]
    records: list[dict | None] = [_done(page, folder, values) for folder, values in zip(folders, checked)]
    waiting = [i for i, record in enumerate(records) if record is None]
    tasks = {i: lambda i=i: run(page, folders[i], checked[i], progress=False) for i in waiting}
    for i, record in kernel.in_parallel(tasks, jobs):
        records[i] = record
        print(f"{folders[i].name}: {record['status']} in {record['seconds']:.0f} s", flush=True)
    return records


def folder_name(point: Mapping[str, Any]) -> str:
    """A short name for a point of a grid, that no other point has.

    Examples
    --------
    >>> folder_name({"seed": 1, "loss": "l1"})
    'seed=1-loss=l1'
    >>> folder_name({"recording": "a/b.wav"}) == folder_name({"recording": "a_b.wav"})
    False
    """
    text = "-".join(f"{name}={value}" for name, value in point.items())
    plain = re.sub(r"[^\w=.,+-]", "_", text)[:80]
    if plain == text:
        return plain
    return f"{plain}-{hashlib.sha256(repr(sorted(point.items())).encode()).hexdigest()[:8]}"


def _done(page: str, folder: Path, values: Mapping[str, Any]) -> dict | None:
    """The record of an earlier finished run with the same parameters, if there is one."""
    path = folder / f"{find(page).stem}.json"
    if not path.exists():
        return None
    record = _read_record(path)
    wanted = {p.name: values.get(p.name, p.default) for p in parameters(page)}
    return record if record["status"] == "done" and record["parameters"] == json.loads(json.dumps(wanted)) else None


def _read_record(path: Path) -> dict:
    """The record of a run; PageError if the file is not a whole one."""
    try:
        record = read_json(path)
        return {key: record[key] for key in ("page", "parameters", "status", "seconds", "numbers")} | record
    except (ValueError, KeyError, TypeError) as error:
        raise PageError(f"{path} is not the record of a run; delete it and run the page again") from error


def table(folder: str | Path):
    """One row per run below a folder (PageError if none): parameters that differ, status, seconds, kept numbers."""
    import pandas as pd

    records = [_read_record(path) for path in sorted(Path(folder).expanduser().rglob("[0-9][0-9]_*.json"))]
    if not records:
        raise PageError(f"no run of a page is recorded below {folder}")
    rows = []
    for record in records:
        varied = {k: v for k, v in record["parameters"].items() if any(r["parameters"].get(k) != v for r in records)}
        ended = {key: record[key] for key in ("status", "seconds")}
        rows.append({"page": record["page"], **varied, **ended, **record["numbers"]})
    return pd.DataFrame(rows)


def _settings(pairs: Sequence[str], option: str) -> dict[str, str]:
    """Split name=value arguments."""
    for pair in pairs:
        if "=" not in pair:
            raise PageError(f"{option} wants name=value, got {pair!r}")
    return dict(pair.split("=", 1) for pair in pairs)


def _lists(grid: Mapping[str, str]) -> dict[str, list]:
    """The values of a grid, read from what was typed."""
    import yaml

    lists = {}
    for name, text in grid.items():
        try:
            lists[name] = yaml.safe_load(text)
        except yaml.YAMLError:
            lists[name] = None
        if not isinstance(lists[name], list) or not lists[name]:
            raise PageError(f"--grid {name} wants a list of values, such as {name}=[1,2], got {text!r}")
    return lists


def list_main(arguments: Sequence[str] | None = None) -> int:
    """``s2f pages list``: the pages, or what can be set on one."""
    parser = argparse.ArgumentParser(prog="s2f pages list", description="The pages, or what can be set on one.")
    parser.add_argument("page", nargs="?", help="name, number or path of a notebook")
    page = parser.parse_args(arguments).page
    if page is None:
        for path in pages():
            print(f"{path.stem:24} {', '.join(p.name for p in parameters(path))}")
        return 0
    for p in parameters(page):
        print(f"{p.name:16} {p.kind:6} {p.default!r:20} {p.help}")
    return 0


def run_main(arguments: Sequence[str] | None = None) -> int:
    """``s2f pages run``: execute one page or a grid of them; 0 when all finished, 1 when a page failed."""
    parser = argparse.ArgumentParser(prog="s2f pages run", description="Execute a page with other parameters.")
    parser.add_argument("page", help="name, number or path of a notebook")
    parser.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--grid", action="append", default=[], metavar="NAME=[A,B]", help="one run per combination")
    parser.add_argument("--jobs", type=int, default=1, help="runs of a grid at once (default %(default)s)")
    parser.add_argument("-o", "--out", help="folder for the executed page and its record (default runs/PAGE)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(arguments)
    values, grid = _settings(options.parameter, "-p"), _settings(options.grid, "--grid")
    if options.jobs < 1:
        raise PageError(f"--jobs is {options.jobs}; at least one run has to go on")
    out = Path(options.out or f"runs/{find(options.page).stem}")
    if grid:
        records = sweep(options.page, out, _lists(grid), values, options.jobs)
    else:
        one = {0: lambda: run(options.page, out, values, progress=not options.quiet)}
        records = [record for _, record in kernel.in_parallel(one)]
    for record in records:
        error = f"; {record['error']}" * bool(record["error"])
        print(f"{record['page']}: {record['status']} in {record['seconds']:.0f} s{error}")
    print(f"executed pages and records are in {out}")
    return int(any(record["status"] != "done" for record in records))


def table_main(arguments: Sequence[str] | None = None) -> int:
    """``s2f pages table``: one row per recorded run below a folder."""
    parser = argparse.ArgumentParser(prog="s2f pages table", description="One row per recorded run below a folder.")
    parser.add_argument("folder")
    print(table(parser.parse_args(arguments).folder).to_string(index=False, float_format="{:.4g}".format))
    return 0
