"""A study: many small runs that differ in one line each, with a fair learning rate for each, and resumable."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from s2f_lib import config as settings
from s2f_lib import hub, io
from s2f_lib.studies.ablation import runs
from s2f_lib.studies.ablation.runs import RECOGNISER
from s2f_lib.training.settings import TrainConfig

RESULT = "result.json"  # in the folder of a run
MAIN = ("full", "l1")  # the two variants the paper talks about: five seeds, the others three
SEARCH_SEED = 100  # the learning rate is chosen with a seed that no result uses


@dataclass(frozen=True)
class Study:
    """What a sweep runs on; the same for every variant, so that only the variant's file differs."""

    name: str = "loss_ablation"
    people: int = 2000  # training speakers, one clip each
    validation: int = 400  # other speakers, who say sentences that training never has
    seeds: tuple[int, ...] = (0, 1, 2)
    main_seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    rates: tuple[float, ...] = (1.25e-4, 5e-4, 2e-3, 8e-3)  # learning rates tried for every variant
    search_share: float = 0.25  # length of a run of the search, beside a full one

    def seeds_of(self, variant: str) -> tuple[int, ...]:
        """Seeds of a variant's runs."""
        return self.main_seeds if variant in MAIN else self.seeds


def variants(name: str = "loss_ablation") -> dict[str, TrainConfig]:
    """Every variant of a study: ``full.json``, and the others' lines put over it.

    Raises
    ------
    ValueError
        If there is no such study; the message lists those there are.
    """
    folder = settings.PRESETS / name
    if not (folder / "full.json").exists():
        known = sorted(p.parent.name for p in settings.PRESETS.glob("*/full.json"))
        raise ValueError(f"no study named {name!r}; there is {', '.join(known)}")
    base = json.loads((folder / "full.json").read_text())
    found = {}
    for path in sorted(folder.glob("*.json")):
        changes = json.loads(path.read_text())
        merged = base | changes | {"loss": base.get("loss", {}) | changes.get("loss", {})}
        found[path.stem] = settings.from_dict(TrainConfig, merged)
    return {"full": found.pop("full")} | found


@dataclass(frozen=True)
class Job:
    """One run of a study."""

    variant: str
    seed: int
    rate: float
    folder: str
    config: TrainConfig


def run_job(job: Job, study: Study) -> dict:
    """Train one variant with one seed, or read what it gave before; a run that fails is a result too.

    Raises
    ------
    ValueError
        If the folder holds the result of other settings, people or features.
    OutOfMemory
        If memory runs out: the machine failed, not the variant, and nothing is recorded.
    """
    if found := known_result(job, study):
        return found
    import torch

    from s2f_lib import training
    from s2f_lib.training.loop import OutOfMemory

    torch.set_num_threads(1)
    source, validation, layers = material(study)
    try:
        run = training.run(job.config, source, validation=validation, out_dir=job.folder, **layers)
        lines, failed = run.lines, ""
    except OutOfMemory:
        raise
    except training.TrainingError as error:
        from s2f_lib.training import log

        lines, failed = log.read(job.folder), str(error)
    else:
        from s2f_lib import voice_encoder

        voice_encoder.save(run.encoder, Path(job.folder) / "voice_encoder.safetensors")
    told = {"variant": job.variant, "seed": job.seed, "rate": job.rate, "failed": failed}
    numbers = summarise(lines) | told | _made_from(job, study)
    with io.atomic_write(Path(job.folder) / RESULT, "w") as file:
        json.dump(numbers, file)
    return numbers


def _made_from(job: Job, study: Study) -> dict:
    """What the numbers of a run depend on, for its result."""
    checksum = hub.describe(RECOGNISER)["sha256"]
    return {"settings": settings.to_dict(job.config), "study": settings.to_dict(study), "recogniser": checksum}


def known_result(job: Job, study: Study) -> dict | None:
    """The result of a run that was done before; None where there is none.

    Raises
    ------
    ValueError
        If it was made with other settings, people or features, or does not say with which.
    """
    path = Path(job.folder) / RESULT
    if not path.exists():
        return None
    found, again = json.loads(path.read_text()), f"delete {job.folder} to run it again"
    if "settings" not in found:
        raise ValueError(f"{path} is of an older version and does not say what it was made from; {again}")
    before, now = _decisive(found), _decisive(_made_from(job, study))
    for key, value in before.items():
        if now.get(key) != value:
            raise ValueError(f"{path} is of a run with {key} = {value!r}, not {now.get(key)!r}; {again}")
    return found


def _decisive(result: dict) -> dict:
    """What must be equal for a result to be taken; a study's seeds and rates only say which runs there are."""
    people = {key: result["study"][key] for key in ("people", "validation")}
    return result["settings"] | people | {"recogniser": result["recogniser"]}


def summarise(lines: list[dict]) -> dict:
    """Numbers of one run from its log: final scores, steadiness of the gradient, spikes of the loss, and the curve."""
    train_lines = [line for line in lines if line["kind"] == "train"]
    scores = [line for line in lines if line["kind"] == "validation"]
    out = {"curve": [[line["step"], line["angle_deg"], line["top10_percent"]] for line in scores]}
    out |= runs.steadiness(train_lines)
    if lines:
        out["seconds"] = lines[-1].get("seconds", 0.0)
    if scores:
        out |= {"final_angle_deg": scores[-1]["angle_deg"], "top10_percent": scores[-1]["top10_percent"]}
        out["clips"] = train_lines[-1]["step"] if train_lines else 0
    return out


def run_study(study: Study, folder: Path, only=None, workers: int = 2) -> tuple[list[dict], list[dict]]:
    """Choose each variant's learning rate, then run its seeds; what is there already is not run again.

    Returns
    -------
    list of dict
        The results of all full-length runs.
    list of dict
        Those of the shorter runs by which each variant's learning rate was chosen.

    Raises
    ------
    ValueError, OutOfMemory
        See `run_job`; ValueError also if no learning rate of a variant ends well.
    """
    chosen = {name: c for name, c in variants(study.name).items() if not only or name in only}
    material(study)  # made once here, before several processes want it
    search = [
        Job(name, SEARCH_SEED, rate, str(folder / name / f"rate-{rate:g}"), _shorter(c, rate, study.search_share))
        for name, c in chosen.items()
        for rate in study.rates
    ]
    found = _run_all(search, study, workers)
    rates = {name: best_rate([r for r in found if r["variant"] == name]) for name in chosen}
    jobs = [
        Job(name, seed, rates[name], str(folder / name / f"seed-{seed}"), _with(c, seed, rates[name]))
        for seed in study.main_seeds  # seed by seed, so that a study that is broken off has every variant once
        for name, c in chosen.items()
        if seed in study.seeds_of(name)
    ]
    return _run_all(jobs, study, workers), found


def best_rate(results: list[dict]) -> float:
    """Learning rate with the smallest final angle; runs that failed or never reached an evaluation are out."""
    usable = [r for r in results if not r["failed"] and "final_angle_deg" in r]
    if not usable:
        raise ValueError(f"every learning rate failed for {results[0]['variant']!r}: {results[0]['failed']}")
    return min(usable, key=lambda r: r["final_angle_deg"])["rate"]


def _with(config: TrainConfig, seed: int, rate: float) -> TrainConfig:
    return replace(config, seed=seed, learning_rate=rate)


def _shorter(config: TrainConfig, rate: float, share: float) -> TrainConfig:
    steps = max(1, round(share * config.max_steps))
    every = min(config.evaluate_every, steps)
    return replace(config, seed=SEARCH_SEED, learning_rate=rate, max_steps=steps, evaluate_every=every)


def _run_all(jobs: list[Job], study: Study, workers: int) -> list[dict]:
    for job in jobs:
        known_result(job, study)  # what would be refused is refused before hours of training
    results = {i: _said(result) for i, result in runs.in_processes(run_job, jobs, study, workers=workers)}
    return [results[i] for i in range(len(jobs))]


def _said(result: dict) -> dict:
    angle = result.get("final_angle_deg", float("nan"))
    print(f"{result['variant']:24s} seed {result['seed']:3d} rate {result['rate']:.0e} angle {angle:.2f}", flush=True)
    return result


_cache: dict = {}


def material(study: Study) -> tuple:
    """Training and validation clips and the frozen layers, once per process."""
    if study not in _cache:
        from s2f_lib import training
        from s2f_lib.training import synthetic

        recogniser = hub.load(RECOGNISER)
        seen = synthetic.PeopleSet(study.people, 1)
        unseen = synthetic.PeopleSet(study.validation, 1, seed=synthetic.VALIDATION_SEED, sentences="test")
        sources = [synthetic.source(which, recogniser) for which in (seen, unseen)]
        _cache[study] = (*sources, training.frozen_layers(recogniser))
    return _cache[study]
