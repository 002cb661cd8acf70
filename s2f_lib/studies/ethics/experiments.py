"""The ethics experiments on synthetic people: worlds, language, rare groups, identity, shortcut, body and style.

Two models stand in for encoders trained in each world: the *oracle* reads the true voice parameters and the
language, the *ridge baseline* hears clips. Both predict v_f; the frozen decoder draws. Errors
by group and the identity numbers are those of the shipped voice encoder.
`s2f_lib.studies.ethics.audit` records them all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from s2f_lib import metrics, people
from s2f_lib.audio import degrade
from s2f_lib.config import SEEDS
from s2f_lib.evaluate import appearance, baselines, dataset
from s2f_lib.io import row
from s2f_lib.metrics.inference import Interval
from s2f_lib.people import Population
from s2f_lib.studies.ethics import effects

WORLDS = ("physiology", "confounded", "confounded_only", "null")
SWITCH = ("en", "sw")  # home languages of groups A and D
RARE = "D"


@dataclass(frozen=True)
class Context:
    """Frozen networks, and people to train and to test on; faces are made once, since all worlds share them."""

    recogniser: object
    decoder: object
    classifier: object
    train_n: int = 1500
    test_n: int = 1000
    workers: int = 2
    progress: bool = False
    boosted: int = 12  # components that the oracle boosts
    ridge_train: int = 1000  # of the training people, how many the ridge baseline hears
    ridge_test: int = 500  # of the test people

    def train(self, world: str) -> Population:
        """People to learn from."""
        return people.sample(self.train_n, world, SEEDS["voice"])

    def test(self, world: str) -> Population:
        """Other people, other sentences."""
        return people.sample(self.test_n, world, SEEDS["test"])

    def _features(self, population: Population) -> np.ndarray:
        options = {"workers": self.workers, "progress": self.progress}
        return dataset.face_features(self.recogniser, population, (0,), **options)[:, 0]

    @cached_property
    def train_v_f(self) -> np.ndarray:
        """Face features of the training people."""
        return self._features(self.train("physiology"))

    @cached_property
    def test_v_f(self) -> np.ndarray:
        """Face features of the test people."""
        return self._features(self.test("physiology"))

    @cached_property
    def canonical(self) -> tuple[np.ndarray, np.ndarray]:
        """True canonical faces of the test people at the decoder's size, and their landmarks in [0, 1]."""
        size = dataset.decode(self.decoder, self.test_v_f[:1])[0].shape[1]
        return dataset.canonical_faces(self.test("physiology"), size, self.workers)

    @cached_property
    def truth(self) -> pd.DataFrame:
        """Attributes of those faces."""
        people = self.test("physiology").table()
        people["male"] = (people["sex"] == "male").astype(float)
        return effects.attributes(*self.canonical, people)

    def draw(self, v: np.ndarray) -> pd.DataFrame:
        """Attributes of the faces that the decoder draws for features (N, D)."""
        pictures, landmarks = dataset.decode(self.decoder, v)
        return effects.attributes(pictures, landmarks, appearance.read(self.classifier, pictures))

    def oracle(self, world: str) -> baselines.Oracle:
        """The oracle of a world."""
        model = baselines.Oracle(boosted_components=self.boosted)
        return model.fit(self.train(world).table(), self.train_v_f)

    def heard(self, world: str, which: str = "train", changes=(None,), **options) -> np.ndarray:
        """Sound statistics of the first training or test people, (n, changes, K)."""
        population = self.train(world)[: self.ridge_train] if which == "train" else self.test(world)[: self.ridge_test]
        options |= {"sentences": which, "changes": changes, "workers": self.workers, "progress": self.progress}
        return baselines.clip_features(population, **options)

    def ridge(self, world: str) -> baselines.RidgeBaseline:
        """The ridge baseline of a world."""
        heard = self.heard(world)[:, 0]
        return baselines.RidgeBaseline().fit(heard, self.train_v_f[: len(heard)])

    def predict(self, world: str, by: str = "ridge baseline") -> np.ndarray:
        """v_f of the first test people of a world, as the "oracle" or the "ridge baseline" predicts it."""
        if by == "oracle":
            return self.oracle(world).predict(self.test(world).table())
        return self.ridge(world).predict(self.heard(world, "test")[:, 0])

    def follow(self, v: np.ndarray) -> dict[str, Interval]:
        """How the faces drawn for the first test people follow their true ones."""
        return effects.attribute_correlations(self.draw(v), self.truth.iloc[: len(v)].reset_index(drop=True))


def worlds(
    context: Context, names: Sequence[str] = WORLDS, by: str = "ridge baseline"
) -> dict[str, dict[str, Interval]]:
    """Which attributes of the drawn face follow the voice in which world; ``by`` "ridge baseline" or "oracle"."""
    return {world: context.follow(context.predict(world, by)) for world in names}


def language_switch(context: Context, world: str, by: str = "ridge baseline") -> dict[str, Interval]:
    """The first 200 test people speak a language of group A, then one of group D: how far does each attribute move?

    1 is the mean difference of the true faces of the two groups; attributes in which they differ little are left out.
    """
    people = context.test(world)[: min(200, context.test_n)]
    if by == "oracle":
        model = context.oracle(world)
        said = [model.predict(people.table().assign(language=language)) for language in SWITCH]
    else:
        model = context.ridge(world)
        options = {"workers": context.workers, "progress": context.progress}
        said = [
            model.predict(baselines.clip_features(people, language=language, **options)[:, 0]) for language in SWITCH
        ]
    before, after = (context.draw(v) for v in said)
    group, truth = context.test(world).group, context.truth
    out = {}
    for name in ("skin", "hair", "nose"):
        values = truth[name].to_numpy()
        group_gap = values[group == "D"].mean() - values[group == "A"].mean()
        out[name] = effects.effect(before[name].to_numpy(), after[name].to_numpy(), group_gap)
    return out


def rare_group(context: Context) -> pd.DataFrame:
    """One group whole, at 5 %, absent, and at 5 % with balanced sampling; the oracle of the confounded world.

    Rows: those corpora. Columns: mean error of skin lightness and angle to the true feature, for the group and for
    the others.
    """
    table, people = (who("confounded").table() for who in (context.train, context.test))
    groups = table["group"].to_numpy(str)
    corpora = {
        "all": np.arange(len(table)),
        "5 percent": effects.subsample(groups, RARE, 0.05),
        "absent": effects.subsample(groups, RARE, 0.0),
        "balanced": effects.subsample(groups, RARE, 0.05, repair=True),
    }
    inside = people["group"].to_numpy() == RARE
    rows = {}
    for name, kept in corpora.items():
        model = baselines.Oracle(boosted_components=0)
        v = model.fit(table.iloc[kept].reset_index(drop=True), context.train_v_f[kept]).predict(people)
        angle = metrics.similarity.angle_deg(v, context.test_v_f)
        error = np.abs(context.draw(v)["skin"].to_numpy() - context.truth["skin"].to_numpy())
        rows[name] = {
            "skin_error_group": error[inside].mean(),
            "skin_error_others": error[~inside].mean(),
            "angle_group": angle[inside].mean(),
            "angle_others": angle[~inside].mean(),
            "people_of_group": int((groups[kept] == RARE).sum()),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def identity(context: Context, v_s: np.ndarray) -> list[dict]:
    """What the shipped encoder's feature (of the test people) gives an attacker, as rows of the record."""
    people = context.test("physiology").table()
    train = context.train("physiology").table(), context.train_v_f
    told = baselines.DemographicsOnly().fit(*train).predict(people)
    heard = baselines.DemographicsOnly(("sex", "decade")).fit(*train).predict(people)
    cell = np.unique(metrics.labels.of_people(people)["sex, decade and group"], return_inverse=True)[1]
    ranks = [metrics.retrieval.rank(v, context.test_v_f) for v in (v_s, told, heard)]
    voice, told, heard = (found.hit_percent(10) for found in ranks)
    alike = metrics.retrieval.rank(v_s, context.test_v_f, groups=cell)
    alike = alike.where(alike.size >= 2)
    cosine = metrics.similarity.cosines(v_s, context.test_v_f)
    of = {"experiment": "identity", "predictor": "voice"}
    alone = {"within": "sex, decade and group"}
    mean, auc_of = metrics.inference.mean_interval, metrics.verification.auc_of_people
    auc = metrics.inference.bootstrap(lambda who: auc_of(cosine, who, cell), np.arange(len(people)), times=300)
    return [
        row("top_percent_gain", mean(voice - told), **of, against="demographics", k=10),
        row("top_percent_gain", mean(voice - heard), **of, against="sex and decade", k=10),
        row("match", mean(alike.match(2)), **of, **alone, k=2),
        row("recall_at", mean(ranks[0].hit(1)), **of, k=1),
        row("auc", auc, **of, **alone),
    ]


def shortcut(context: Context, link: float = 0.9) -> dict[str, Interval]:
    """Train where the recording betrays the group, and test where the link holds, is broken, and is reversed.

    Groups C and D are recorded by telephone with probability ``link``, A and B with 1 - ``link``; the fair corpus
    draws the recording at random. World physiology: language tells nothing about the group.
    """
    line = (None, degrade.telephone())
    rng = np.random.default_rng(0)
    heard = {which: context.heard("physiology", which, line) for which in ("train", "test")}

    def recorded(which: str, probability: float) -> np.ndarray:
        n = len(heard[which])
        group = (context.train("physiology") if which == "train" else context.test("physiology")).group[:n]
        telephone = rng.random(n) < np.where(np.isin(group, ("C", "D")), probability, 1 - probability)
        return heard[which][np.arange(n), telephone.astype(int)]

    v_f = context.train_v_f[: len(heard["train"])]
    betrayed = baselines.RidgeBaseline().fit(recorded("train", link), v_f)
    fair = baselines.RidgeBaseline().fit(recorded("train", 0.5), v_f)
    tests = {
        "same link": (betrayed, link),
        "broken": (betrayed, 0.5),
        "reversed": (betrayed, 1 - link),
        "fair": (fair, link),
    }
    out = {}
    for name, (model, probability) in tests.items():
        out[name] = context.follow(model.predict(recorded("test", probability)))["skin"]
    return out


def body(context: Context, world: str, by: str = "ridge baseline") -> dict[str, Interval]:
    """How well the body itself is heard: r of tract length, height, jaw and lower face (scores), sex and age taken out.

    The oracle reads the true parameters of the voice; both are ridge regressions.
    """
    columns = {"tract length": "voice_vtl", "height": "height_cm", "jaw score": "jaw", "lower face": "lower_face"}
    train, test = context.train(world).table(), context.test(world).table()
    if by == "oracle":
        heard, heard_test = (baselines.voice_parameters(people).to_numpy() for people in (train, test))
    else:
        heard, heard_test = context.heard(world)[:, 0], context.heard(world, "test")[:, 0]
    train, test = train[: len(heard)], test[: len(heard_test)]
    target = train[list(columns.values())].to_numpy(float)
    centre, spread = target.mean(axis=0), target.std(axis=0)
    guess = baselines.RidgeBaseline(components=0).fit(heard, (target - centre) / spread).predict(heard_test)
    male = (test["sex"].to_numpy() == "male").astype(float)
    age = test["age"].to_numpy(float) / 50
    out = {}
    for i, (name, column) in enumerate(columns.items()):
        take_out = np.column_stack([male, age, male * age])
        out[name] = effects.partial_r(guess[:, i], test[column].to_numpy(float), take_out)
    return out


def style(context: Context, world: str) -> Interval:
    """Does the predicted feature carry the subculture's glasses? AUC of a probe that was fitted on true features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3, max_iter=300))
    probe.fit(context.train_v_f, context.train(world).style)
    v = context.predict(world)
    score, member = probe.decision_function(v), context.test(world).style[: len(v)]

    def auc(score: np.ndarray, member: np.ndarray) -> float:
        return metrics.verification.auc(score[member == 1], score[member == 0])

    return metrics.inference.bootstrap(auc, score, member, times=300)
