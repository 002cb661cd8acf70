"""The shipped voice encoder on a synthesiser it never heard: espeak-ng speaks for the people of the test seed.

    python -m benchmarks.second_engine                  # about a minute; writes results/second_engine.json

Needs the program espeak-ng. The same people say the same sentences twice, once by our synthesiser and once by
espeak-ng, both through the same kind of room and microphone; both are heard by the encoder that learned from our
synthesiser alone. Sex and age are read by a frozen classifier on the face that is decoded from the answer; retrieval is
among the same people's own wild pictures. Chinese is left out where this espeak-ng cannot read its characters. The
sentences are those of the test set, of which the encoder heard none.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from benchmarks import espeak
from s2f_lib import config, hub, io, people
from s2f_lib.evaluate import appearance, dataset
from s2f_lib.io import row
from s2f_lib.metrics import inference, retrieval
from s2f_lib.people import speech

NAME = "voice-encoder-synthetic"
ENGINES = {"espeak-ng": espeak.speak, "our own": speech.speak}


def speakers(count: int):
    """The first people of the test seed whose language this espeak-ng speaks."""
    population = people.sample(2 * count, seed=config.SEEDS["test"])
    spoken = np.ones(len(population), bool)
    for language in np.unique(population.language):
        try:
            espeak.speak(population[0], language=str(language), seconds=1)
        except ValueError as error:
            print(error)
            spoken &= population.language != language
    return population[np.flatnonzero(spoken)[:count]]


def measure(population) -> list[dict]:
    """Sex, age and retrieval by engine, with intervals over people, as rows of the record."""
    encoder, decoder = hub.load(NAME), hub.load("decoder-synthetic-vgg")
    reader, recogniser = hub.load("attributes-synthetic"), hub.load("synthetic-vgg")
    v_f = dataset.face_features(recogniser, population)[:, 0]
    rows = []
    for engine, speak in ENGINES.items():
        clips = np.array([speak(person, sentences="test", channel=True) for person in population])
        v_s = dataset.encode(encoder, clips)
        labels = appearance.read(reader, dataset.decode(decoder, v_s)[0])
        right, age = labels["sex"].to_numpy() == population.sex, labels["age"].to_numpy()
        r = inference.bootstrap(lambda a, b: np.corrcoef(a, b)[0, 1], age, population.age)
        rows += [
            row("sex_right", inference.mean_interval(right.astype(float)), engine=engine),
            row("age_r", r, engine=engine),
            row("top_percent", inference.mean_interval(retrieval.rank(v_s, v_f).hit_percent(10)), engine=engine, k=10),
        ]
        print(*rows[-3:], sep="\n", flush=True)
    majority = max((population.sex == sex).mean() for sex in ("female", "male"))
    return [*rows, row("sex_right", majority, baseline="constant")]


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.second_engine",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("--people", type=int, default=448, help="how many people speak (default %(default)s)")
    p.add_argument("--dry-run", action="store_true", help="print the numbers, record nothing")
    return p


def main() -> None:
    """Measure and write the record."""
    options = parser().parse_args()
    if not espeak.available():
        print(f"espeak-ng is not on the PATH, so nothing is measured; {espeak.INSTALL}")
        return
    begun = time.perf_counter()
    population = speakers(options.people)
    rows = measure(population)
    left_out = sorted(set(people.sample(64).language) - set(population.language))
    if options.dry_run:
        return
    path = io.write_record(
        "second_engine", command=io.command_of(parser(), options), n=len(population), rows=rows,
        seeds=[config.SEEDS["test"]], seconds=time.perf_counter() - begun,
        notes=f"{espeak.version()}. The same people, sentences of the test set and kind of channel for both engines; "
        "sex and age as the frozen classifier reads them on the face decoded from the voice"
        + (f"; no speakers of {', '.join(left_out)}, whose script this espeak-ng cannot read." if left_out else "."),
    )  # fmt: skip
    print(f"→ {path}")


if __name__ == "__main__":
    main()
