"""Short tables out of long records, for pages and for the documents: a record may hold hundreds of numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from s2f_lib import io

if TYPE_CHECKING:
    import pandas as pd

NOT_RUN = "not run yet"
EVALUATION = {  # rows of the short evaluation table: text -> metric, scale, unit, chance (a number or a metric)
    "angle to the true feature, 6 s": ("angle_deg_6_s", 1, "°", "angle_deg_random_pair"),
    "... of the mean feature": ("angle_deg_mean_feature", 1, "°", None),
    "... of sex alone": ("angle_deg_sex_alone", 1, "°", None),
    "... of demographics alone": ("angle_deg_demographics", 1, "°", None),
    "... of the perfect listener": ("angle_deg_perfect_listener", 1, "°", None),
    "... of another picture of the person": ("angle_deg_another_picture", 1, "°", None),
    "face in the first 10 % of the gallery": ("top10_percent", 100, "%", "top10_percent_chance"),
    "... by sex alone": ("top10_percent_sex_alone", 100, "%", "top10_percent_chance"),
    "... by demographics alone": ("top10_percent_demographics", 100, "%", "top10_percent_chance"),
    "... by the perfect listener": ("top10_percent_perfect_listener", 100, "%", "top10_percent_chance"),
    "face in the first 5 of the gallery (R@5)": ("recall_at_5", 100, "%", "recall_at_5_chance"),
    "median rank": ("median_rank", 1, "", "median_rank_chance"),
    "1:2 matching, everybody": ("match_1_2", 100, "%", "match_1_2_chance"),
    "1:2 matching, same sex": ("match_1_2_same_sex", 100, "%", "match_1_2_chance_same_sex"),
    "sex label of the S2F face as assigned": ("sex_s2f", 100, "%", "sex_s2f_constant"),
    "age decade of the S2F face as assigned": ("decade_s2f", 100, "%", "decade_s2f_constant"),
    "... within one decade": ("decade_s2f_within_one", 100, "%", None),
    "group of the S2F face as assigned": ("group_s2f", 100, "%", "group_s2f_constant"),
    "median craniofacial r, S2F with F2F, pooled": ("median_r_s2f_x_f2f_pooled", 1, "", 0),
    "median craniofacial r, S2F with truth, sex and age taken out": ("median_r_s2f_x_truth_adjusted", 1, "", 0),
}
PUBLISHED = {  # the same for results/published_avspeech.json
    "gender label of S2F as of the photograph (paper, by Face++: 94 %)": ("gender_true_s2f_07", 100, "%", 0.5),
    "gender label of S2F as of F2F": ("gender_f2f_s2f", 100, "%", 0.5),
    "age of S2F in the decade of F2F": ("age_same_decade", 100, "%", None),
    "... within one decade": ("age_within_one", 100, "%", None),
    "craniofacial correlations within 0.10 of the paper's, of 12": ("craniofacial_within_0_10", 1, "", None),
    "angle of S2F to F2F pictures": ("angle_deg_f2f_s2f_07", 1, "°", "angle_deg_f2f_s2f_07_random_pair"),
    "photograph in the first 10 % by the F2F picture": ("retrieval_true_f2f_top10_percent", 1, "%", 10),
    "photograph in the first 10 % by the S2F picture": ("retrieval_true_s2f_07_top10_percent", 1, "%", 10),
    "first 10 % in the authors' printed ranks (table 3: 45.8)": ("top_percent_recall_10", 1, "%", 10),
}
CONTESTANTS = {  # of results/published_ridge.json
    "true gender label only": "gender_only",
    "ridge on a speaker feature": "ridge",
    "likelihood head on a speaker feature": "best",
    "kernel head": "kernel",
    "contrastive head": "contrastive",
    "three heads averaged": "ensemble",
    "our encoder (synthetic voices only)": "own",
    "our encoder, trained on": "own_fine_tuned",
    "our encoder and the speaker feature": "own_and_speaker",
    "authors' picture": "authors",
    "authors' picture, likelihood head": "authors_calibrated",
    "speaker feature and authors' picture": "both",
}
CONTEST = {"1:2 matching": "match_1_2", "... same gender label": "match_1_2_same_gender", "first 10 %": "top10_percent"}
STUDY = {  # columns of results/loss_ablation.json
    "seeds": "seeds",
    "final angle (°)": "final_angle_deg",
    "first 10 % (%)": "top10_percent",
    "variation of the gradient norm": "gradient_norm_cv",
    "sex right, decoded": "face_sex_right",
}
WHO = {  # kinds of rows in the errors by group: label in the record -> words
    "sex": str,
    "group": lambda label: f"group {label.upper()}",
    "decade": lambda label: f"{max(18, int(label))} to {int(label) + 9} years",  # nobody is younger than 18
    "sex_group": lambda label: f"{label[:-2]}, group {label[-1].upper()}",
}
WORLD_COLUMNS = ("physiology", "confounded", "confounded_only", "null")
WORLD_ROWS = {
    "skin": "skin_r",
    "hair colour": "hair_r",
    "nose width": "nose_r",
    "jaw width": "jaw_r",
    "age": "age_r",
    "sex (share right)": "sex_right",
}


def from_record(record: str, pattern: str) -> pd.DataFrame:
    """Numbers of a record whose name matches a regular expression from its beginning to its end.

    Parameters
    ----------
    record : str
        ``results/<record>.json``.
    pattern : str
        Groups in it become the index (several groups: several levels); without a group, the whole name.

    Returns
    -------
    pandas.DataFrame with ``value``, ``low``, ``high`` (NaN without an interval); empty where the record was not run
    """
    import pandas as pd

    found = io.read_record(record)
    rows = {}
    for name, value in (found["metrics"] if found else {}).items():
        match = re.fullmatch(pattern, name)
        if match:
            low, high = found["intervals"].get(name, (np.nan, np.nan))
            key = match.groups(default="") or name
            rows[key if len(key) != 1 or isinstance(key, str) else key[0]] = {"value": value, "low": low, "high": high}
    if not rows:
        return pd.DataFrame(columns=["value", "low", "high"])
    return pd.DataFrame.from_dict(rows, orient="index")


def recorded(record: str, pattern: str, command: str):
    """The table of `from_record`, or, where the record was not run yet, a line that says so and how to run it."""
    found = from_record(record, pattern)
    if len(found):
        return found
    from IPython.display import Markdown

    return Markdown(f"*`results/{record}.json`: {NOT_RUN}; `{command}` writes it.*")


def evaluation() -> str:
    """The main numbers of ``results/evaluation_synthetic.json`` as a Markdown table."""
    return _short("evaluation_synthetic", EVALUATION)


def published() -> str:
    """The main numbers of ``results/published_avspeech.json`` as a Markdown table."""
    more = " Rows with photographs: the 900 of them that show one face; printed ranks: 100 queries."
    return _short("published_avspeech", PUBLISHED, more)


def _short(record: str, chosen: dict[str, tuple], more: str = "") -> str:
    """Chosen numbers of a record with their intervals, and what chance or a constant or random answer gets."""
    found = io.read_record(record)
    if found is None:
        return f"*`results/{record}.json`: {NOT_RUN}.*"
    rows = ["| measure | value | 95 % interval | chance |", "|---|---|---|---|"]
    for text, (name, scale, unit, chance) in chosen.items():
        if name in found["metrics"]:
            by_chance = found["metrics"].get(chance) if isinstance(chance, str) else chance
            cells = [_number(found["metrics"][name], scale, unit), _ends(found, name, scale)]
            cells.append("–" if by_chance is None else _number(by_chance, scale, unit))
            rows.append(f"| {text} | " + " | ".join(cells) + " |")
    below = "Chance: of a random pair, of a random order, or of the best constant answer."
    return "\n".join([*rows, "", f"{below}{more} {_source(found)}"])


def rules() -> str:
    """How the scorecard decides each verdict, as a Markdown table."""
    found = io.read_record("scorecard")
    if found is None:
        return f"*`results/scorecard.json`: {NOT_RUN}.*"
    rows = ["| claim | verdict |", "|---|---|", *(f"| {row['claim']} | {row['rule']} |" for row in found["rows"])]
    return "\n".join([*rows, "", 'Anything else is "no".'])


def encoder():
    """The shipped encoder beside what could be heard and what labels tell (pandas.DataFrame of "value [low, high]").

    From ``results/voice_encoder.json``; where it was not run, a line that says so.
    """
    import pandas as pd
    from IPython.display import Markdown

    found = io.read_record("voice_encoder")
    if found is None:
        return Markdown(f"*`results/voice_encoder.json`: {NOT_RUN}; `python -m benchmarks.voice_encoder` writes it.*")

    def cell(metric: str) -> str:
        return f"{found['metrics'][metric]:.1f} [{_ends(found, metric, 1).replace(' to ', ', ')}]"

    rows = {}
    for name in ("voice", "perfect listener", "demographics", "mean feature"):
        key = "" if name == "voice" else name.replace(" ", "_")
        before, after = (f"{key}_", f"_{key}") if key else ("", "")
        rows[name] = {"angle (degrees)": cell(f"angle_deg{after}")}
        rows[name] |= {f"top {k} % (chance {k})": cell(f"{before}top{k}_percent") for k in (1, 5, 10)}
    return pd.DataFrame(rows).T


def contest() -> str:
    """Who picks the right face in ``results/published_ridge.json``, as a Markdown table with intervals."""
    found = io.read_record("published_ridge")
    if found is None:
        return f"*`results/published_ridge.json`: {NOT_RUN}.*"
    rows = ["| contestant | " + " | ".join(CONTEST) + " |", "|---" * (len(CONTEST) + 1) + "|"]
    for text, key in CONTESTANTS.items():
        names = [f"{key}_{measure}" for measure in CONTEST.values()]
        if names[0] in found["metrics"]:
            cells = [f"{_number(found['metrics'][name], 1, '')} [{_ends(found, name, 1)}]" for name in names]
            rows.append(f"| {text} | " + " | ".join(cells) + " |")
    return "\n".join([*rows, "", "Chance: 0.5, 0.5 and 10 %. " + _source(found)])


def study() -> str:
    """Every variant of ``results/loss_ablation.json``, mean and standard deviation over seeds, as a Markdown table."""
    found = io.read_record("loss_ablation")
    if found is None:
        return f"*`results/loss_ablation.json`: {NOT_RUN}.*"
    m = found["metrics"]
    rows = ["| variant | " + " | ".join(STUDY) + " |", "|---" * (len(STUDY) + 1) + "|"]
    for name in (key.removesuffix(".final_angle_deg") for key in m if key.endswith(".final_angle_deg")):
        cells = []
        for key in STUDY.values():
            value, spread = m.get(f"{name}.{key}"), m.get(f"{name}.{key}_sd")
            plain = "–" if value is None else f"{value:.0f}" if key == "seeds" else f"{value:.2f}"
            cells.append(plain if spread is None else f"{plain} ± {spread:.2f}")
        rows.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join([*rows, "", f"Mean feature: {m['start_angle_deg']:.2f}°; chance 10 %. " + _source(found)])


def errors() -> str:
    """Angle and share of right sex labels of the shipped encoder by sex, group and decade, as a Markdown table."""
    found = io.read_record("ethics")
    if found is None:
        return f"*`results/ethics.json`: {NOT_RUN}.*"
    rows = ["| people | N | angle to the true feature | 95 % interval | sex label right |", "|---|---|---|---|---|"]
    for name in found["metrics"]:
        match = re.fullmatch(r"(error_by_group_(sex_group|sex|group|decade)_(\w+))_angle_deg", name)
        if match:
            right, n = (found["metrics"][f"{match[1]}_{what}"] for what in ("sex_right", "n"))
            angle = _number(found["metrics"][name], 1, "°")
            cells = [WHO[match[2]](match[3]), f"{n:.0f}", angle, _ends(found, name, 1), f"{100 * right:.0f} %"]
            rows.append("| " + " | ".join(cells) + " |")
    return "\n".join([*rows, "", _source(found)])


def worlds() -> str:
    """What follows the voice in which world, light listener, as a Markdown table."""
    found = io.read_record("ethics")
    if found is None:
        return f"*`results/ethics.json`: {NOT_RUN}.*"
    rows = ["| attribute of the drawn face | " + " | ".join(WORLD_COLUMNS) + " |", "|---" * 5 + "|"]
    for text, key in WORLD_ROWS.items():
        cells = [f"{found['metrics'][f'{key}_{world}']:.2f}" for world in WORLD_COLUMNS]
        rows.append(f"| {text} | " + " | ".join(cells) + " |")
    below = (
        "Light listener: a ridge regression on statistics of the sound, 1,000 training and 500 test people in each "
        "world; intervals are about 0.09 to either side. "
    )
    recorded = f"Seeds {', '.join(map(str, found['seeds']))}; recorded {found['date'][:10]} by `{found['command']}`."
    return "\n".join([*rows, "", below + recorded])


def _number(value: float, scale: float, unit: str) -> str:
    if not unit and value >= 1 and float(value).is_integer():
        return f"{value:,.0f}"
    text = f"{scale * value:.2f}" if not unit and abs(value) < 1 else f"{scale * value:.1f}"
    return text + (" %" if unit == "%" else unit)


def _ends(found: dict, name: str, scale: float) -> str:
    if name not in found["intervals"]:
        return "–"
    low, high = found["intervals"][name]
    digits = 2 if scale == 1 and abs(high) < 1 else 1
    return f"{scale * low:.{digits}f} to {scale * high:.{digits}f}"


def _source(found: dict) -> str:
    return (
        f"N = {found['n']:,}, seeds {', '.join(map(str, found['seeds']))}; recorded {found['date'][:10]} by "
        f"`{found['command']}`."
    )


TABLES = {
    "evaluation": evaluation,
    "published": published,
    "contest": contest,
    "study": study,
    "errors": errors,
    "worlds": worlds,
    "rules": rules,
}
