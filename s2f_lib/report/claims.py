"""The paper's claims: one row of the scorecard each, with the rule that judges it in words.

A verdict follows from a rule that is printed with it, never from a person. `Claim.post_hoc` says where a rule was
written or changed after its numbers were known, as the history of this file shows; such a rule is no prediction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from s2f_lib.report import rules
from s2f_lib.report.paper import RETRIEVAL, SIMILARITY
from s2f_lib.report.rules import ABLATION, ETHICS, EVALUATION, PICTURES, Judged, Records


@dataclass(frozen=True)
class Claim:
    """One row: what the paper says, where, its number, and how we judge it.

    ``record`` names the record whose command the row shows; ``post_hoc`` why the rule is no prediction ("" where it
    was written before its numbers and kept).
    """

    key: str
    claim: str
    where: str
    published: str
    record: str
    rule: str
    judge: Callable[[Records], Judged]
    post_hoc: str = ""


_TABLE2, _TABLE3 = SIMILARITY, RETRIEVAL[6, "cosine"]

CLAIMS = (
    Claim(
        "angle",
        "the predicted feature is near the true one",
        "Table 2",
        f"{_TABLE2[6]['angle_deg'][0]}° (6 s), no baseline",
        EVALUATION,
        "holds: nearer than sex alone (paired interval above 0); partly: nearer than the mean feature",
        rules.angle,
        "changed on 2026-11-29: it had to beat demographics, which know a group that no voice tells; sex alone was "
        "chosen afterwards, and sex and decade, which a voice could tell, beat us",
    ),
    Claim(
        "longer",
        "longer speech at test time helps",
        "Tables 2, 3",
        f"{_TABLE2[3]['angle_deg'][0]}° (3 s) → {_TABLE2[6]['angle_deg'][0]}° (6 s)",
        EVALUATION,
        "holds: paired intervals of both gains, angle and first 10 %, are above 0; partly: that of the angle",
        rules.longer,
        "made stricter on 2026-11-29, after the numbers",
    ),
    Claim(
        "retrieval",
        "the true face is retrieved (first 10 % of the gallery)",
        "Table 3",
        f"{_TABLE3[10]} %, chance 10 %",
        EVALUATION,
        "holds: above sex alone (paired interval above 0); partly: above chance",
        rules.retrieval,
        "changed on 2026-11-29, as that of the angle",
    ),
    Claim(
        "alike",
        "... and among people of one sex and decade",
        "–",
        "not printed",
        EVALUATION,
        "holds: 1:2 above chance (interval) and at least half of the oracle's gain; partly: above chance",
        rules.alike,
    ),
    Claim(
        "rank",
        "R@1 of 10.9 % is a rank in 5,000 images (as the table reads)",
        "Table 3",
        f"{_TABLE3[1]} %, chance printed as 1.00 %",
        PICTURES,
        "holds: more than 5 of the authors' 100 printed queries are first; no: not so, the column is the top 1 %",
        rules.rank_of_5000,
        "the printed ranks were known when it was written",
    ),
    Claim(
        "sex",
        "sex of the S2F face agrees with the label of the speaker",
        "Fig. 4",
        "94 % (constant guess 62.6 %)",
        EVALUATION,
        "holds: above 85 %; partly: above the constant guess",
        rules.sex,
    ),
    Claim(
        "age",
        "age of the S2F face agrees better than a constant guess",
        "Fig. 4",
        "28.6 % same decade, below the constant guess of 29.4 %",
        EVALUATION,
        "holds: above the constant guess; partly: balanced accuracy above 1.2 times chance",
        rules.age,
    ),
    Claim(
        "group",
        "ancestry of the S2F face agrees",
        "Fig. 4",
        "47.6 %, below the constant guess of 50.2 %",
        EVALUATION,
        "holds: group above the constant guess, and r of skin above 0.1, where only physiology speaks; partly: r above "
        "0.1 where language follows the group",
        rules.group,
        "made stricter on 2026-11-29, after the numbers",
    ),
    Claim(
        "craniofacial",
        "face measures of S2F and F2F correlate",
        "Fig. 5",
        "12 of 12 printed (13 computed), median r 0.21",
        EVALUATION,
        "holds: at least 11 of 13 significant; partly: at least 4",
        rules.craniofacial,
    ),
    Claim(
        "individual",
        "... and not only because men and women, old and young differ",
        "–",
        "not printed",
        EVALUATION,
        "holds: at least 7 of 13 significant; partly: at least one",
        rules.craniofacial_adjusted,
    ),
    Claim(
        "individual_published",
        "... the same of the authors' own pictures, a classifier's labels taken out",
        "–",
        "not printed",
        PICTURES,
        "holds: at least 7 of 13 significant; partly: at least one",
        rules.craniofacial_published,
        "written on 2026-11-29, after its record",
    ),
    Claim(
        "consistent",
        "clips of one person give consistent faces",
        "Fig. 9",
        "pictures only",
        EVALUATION,
        "holds: the angle is below 0.7 of that between people; partly: below it",
        rules.consistent,
    ),
    Claim(
        "clusters",
        "features cluster by sex, age and ancestry",
        "supplement",
        "pictures only",
        EVALUATION,
        "holds: purity above shuffled labels for all three (p < 0.01); partly: for some",
        rules.clusters,
    ),
    Claim(
        "loss",
        "the full loss beats plain L1 on features",
        "Sec. 3",
        "“slow and unstable”, no numbers",
        ABLATION,
        "holds: slower and less stable; partly: one of them, or undecided",
        rules.loss,
    ),
    Claim(
        "batch_norm",
        "without batch normalisation faces collapse to an average",
        "Fig. 8",
        "pictures only",
        ABLATION,
        "holds: without it retrieval and sex stand at chance, with it they do not; partly: lower without",
        rules.batch_norm,
        "written on 2026-11-29, after its record; one start of the weights only, and the start matters",
    ),
    Claim(
        "language",
        "the language spoken can change the face",
        "Fig. 10",
        "two persons",
        ETHICS,
        "holds: the interval of the effect is above 0.1; partly: above 0",
        rules.language,
    ),
    Claim(
        "identity",
        "average-looking faces, not images of specific individuals",
        "project page",
        "stated",
        ETHICS,
        "holds: first of N below 1 % and 1:2 among look-alikes below 75 %; partly: first of N below 5 %",
        rules.identity,
    ),
    Claim(
        "again",
        "the authors' own pictures give the printed numbers",
        "Figs. 4, 5",
        "94 %; 12 r",
        PICTURES,
        "holds: within 4 points, and at least 10 of 12 within 0.10; partly: within 8 points",
        rules.again,
        "the agreement was known when the tolerance was set, and the face measures were defined on these very pictures",
    ),
    Claim(
        "avspeech",
        "the network of table 1, trained on AVSpeech, finds the true face",
        "Tables 2, 3",
        f"{_TABLE2[6]['angle_deg'][0]}°; first 10 % {_TABLE3[10]} %",
        "evaluation_avspeech",
        "holds: first 10 % within 5 points of the paper's; partly: above 20 %",
        rules.avspeech,
    ),
)

# What changed in the verdicts: key, date, before, after, why. What was first measured is no change.
CHANGES = (
    ("age", "2026-11-25", "no", "holds", "a voice encoder that heard more; the same rule"),
    ("individual", "2026-11-29", "no", "partly", "one of 13 measures significant after new weights; the same rule"),
    ("individual", "2026-11-29", "partly", "no", "none after the next weights: one of 13 was within chance"),
    ("longer", "2026-11-29", "partly", "holds", "new weights; the same rule"),
    ("longer", "2026-11-29", "holds", "partly", "the rule asks for both gains to be beyond chance"),
    ("angle", "2026-11-29", "partly", "holds", "the rule asks to beat sex alone, no longer demographics"),
    ("retrieval", "2026-11-29", "partly", "holds", "the rule asks to beat sex alone, no longer demographics"),
    ("clusters", "2026-11-30", "partly", "void", "an untrained encoder passes the rule as well"),
    ("identity", "2026-11-30", "holds", "void", "a random order passes the rule as well: it cannot fail"),
)
