"""The command `s2f`: everything a reader of the book does at a shell.

    s2f people 8 -o people.png
    s2f face recording.wav -o face.png
    s2f pages run 04_loss_ablation -p variant=l2
    s2f train --preset quick
    s2f --help

Each command is a function ``main(arguments) -> exit status`` somewhere in the library; `TASKS` says where. What a
user can mend (a missing file, an unknown name, a full disk) ends with one line and status 2, ctrl-C with one line and
status 130; a traceback means a bug. See `guarded`.
"""

import argparse
import importlib
import io
import json
import os
import sys
import traceback
import zipfile
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path

from s2f_lib import __version__

# What one wants to do -> command -> (help, where its main is). Two words make a command of a group.
TASKS: dict[str, dict[str, tuple[str, str]]] = {
    "Try it": {
        "face": ("draw the face that goes with a voice", "s2f_lib.cli:face"),
        "people": ("make up people: a table, and a sheet of their faces", "s2f_lib.cli:people"),
    },
    "Run the pages of the book": {
        "pages list": ("the pages, or what can be set on one", "s2f_lib.book.pages:list_main"),
        "pages run": ("execute a page with other parameters, or a grid of them", "s2f_lib.book.pages:run_main"),
        "pages table": ("one row per recorded run below a folder", "s2f_lib.book.pages:table_main"),
    },
    "Train and measure": {
        "train": ("train a voice encoder", "s2f_lib.training.train:main"),
        "evaluate": ("everything the paper measured, as one record", "s2f_lib.evaluate.command:main"),
        "study ablation": (
            "losses against each other by a committed design: a search for each, then test people",
            "s2f_lib.studies.ablation.sweep:main",
        ),
        "study ethics": ("the audit: what the model takes from where", "s2f_lib.studies.ethics.audit:main"),
    },
    "Enter the benchmark": {
        "benchmark make": ("test clips, faces and trials from a seed", "s2f_lib.neighbours.benchmark:make_main"),
        "benchmark score": (
            "the table of your scores, beside the baselines",
            "s2f_lib.neighbours.benchmark:score_main",
        ),
    },
    "The paper's published examples": {
        "published fetch": ("fetch them (network)", "data_scripts.fetch_published_examples:main"),
        "published measure": ("measure them and write the records", "s2f_lib.published.measure:main"),
        "published train": ("fit the voice head that `s2f face` then uses", "s2f_lib.published.portrait:train_main"),
    },
    "Make a corpus of real data, step by step": {
        "corpus download_avspeech": ("fetch the clips that still exist", "data_scripts.download_avspeech:main"),
        "corpus prepare_voxceleb": ("list your copy of VoxCeleb", "data_scripts.prepare_voxceleb:main"),
        "corpus make_synthetic": ("the same files from made-up people", "data_scripts.make_synthetic:main"),
        "corpus crop_faces": ("clips to pairs of sound and face", "data_scripts.crop_faces:main"),
        "corpus extract_features": ("face features of all pairs", "data_scripts.extract_features:main"),
        "corpus make_splits": ("training, validation and test, apart by speaker", "data_scripts.make_splits:main"),
        "corpus build_shards": ("pack what training reads", "data_scripts.build_shards:main"),
        "corpus corpus_report": ("what became of the clips", "data_scripts.corpus_report:main"),
    },
    "Weights": {
        "weights list": ("what the library can load by name", "s2f_lib.cli:list_weights"),
        "weights fetch": ("fetch the real VGG-Face, or convert your copy", "data_scripts.fetch_vgg_face:main"),
        "weights export-web": ("write the networks as one script for a page", "s2f_lib.book.web:main"),
    },
}
COMMANDS = {name: entry for commands in TASKS.values() for name, entry in commands.items()}
MENDABLE = (OSError, ImportError, MemoryError, EOFError, UnicodeError, json.JSONDecodeError, zipfile.BadZipFile)
OURS = ("s2f_lib", "data_scripts", "tools", "benchmarks", "concurrent", "joblib", "distributed")  # and what they relay
MAX_PEOPLE = 10_000  # of one table
KEPT = "what is complete is kept; the same command goes on from there"


def guarded(run: Callable[[], int | None], program: str = "s2f") -> int:
    """Run a command; the one place where errors become a line on stderr and an exit status.

    Gives the status of the command (None counts as 0); 2 for what the user can mend: files, memory, packages,
    undecodable content, and errors that this project raises on purpose; 130 after ctrl-C. Any other exception is a bug
    and passes through. ``program`` begins the line.
    """
    try:
        status = run() or 0
        sys.stdout.flush()  # or what is still to be written would fail where nobody looks
        return status
    except KeyboardInterrupt:
        print(f"{program}: stopped; {KEPT}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read our output has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except SystemExit as stop:
        if not isinstance(stop.code, str):  # argparse has said what it had to say
            return stop.code or 0
        print(f"{program}: {one_line(stop)}", file=sys.stderr)
        return 2
    except Exception as error:
        if not (isinstance(error, MENDABLE) or _raised_on_purpose(error)):
            raise
        print(f"{program}: {one_line(error)}", file=sys.stderr)
        return 2


def _raised_on_purpose(error: Exception) -> bool:
    """Whether a line ``raise ...`` of this project made the error, and not an operation that went wrong."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    package = frame.f_globals.get("__package__") or frame.f_globals.get("__name__") or ""
    (last,) = traceback.extract_tb(error.__traceback__, limit=-1)
    memory = type(error).__name__ == "OutOfMemoryError"  # torch's
    return memory or (package.split(".")[0] in OURS and last.line.startswith("raise"))


def one_line(error: BaseException) -> str:
    """What an error says, on one line.

    Examples
    --------
    >>> one_line(KeyError("there is no network 'moon'")), one_line(MemoryError())
    ("there is no network 'moon'", 'MemoryError')
    """
    text = error.args[0] if isinstance(error, KeyError) and error.args else str(error)
    if isinstance(error, OSError) and error.strerror and error.filename:
        text = f"{error.filename}: {error.strerror}"
    return " ".join(str(text).split()) or type(error).__name__


def overview(group: str = "") -> str:
    """The commands by what one wants to do; those of one group only if it is named."""
    lines = [f"usage: s2f {group or 'COMMAND'} ...", ""]
    for task, commands in TASKS.items():
        shown = {name: text for name, (text, _) in commands.items() if not group or name.split()[0] == group}
        lines += [task, *(f"  s2f {name:26} {text}" for name, text in shown.items()), ""] if shown else []
    lines += [
        f"Options of a command: s2f {group or 'COMMAND'} --help" if not group else f"Options: s2f {group} ... --help"
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status (0 done, 1 the work failed, 2 wrong use, 130 stopped)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal cannot show ends no command
            stream.reconfigure(errors="backslashreplace")
    words = list(sys.argv[1:] if arguments is None else arguments)
    name = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in COMMANDS), None)
    if name:
        module, _, function = COMMANDS[name][1].partition(":")
        rest = words[len(name.split()) :]
        return guarded(lambda: getattr(importlib.import_module(module), function)(rest), f"s2f {name}")
    groups = {command.split()[0] for command in COMMANDS}
    group = words[0] if words and words[0] in groups else ""
    asked = [word for word in words[bool(group) :] if word not in ("-h", "--help")]
    if asked == ["--version"] and not group:
        print(f"s2f-lib {__version__}")
        return 0
    if not asked:
        return guarded(lambda: print(overview(group))) or (0 if words[bool(group) :] else 2)
    near = get_close_matches(" ".join(words[: 1 + bool(group)]), COMMANDS, 1)
    hint = f"; did you mean s2f {near[0]}?" if near else f"; see s2f {group} --help".replace("  ", " ")
    print(f"s2f: there is no command {' '.join(words[: 1 + bool(group)])!r}{hint}", file=sys.stderr)
    return 2


def face(arguments: Sequence[str]) -> int:
    """``s2f face``: draw the face that goes with a voice, by networks that know synthetic people only."""
    parser = argparse.ArgumentParser(
        prog="s2f face",
        description="Draw the average face of those in the training data (synthetic people) who sound like a voice.",
        epilog="It is a statistical average, not the speaker; it identifies nobody and says nothing about anyone.",
    )
    parser.add_argument("voice", type=Path, help="sound file; the loudest six seconds of its speech are used")
    parser.add_argument("--start", type=float, help="second at which the six seconds begin")
    parser.add_argument("-o", "--out", type=Path, default=Path("face.png"), help="picture to write (%(default)s)")
    by = parser.add_mutually_exclusive_group()
    by.add_argument(
        "--encoder", help="name of the hub (default: the one here that hears real voices best, see results/voices.json)"
    )
    by.add_argument("--head", type=Path, help="made by `s2f published train` (default: the one in the cache, if any)")
    parser.add_argument("--decoder", default="decoder-synthetic-vgg", help="name of the hub (default %(default)s)")
    options = parser.parse_args(arguments)
    if not options.voice.is_file():
        raise FileNotFoundError(f"there is no sound file {options.voice}")
    if options.out.suffix.lower() != ".png":
        raise ValueError(f"the picture is a PNG, because the mark is also in its text; name it {options.out.stem}.png")
    import torch

    from s2f_lib import audio, hub
    from s2f_lib.book import plotting
    from s2f_lib.published import portrait, speaker_encoder

    for name, kind in ((options.encoder, "voice encoder"), (options.decoder, "face decoder")):
        if name is not None and hub.describe(name)["kind"] != kind:
            raise ValueError(f"{name} is a {hub.describe(name)['kind']}, wanted is a {kind}; see s2f weights list")
    speech = audio.load_speech(options.voice, options.start)
    if options.head or (options.encoder is None and not portrait.missing()):
        name, decoder = "the head trained here on real pairs", portrait.DECODER
        picture = portrait.average_face(speech.waveform, options.head, (portrait.EXAGGERATION,))[0]
        reliable = "How its faces compare with photographs, on speakers it was not fitted on, is told on page 6."
    else:
        name, decoder = options.encoder or speaker_encoder.best_for_strangers(), options.decoder
        with torch.no_grad():
            v_s = hub.load(name).eval()(torch.as_tensor(speech.waveform)[None])
            picture = hub.load(decoder)(v_s).image[0]
        reliable = speaker_encoder.reliability(name)
    path = plotting.save_face(options.out, picture, comment=f"Made by {name} and {decoder}.")
    for note in speech.notes:
        print(f"{options.voice}: {note}.")
    print(f"{path}: a face that goes with voices like this one in the training data, by {name}.")
    print(reliable)
    print(parser.epilog)
    return 0


def people(arguments: Sequence[str]) -> int:
    """``s2f people``: a table of made-up people, and a sheet of their faces."""
    parser = argparse.ArgumentParser(prog="s2f people", description="Make up people: computer-made, nobody's faces.")
    parser.add_argument("number", type=int, nargs="?", default=8)
    parser.add_argument("--world", default="physiology", help="which causes reach the voice (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=128, help="pixels per face")
    parser.add_argument("-o", "--out", type=Path, help="picture to write; without it only the table is printed")
    options = parser.parse_args(arguments)
    from matplotlib.backend_bases import FigureCanvasBase

    from s2f_lib import people as room
    from s2f_lib.io import atomic_path

    kinds = FigureCanvasBase.get_supported_filetypes()
    if options.out and options.out.suffix.lower()[1:] not in kinds:
        raise ValueError(f"{options.out} is no picture that can be written; its ending is one of {', '.join(kinds)}")
    if options.number > MAX_PEOPLE:
        raise ValueError(f"{options.number} people are too many for one table, which holds at most {MAX_PEOPLE}")
    population = room.sample(options.number, options.world, seed=options.seed)
    table = population.table()
    columns = [c for c in ("id", "sex", "age", "group", "language", "height_cm") if c in table]
    print(table[columns].to_string(index=False, float_format="%.0f"))
    if options.out:
        with atomic_path(options.out) as partial:
            _sheet(room, population, options).savefig(partial)
        print(f"{options.out}: computer-made faces; they identify nobody")
    return 0


def _sheet(room, population, options: argparse.Namespace):
    """A contact sheet of canonical pictures, eight in a row."""
    from matplotlib import pyplot as plt

    from s2f_lib.book import plotting

    plotting.use_book_style()
    n, width = len(population), min(8, len(population))
    figure, axes = plt.subplots(-(-n // width), width, figsize=(1.3 * width, 1.3 * -(-n // width) + 0.3), squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, person in zip(axes.flat, population):
        axis.imshow(room.render_canonical(person, size=options.size))
    figure.supxlabel(f"First {n} people of seed {options.seed}. {plotting.FACE_NOTE}", fontsize=8)
    return figure


def list_weights(arguments: Sequence[str]) -> int:
    """``s2f weights list``: every network that `s2f_lib.hub` knows by name."""
    argparse.ArgumentParser(prog="s2f weights list", description=list_weights.__doc__).parse_args(arguments)
    from s2f_lib import hub

    for row in hub.available():
        size = f"{row['size_mb']:7.1f} MB" if row["size_mb"] else "      -   "
        print(f"{row['name']:24}{size}  {'here' if row['present'] else 'not here':9} {row['licence']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
