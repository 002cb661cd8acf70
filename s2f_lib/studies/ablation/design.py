"""The design of an ablation: what varies, how each variant gets a fair rate, and on whom it is decided.

A design is a JSON file in ``s2f_lib/presets/ablation``; it is committed before anything of it runs. It has two stages.
In the *search* every variant gets its learning rate, warm-up and start, with runs of full length on validation people.
In the *main* stage the chosen settings run with other seeds, and are scored on test people that nothing was chosen on.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from s2f_lib import config, hub, io
from s2f_lib.training import PeopleSet, TrainConfig

RECOGNISER, DECODER, ATTRIBUTES = "synthetic-vgg", "decoder-synthetic-vgg", "attributes-synthetic"


@dataclass(frozen=True)
class Variant:
    """One row of the study: what differs from the base, and why it is there."""

    why: str
    changes: dict = field(default_factory=dict)  # of the base's settings
    behind: str = "f_dec"  # map behind which the loss's first term compares: f_dec, random, whitened, picture
    target: str = "v_f"  # what v_s is to meet: v_f, or the feature before its ReLU ("before_relu")
    rates: tuple[float, ...] = ()  # instead of the design's, for an optimiser with a rate of its own


@dataclass(frozen=True)
class Search:
    """How a variant's settings are chosen: one after the other, each at the best of those before."""

    rates: tuple[float, ...]  # learning rates, ascending; a best one at the edge adds its neighbour
    warm_ups: tuple[float, ...] = (0.1,)  # shares of the steps
    starts: tuple[bool, ...] = (True,)  # whether v_s starts as the mean face
    seeds: tuple[int, ...] = (100, 101)
    tie_deg: float = 0.25  # mean angles as near as this are a tie, and the higher rate wins
    extend: int = 3  # rates added at most beyond each edge


@dataclass(frozen=True)
class Choice:
    """What the search decides."""

    rate: float
    warm_up: float
    start_from_mean: bool


@dataclass(frozen=True)
class Job:
    """One run."""

    variant: str
    stage: str  # "search" or "main"
    choice: Choice
    seed: int

    @property
    def name(self) -> str:
        """Its name as a file."""
        start = "mean" if self.choice.start_from_mean else "random"
        settings = f"rate{self.choice.rate:g}-warm{self.choice.warm_up:g}-{start}"
        return f"{self.stage}-{self.variant}-{settings}-seed{self.seed}"


@dataclass(frozen=True)
class Design:
    """Everything that is fixed before a study runs."""

    name: str
    question: str
    cells: str  # which combinations are run, and why not the others
    train: PeopleSet
    validation: PeopleSet
    test: PeopleSet
    base: dict  # settings of every run, see `s2f_lib.training.TrainConfig`
    search: Search
    seeds: tuple[int, ...]
    targets_deg: tuple[float, ...]  # given angles: a variant is slow if it needs many clips to them
    learned_deg: float  # nearer than the mean face by this, or nothing was learned and nothing can be called stable
    variants: dict[str, Variant]

    def settings(self, job: Job) -> TrainConfig:
        """Settings of one run."""
        changes = self.variants[job.variant].changes
        loss = {"loss": self.base.get("loss", {}) | changes.get("loss", {})}
        chosen = {"learning_rate": job.choice.rate, "warm_up": job.choice.warm_up, "seed": job.seed}
        chosen["start_from_mean"] = job.choice.start_from_mean
        return config.from_dict(TrainConfig, self.base | changes | loss | chosen)

    def made_from(self, variant: Variant, settings: TrainConfig) -> dict:
        """What the numbers of a run depend on."""
        people = {name: asdict(getattr(self, name)) for name in ("train", "validation", "test")}
        aim = {"behind": variant.behind, "target": variant.target}
        frozen = {name: hub.describe(name)["sha256"] for name in (RECOGNISER, DECODER, ATTRIBUTES)}
        return {"settings": asdict(settings), **people, **aim, "weights": frozen}

    def search_jobs(self, variant: str, rows: Sequence[dict]) -> list[Job]:
        """The runs that the search of a variant needs next, given the rows it has; none when it is over."""
        for choices in self._steps(variant, rows):
            jobs = [Job(variant, "search", choice, seed) for choice in choices for seed in self.search.seeds]
            done = {row["job"] for row in rows}
            if missing := [job for job in jobs if job.name not in done]:
                return missing
        return []

    def main_jobs(self, variant: str, rows: Sequence[dict]) -> list[Job]:
        """The runs that are scored on test people, once the search of the variant is over."""
        choice = self.best(variant, rows)
        return [Job(variant, "main", choice, seed) for seed in self.seeds]

    def best(self, variant: str, rows: Sequence[dict]) -> Choice:
        """The settings with the smallest mean angle on validation people, ties to the higher rate.

        ValueError if every setting of the search has a run that failed.
        """
        found = self.searched(variant, rows)
        if not found:
            raise ValueError(f"every learning rate of {variant!r} failed in the search; give its design lower ones")
        least = min(found.values())
        return max((c for c in found if found[c] <= least + self.search.tie_deg), key=lambda c: (c.rate, -found[c]))

    def searched(self, variant: str, rows: Sequence[dict]) -> dict[Choice, float]:
        """Mean angle over the seeds of every setting that was tried; settings with a failed run are left out."""
        angles: dict[Choice, list[float]] = {}
        for row in rows:
            if row["variant"] == variant and row["stage"] == "search":
                angles.setdefault(Choice(**row["choice"]), []).append(np.nan if row["failed"] else row["angle"])
        means = {choice: float(np.mean(values)) for choice, values in angles.items()}
        return {choice: mean for choice, mean in means.items() if np.isfinite(mean)}

    def _steps(self, variant: str, rows: Sequence[dict]):
        """Settings to try, step by step: rates, rates beyond an edge, warm-ups, starts."""
        search, own = self.search, self.variants[variant].rates
        rates = own or search.rates

        def with_rates() -> list[Choice]:
            return [Choice(rate, search.warm_ups[0], search.starts[0]) for rate in rates]

        yield with_rates()
        for _ in range(0 if own else search.extend):
            best = self.best(variant, rows).rate
            if best not in (min(rates), max(rates)):
                break
            rates = (*rates, 2 * best) if best == max(rates) else (best / 2, *rates)
            yield with_rates()
        best = self.best(variant, rows)
        yield [Choice(best.rate, warm_up, best.start_from_mean) for warm_up in search.warm_ups]
        best = self.best(variant, rows)
        yield [Choice(best.rate, best.warm_up, start) for start in search.starts]


def load(name: str | Path) -> Design:
    """A design by its name, or from a JSON file; ValueError for unknown names and settings."""
    path = Path(name) if str(name).endswith(".json") else config.PRESETS / "ablation" / f"{name}.json"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.json")))
        raise ValueError(f"no design {str(name)!r}; there is {known or 'none'}")
    values = io.read_json(path) | {"name": path.stem}
    variants = {key: config.from_dict(Variant, value) for key, value in values.pop("variants").items()}
    design = config.from_dict(Design, values | {"variants": variants})
    for variant in variants:
        design.settings(Job(variant, "main", Choice(1e-3, 0.1, True), 0))  # refuses what no training knows
    return design
