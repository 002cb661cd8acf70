"""The runs of an ablation: each is trained, scored and left as one small JSON file; what is there is not run again.

The files of finished runs are the study's data: they are small enough to be committed, so that a study may take days
on several machines. A run that was broken off goes on from its checkpoint, which lies in the run folder and goes away
when the run is over.
"""

import copy
import json
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import nn

from s2f_lib import hub, io
from s2f_lib.faces import decode, to_pictures, to_tensor
from s2f_lib.metrics import retrieval
from s2f_lib.metrics.similarity import angle_deg
from s2f_lib.people.parallel import processes
from s2f_lib.studies.ablation.design import ATTRIBUTES, DECODER, RECOGNISER, Choice, Design, Job, Variant
from s2f_lib.training import ArraySource, TrainConfig, TrainingError, frozen_layers, people_set, validate
from s2f_lib.training.loop import OutOfMemory
from s2f_lib.training.voice import VoiceTrainer

TEST_SECONDS = (3.0, 6.0)
ROWS = 1000  # of the random projection, as f_dec has
WHITENED = 200  # principal components


class AblationTrainer(VoiceTrainer):
    """A voice encoder that may aim at the feature before its ReLU; it is always judged by the feature itself."""

    rectified = False

    def evaluate(self) -> dict[str, float]:
        """Angle and retrieval on the validation clips, as long as those of the training."""
        v_s = self.predict(self.validation, self.config.seconds)
        return validate.quick_scores(v_s, validate.targets(self.validation))

    def predict(self, source: ArraySource, seconds: float | None = None) -> np.ndarray:
        """v_s of every clip, (N, D); behind a ReLU where the encoder aims at the feature before one."""
        v_s = validate.predict(self.encoder, source, seconds=seconds)
        return np.maximum(v_s, 0) if self.rectified else v_s


def run(job: Job, design: Design, rows: Path, work: Path) -> dict:
    """Train and score one run, or read the row it left; a run that diverges is a result too.

    ``rows`` is the folder of the rows, one file for each finished run, ``work`` that of checkpoints. If memory runs
    out, the machine failed and not the variant: OutOfMemory, and nothing is recorded.
    """
    path = rows / f"{job.name}.json"
    if found := finished(path, design):
        return found
    torch.set_num_threads(1)
    variant = design.variants[job.variant]
    settings = design.settings(job)
    made_from = design.made_from(variant, settings)
    trainer = make_trainer(variant, settings, design, work / job.name)
    failed = ""
    try:
        trainer.fit(True, False)
    except OutOfMemory:
        raise
    except TrainingError as error:
        failed = str(error)
    row = {"job": job.name, **asdict(job), "failed": failed, **summary(trainer.log.lines)}
    if not failed and job.stage == "search":
        row["angle"] = row["curve"][-1][1]
    elif not failed:
        row["scores"] = score(trainer, design.test)
        row["angle"] = next(s["value"] for s in row["scores"] if s["measure"] == "angle" and s["seconds"] == 6.0)
    with io.atomic_write(path, "w") as file:
        json.dump(row | {"made_from": made_from}, file, indent=1)
        file.write("\n")
    shutil.rmtree(work / job.name, ignore_errors=True)
    return row


def make_trainer(
    variant: Variant, settings: TrainConfig, design: Design, folder: Path | None = None
) -> AblationTrainer:
    """What trains a variant on the people of a design; its ``fit`` does it."""
    train = clips(design.train, variant.target, settings.network().input)
    validation, frozen = clips(design.validation, input=settings.network().input), layers(variant.behind, design.train)
    trainer = AblationTrainer(settings, train, validation=validation, folder=folder, **frozen)
    trainer.rectified = variant.target == "before_relu"
    return trainer


def finished(path: Path, design: Design) -> dict | None:
    """The row of a run that is over, or None; ValueError if it was made from something else than is asked for now."""
    if not path.exists():
        return None
    row = io.read_json(path)
    if row["variant"] not in design.variants:
        raise ValueError(f"{path} is of a variant that the design {design.name} lacks; delete it")
    job = Job(row["variant"], row["stage"], Choice(**row["choice"]), row["seed"])
    now = json.loads(json.dumps(design.made_from(design.variants[job.variant], design.settings(job))))
    if differing := [key for key in now if row["made_from"].get(key) != now[key]]:
        raise ValueError(f"{path} was made from other {', '.join(differing)}; delete it to run it again")
    return row


def run_all(jobs: Sequence[Job], design: Design, rows: Path, work: Path, workers: int = 1) -> Iterator[dict]:
    """Run jobs, several at a time; rows come as they are finished."""
    if workers <= 1:
        yield from (run(job, design, rows, work) for job in jobs)
        return
    with processes(workers) as pool:
        try:
            for done in as_completed([pool.submit(run, job, design, rows, work) for job in jobs]):
                yield done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)  # or every job that waits would still be run
            raise


def summary(lines: list[dict]) -> dict:
    """Numbers of one run from its log: steps, seconds, curve, and how steady it was.

    ``spikes`` are jumps of the loss to half again above its best so far; the gradient's length counts after the first
    tenth of the logged steps.
    """
    steps = [line for line in lines if line["kind"] == "train"]
    loss = np.array([line["loss"] for line in steps])
    norms = np.array([line["gradient_norm"] for line in steps[len(steps) // 10 :]])
    out = {
        "steps": steps[-1]["step"] if steps else 0,
        "duration": lines[-1].get("seconds", 0.0) if lines else 0.0,
        "curve": [[line["step"], round(line["angle_deg"], 4)] for line in lines if line["kind"] == "validation"],
        "spikes": int((loss[1:] > 1.5 * np.minimum.accumulate(loss)[:-1]).sum()) if len(loss) > 1 else 0,
    }
    return out | ({"gradient_norm_cv": float(norms.std() / norms.mean())} if len(norms) else {})


@torch.no_grad()
def score(trainer: AblationTrainer, people: people_set.PeopleSet) -> list[dict]:
    """Angle and retrieval for each test length, and sex and age as read off the decoded face, as rows of a record."""
    source, table = clips(people, input=trainer.encoder.config.input), people.population().table()
    v_f, out = validate.targets(source).astype(np.float32), []
    for seconds in TEST_SECONDS:
        v_s = trainer.predict(source, seconds)
        said = validate.with_direction(v_s, v_f)
        out.append({"measure": "angle", "value": float(angle_deg(said, v_f).mean()), "seconds": seconds})
        ranks = retrieval.rank(said, v_f)
        for k in (1, 5, 10):
            out.append({"measure": "top_percent", "k": k, "value": ranks.top_percent(k), "seconds": seconds})
    labels = hub.load(ATTRIBUTES).label(to_tensor(to_pictures(decode(hub.load(DECODER), v_s).image)))
    age = np.clip(labels.age, 18, 85).astype(float)
    r = float(np.corrcoef(age, table["age"])[0, 1]) if age.std() > 0 else 0.0
    right = float((labels.sex == table["sex"].to_numpy()).mean())
    return [*out, {"measure": "sex_right", "value": right}, {"measure": "age_r", "value": r}]


@cache
def clips(people: people_set.PeopleSet, target: str = "v_f", input: str = "magnitude") -> ArraySource:
    """Sound (or its magnitudes) and face features of a set of people, once per process."""
    recogniser = hub.load(RECOGNISER)
    if target == "before_relu":
        recogniser = copy.copy(recogniser)
        recogniser.after_relu, recogniser.checksum = False, f"{recogniser.checksum}-{target}"
    return people_set.source(people, recogniser, as_magnitudes=input == "magnitude")


@cache
def layers(behind: str, people: people_set.PeopleSet) -> dict[str, nn.Module]:
    """The frozen layers of the loss, the first of them as the variant wants it; once per process.

    ValueError for a layer of another name.
    """
    found = frozen_layers(RECOGNISER)
    if behind == "f_dec":
        return found
    if behind == "picture":
        return found | {"f_dec": Picture(hub.load(DECODER))}
    v_f = clips(people).v_f[:4096].astype(np.float32)
    if behind == "random":  # rows of the length that f_dec's have on average, whatever their direction
        rows = np.random.default_rng(0).standard_normal((ROWS, v_f.shape[1])).astype(np.float32)
        matrix, shift = rows / np.sqrt(v_f.shape[1]), np.zeros(ROWS, np.float32)
    elif behind == "whitened":
        _, size, components = np.linalg.svd(v_f - v_f.mean(axis=0), full_matrices=False)
        kept = min(WHITENED, len(size) - 1)
        matrix = components[:kept] / (size[:kept, None] / np.sqrt(len(v_f) - 1))
        shift = -matrix @ v_f.mean(axis=0)
    else:
        raise ValueError(f"a loss may compare behind f_dec, random, whitened or picture, got {behind!r}")
    layer = nn.Linear(v_f.shape[1], len(matrix))
    layer.load_state_dict({"weight": torch.from_numpy(matrix), "bias": torch.from_numpy(shift)})
    return found | {"f_dec": layer}


class Picture(nn.Module):
    """The whole decoder as a map: feature (B, D) to the picture's numbers (B, 3 * S * S)."""

    def __init__(self, decoder: nn.Module):
        super().__init__()
        self.decoder = decoder

    def forward(self, v: torch.Tensor) -> torch.Tensor:
        """Decode."""
        return self.decoder(v).image.flatten(1)
