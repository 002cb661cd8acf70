"""The command `s2f`: a voice to a face, made-up people, training, evaluation, pages.

    s2f people 8 -o people.png
    s2f face recording.wav -o face.png
    s2f train --help
    s2f evaluate --help
    s2f pages list

What a user can put right (a missing file, an unknown name, a clip that is no sound) ends with one line and status 2;
a traceback means a bug.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from s2f_lib import __version__

DELEGATED = {
    "train": ("s2f_lib.training.command", "train a voice encoder"),
    "evaluate": ("s2f_lib.evaluate.__main__", "everything the paper measured, as one record"),
    "pages": ("s2f_lib.book.pages", "run the pages of the book with other parameters"),
}
USER_ERRORS = (ValueError, FileNotFoundError, IsADirectoryError, PermissionError, KeyError, ImportError)


def face(options: argparse.Namespace) -> int:
    """Draw the face that goes with a voice, in the shipped networks' world."""
    import torch

    from s2f_lib import audio, hub
    from s2f_lib.book import plotting

    waveform = torch.as_tensor(audio.fit_to_clip(audio.load(options.voice)), dtype=torch.float32)
    encoder = hub.load(options.encoder).eval()
    decoder = hub.load(options.decoder)
    with torch.no_grad():
        picture = decoder(encoder(waveform[None])).image[0]
    path = plotting.save_face(options.out, picture, comment=f"Made by {options.encoder} and {options.decoder}.")
    print(f"{path}: a face that goes with voices like this one in the training data (synthetic people).")
    print("It is a statistical average, not the speaker; it identifies nobody and says nothing about anyone.")
    return 0


def people(options: argparse.Namespace) -> int:
    """Draw made-up people on one sheet, or print their table."""
    from s2f_lib import people as room

    population = room.sample(options.number, options.world, seed=options.seed)
    table = population.table()
    columns = [c for c in ("id", "sex", "age", "group", "language", "height_cm") if c in table]
    print(table[columns].to_string(index=False, float_format="%.0f"))
    if options.out:
        Path(options.out).parent.mkdir(parents=True, exist_ok=True)
        _sheet(room, population, options).savefig(options.out)
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


def build_parser() -> argparse.ArgumentParser:
    """The command line of `s2f`."""
    parser = argparse.ArgumentParser(
        prog="s2f",
        description="Speech2Face, reproduced on synthetic people. Faces it draws are averages and identify nobody.",
    )
    parser.add_argument("--version", action="version", version=f"s2f-lib {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    facing = commands.add_parser("face", help="draw the face that goes with a voice")
    facing.add_argument("voice", help="sound file (wav, flac, ogg, mp3); its first six seconds are used")
    facing.add_argument("-o", "--out", default="face.png", help="picture to write (default face.png)")
    facing.add_argument("--encoder", default="voice-encoder-synthetic", help="name of the hub (default %(default)s)")
    facing.add_argument("--decoder", default="decoder-synthetic-vgg", help="name of the hub (default %(default)s)")
    making = commands.add_parser("people", help="make up people: a table, and a sheet of their faces")
    making.add_argument("number", type=int, nargs="?", default=8)
    making.add_argument("--world", default="physiology", help="which causes reach the voice (default %(default)s)")
    making.add_argument("--seed", type=int, default=0)
    making.add_argument("--size", type=int, default=128, help="pixels per face")
    making.add_argument("-o", "--out", help="picture to write; without it only the table is printed")
    for name, (_, helping) in DELEGATED.items():
        commands.add_parser(name, help=f"{helping}; see s2f {name} --help", add_help=False)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status (0 done, 1 the work failed, 2 wrong use)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if arguments and arguments[0] in DELEGATED:
            return importlib.import_module(DELEGATED[arguments[0]][0]).main(arguments[1:]) or 0
        options = build_parser().parse_args(arguments)
        if options.command == "face" and not Path(options.voice).is_file():
            raise FileNotFoundError(f"there is no sound file {options.voice}")
        if options.command == "face" and Path(options.out).suffix.lower() != ".png":
            raise ValueError(
                f"the picture is a PNG, because the mark is also in its text; name it {Path(options.out).stem}.png"
            )
        return {"face": face, "people": people}[options.command](options)
    except USER_ERRORS as error:
        message = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f"s2f: {message}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
