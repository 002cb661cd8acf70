"""Which part of the loss does the work: many runs that differ in one line each, and what they show.

A design says what is run, `runs` runs it, `outcome` says what follows, and `sweep` is the command that does all three.
"""

from s2f_lib.studies.ablation.design import Choice, Design, Job, load
from s2f_lib.studies.ablation.runs import clips, make_trainer

__all__ = ["Choice", "Design", "Job", "clips", "load", "make_trainer"]
