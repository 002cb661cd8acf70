"""Fetch the real VGG-Face, or convert a copy you have, so that ``hub.load("vgg-face")`` finds it.

    s2f weights list
    s2f weights fetch                      # deepface's file, about 580 MB
    s2f weights fetch --from mcn           # another published file
    s2f weights fetch --file VGG_FACE.t7   # one you already have, in any layout

The weights are the University of Oxford's, for non-commercial research (Creative Commons); read the terms at
https://www.robots.ox.ac.uk/~vgg/software/vgg_face/ first. No checksum is published: the SHA-256 of the first download
is stored beside the file, and a later one that differs is refused.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from data_scripts import _common
from data_scripts._vgg_files import read_vgg_face
from s2f_lib import hub, io

__all__ = ["SOURCES", "convert", "main"]

SOURCES = {
    "deepface": "https://github.com/serengil/deepface_models/releases/download/v1.0/vgg_face_weights.pth",
    "deepface-mirror": "https://huggingface.co/serengil/deepface/resolve/main/vgg_face_weights.pth",
    "deepface-h5": "https://github.com/serengil/deepface_models/releases/download/v1.0/vgg_face_weights.h5",
    "mcn": "https://www.robots.ox.ac.uk/~albanie/models/pytorch-mcn/vgg_face_dag.pth",
    "keras-vggface": "https://github.com/rcmalli/keras-vggface/releases/download/v2.0/rcmalli_vggface_tf_vgg16.h5",
    "matconvnet": "http://www.vlfeat.org/matconvnet/models/vgg-face.mat",
}


def convert(source: Path, target: Path) -> str:
    """Read a published file, check its layers, write it as safetensors; gives the layout that was found."""
    state, layout = read_vgg_face(source)
    about = {"layout": layout, "input": "RGB, 0-255, minus the mean colour"}
    io.write_tensors(target, state, about, half=False)
    return layout


def fetch(name: str, target: Path) -> tuple[Path, str]:
    """Download one of `SOURCES` into the cache and convert it; gives the file and its layout.

    The first copy *that holds a VGG-Face* is trusted, a later one that differs from it refused. What arrives under the
    name and holds something else, an error message for instance, is deleted, so that the next call asks again.

    Raises
    ------
    io.DownloadError, io.ChecksumError, io.WeightFileError
    """
    url = SOURCES[name]
    path = io.cache_dir() / "weights" / "published" / Path(url).name
    note = path.with_name(path.name + ".sha256")
    known = note.read_text(encoding="utf-8").strip() if note.exists() else None
    if not path.exists():
        io.download(url, path, known)
    found = io.sha256(path)
    if known not in (None, found):
        raise io.ChecksumError(f"{path} has SHA-256 {found}, but the first copy had {known}; delete one of them")
    try:
        layout = convert(path, target)
    except io.WeightFileError:
        if known is None:
            path.unlink()
        raise
    if known is None:
        with io.atomic_write(note, "w") as file:
            file.write(found + "\n")
    return path, layout


def main(arguments: list[str] | None = None) -> int:
    """Run the command; gives the exit status."""
    parser = argparse.ArgumentParser(
        prog="s2f weights fetch", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--from", dest="source", choices=SOURCES, default="deepface", help="which published file")
    parser.add_argument("--file", type=Path, help="a published file that is already on this machine")
    options = parser.parse_args(arguments)
    try:
        target = io.cache_dir() / "weights" / hub.describe("vgg-face")["file"]
        if options.file:
            source, layout = options.file, convert(options.file, target)
        else:
            source, layout = fetch(options.source, target)
    except (OSError, ValueError, ImportError) as error:
        print(f"nothing was fetched: {error}", file=sys.stderr)
        return 1
    print(f"{source.name} ({layout}) -> {target}, SHA-256 {io.sha256(target)}")
    return 0


if __name__ == "__main__":
    sys.exit(_common.guarded(main, "s2f weights fetch"))
