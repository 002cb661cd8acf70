"""Run the pages of the book again with other parameters: one run, a grid of runs, and a table of what came out.

    s2f pages list                        # the pages
    s2f pages list 04_loss_ablation       # what can be set: name, type, default, help
    s2f pages run 04_loss_ablation -p seeds=[0,1] -p preset=paper -o runs/ablation
    s2f pages run 04_loss_ablation --grid seed=[0,1,2] --jobs 2 -o runs/seeds
    s2f pages table runs/seeds

A page is executed by papermill. Names and types are checked before anything starts: papermill itself only warns about a
parameter that the page does not have, and then runs for hours without it.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import itertools
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from s2f_lib.book.parameters import PageError, Parameter, check_value, parse_value, read_parameters
from s2f_lib.io import atomic_write

ROOT = Path(__file__).resolve().parents[2]
RECORD = "application/papermill.record/"  # how a kept number is stored in an executed page


def pages(folder: Path | None = None) -> list[Path]:
    """The notebooks of the book, in reading order; empty where the library was installed without them."""
    return sorted((folder or ROOT / "book").glob("[0-9][0-9]_*.ipynb"))


def find(page: str | Path) -> Path:
    """Path of a page by its name ("04_loss_ablation"), its number ("04") or as a path of any notebook.

    Raises
    ------
    PageError
        If there is none; the message lists the pages there are.
    """
    path = Path(page)
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


def parameters(page: str | Path) -> list[Parameter]:
    """What can be set on a page: the assignments of the cell tagged `parameters`, with type and help.

    Raises
    ------
    PageError
        If the page has no such cell, or the cell holds something else than plain assignments of constants.
    """
    path = find(page)
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    tagged = [cell for cell in cells if "parameters" in cell.get("metadata", {}).get("tags", [])]
    if len(tagged) != 1:
        raise PageError(f"{path.name}: expected one cell tagged 'parameters', found {len(tagged)}")
    return read_parameters("".join(tagged[0]["source"]), path.name)


def check(page: str | Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """Check names and types of values for a page before anything runs; strings are read as typed at a shell.

    Raises
    ------
    PageError
        For an unknown name (with the nearest known one) or a wrong type.
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
        See `find`.
    out : str or path
        Folder for the executed notebook and its record; made when missing.
    values : mapping, optional
        Parameter -> value; the others keep their defaults.
    progress : bool
        Show a bar over the cells.

    Returns
    -------
    dict
        The record, also written to ``<out>/<page>.json``: page, command, parameters, seconds, status ("done" or
        "failed"), error, and the numbers that the page keeps.

    Raises
    ------
    PageError
        For an unknown page, name or type; nothing has been started or written then.
    """
    import papermill

    path = find(page)
    values = check(path, values or {})
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    executed, error, start = out / path.name, "", time.monotonic()
    try:
        papermill.execute_notebook(
            path, executed, values, progress_bar=progress, kernel_name="python3", log_output=False
        )
    except papermill.PapermillExecutionError as failure:
        error = f"cell {failure.cell_index}: {failure.ename}: {failure.evalue}"
    record = {
        "page": path.stem,
        "command": command(path.stem, values),
        "parameters": {p.name: values.get(p.name, p.default) for p in parameters(path)},
        "seconds": round(time.monotonic() - start, 1),
        "status": "failed" if error else "done",
        "error": error,
        "numbers": kept_numbers(executed),
    }
    with atomic_write(out / f"{path.stem}.json", "w") as file:
        json.dump(record, file, indent=2)
        file.write("\n")
    return record


def command(page: str, values: Mapping[str, Any]) -> str:
    """The shell command that runs a page with these values."""
    settings = "".join(f" -p {name}={json.dumps(value)}" for name, value in values.items())
    return f"s2f pages run {page}{settings}"


def kept_numbers(executed: Path) -> dict[str, float]:
    """The plain numbers that an executed page stored with `plotting.keep`."""
    numbers = {}
    for cell in json.loads(executed.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            name = output.get("metadata", {}).get("scrapbook", {}).get("name")
            text = "".join(output.get("data", {}).get(f"{RECORD}text/plain", ""))
            if name:
                try:
                    numbers[name] = float(text)
                except ValueError:
                    continue  # a kept text or figure, not a number
    return numbers


def sweep(
    page: str, out: str | Path, grid: Mapping[str, Sequence[Any]], fixed: Mapping[str, Any], jobs: int = 1
) -> list:
    """Run a page once per point of a grid, in several processes; returns the records in grid order.

    All points are checked before the first one starts. Each run gets a folder of its own, named by its values; a run
    whose record says "done" with the same parameters is not repeated.
    """
    points = [dict(zip(grid, combination)) for combination in itertools.product(*grid.values())]
    checked = [check(page, {**fixed, **point}) for point in points]
    folders = [Path(out) / "-".join(f"{k}={v}" for k, v in point.items()).replace("/", "_") for point in points]
    records: list[dict | None] = [_done(page, folder, values) for folder, values in zip(folders, checked)]
    waiting = [i for i, record in enumerate(records) if record is None]
    with ProcessPoolExecutor(max_workers=max(1, jobs)) as pool:
        futures = {pool.submit(run, page, folders[i], checked[i], progress=False): i for i in waiting}
        for future in as_completed(futures):
            i = futures[future]
            records[i] = future.result()
            print(f"{folders[i].name}: {records[i]['status']} in {records[i]['seconds']:.0f} s", flush=True)
    return records


def _done(page: str, folder: Path, values: Mapping[str, Any]) -> dict | None:
    """The record of an earlier finished run with the same parameters, if there is one."""
    path = folder / f"{find(page).stem}.json"
    if not path.exists():
        return None
    record = json.loads(path.read_text(encoding="utf-8"))
    wanted = {p.name: values.get(p.name, p.default) for p in parameters(page)}
    return record if record["status"] == "done" and record["parameters"] == json.loads(json.dumps(wanted)) else None


def table(folder: str | Path):
    """One row per run found below a folder: the parameters that differ, status, seconds and the kept numbers.

    Returns
    -------
    pandas.DataFrame
    """
    import pandas as pd

    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(Path(folder).rglob("[0-9][0-9]_*.json"))]
    if not records:
        raise PageError(f"no run of a page is recorded below {folder}")
    rows = []
    for record in records:
        varied = {k: v for k, v in record["parameters"].items() if any(r["parameters"].get(k) != v for r in records)}
        rows.append(
            {"page": record["page"], **varied, **{k: record[k] for k in ("status", "seconds")}, **record["numbers"]}
        )
    return pd.DataFrame(rows)


def fingerprint(root: Path = ROOT) -> str:
    """A checksum of all that a page calls: library, data scripts, weights, recorded results."""
    digest = hashlib.sha256()
    for folder in ("s2f_lib", "data_scripts", "results"):
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def refresh_cache(build: Path = ROOT / "_build") -> bool:
    """Forget the executed pages when what they call has changed; returns whether it did.

    The cache of the book knows the text of the cells only.
    """
    stamp, now = build / ".library", fingerprint()
    if stamp.exists() and stamp.read_text() == now:
        return False
    for folder in (".jupyter_cache", ".doctrees", "jupyter_execute"):
        shutil.rmtree(build / folder, ignore_errors=True)
    build.mkdir(exist_ok=True)
    stamp.write_text(now)
    return True


def _settings(pairs: Sequence[str], option: str) -> dict[str, str]:
    """Split name=value arguments."""
    for pair in pairs:
        if "=" not in pair:
            raise PageError(f"{option} wants name=value, got {pair!r}")
    return dict(pair.split("=", 1) for pair in pairs)


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
    import yaml

    parser = argparse.ArgumentParser(prog="s2f pages run", description="Execute a page with other parameters.")
    parser.add_argument("page", help="name, number or path of a notebook")
    parser.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--grid", action="append", default=[], metavar="NAME=[A,B]", help="one run per combination")
    parser.add_argument("--jobs", type=int, default=1, help="processes for a grid")
    parser.add_argument("-o", "--out", help="folder for the executed page and its record (default runs/PAGE)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(arguments)
    values, grid = _settings(options.parameter, "-p"), _settings(options.grid, "--grid")
    out = Path(options.out or f"runs/{find(options.page).stem}")
    if grid:
        lists = {name: yaml.safe_load(text) for name, text in grid.items()}
        for name, items in lists.items():
            if not isinstance(items, list) or not items:
                raise PageError(f"--grid {name} wants a list of values, such as {name}=[1,2], got {grid[name]!r}")
        records = sweep(options.page, out, lists, values, options.jobs)
    else:
        records = [run(options.page, out, values, progress=not options.quiet)]
    for record in records:
        print(
            f"{record['page']}: {record['status']} in {record['seconds']:.0f} s"
            + f"; {record['error']}" * bool(record["error"])
        )
    print(f"executed pages and records are in {out}")
    return int(any(record["status"] != "done" for record in records))


def table_main(arguments: Sequence[str] | None = None) -> int:
    """``s2f pages table``: one row per recorded run below a folder."""
    parser = argparse.ArgumentParser(prog="s2f pages table", description="One row per recorded run below a folder.")
    parser.add_argument("folder")
    print(table(parser.parse_args(arguments).folder).to_string(index=False, float_format="{:.4g}".format))
    return 0


def cache_main(arguments: Sequence[str] | None = None) -> int:
    """``s2f pages cache``: forget the executed pages when what they call has changed; `make book` does it first."""
    argparse.ArgumentParser(prog="s2f pages cache", description=refresh_cache.__doc__).parse_args(arguments)
    if refresh_cache():
        print("the library or its records changed: all pages will be executed again")
    return 0
