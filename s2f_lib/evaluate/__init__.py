"""Every measure of the paper, with the baselines it left out. Functions on arrays; who is who comes in a table.

- `ceilings`: what can be reached: the perfect listener, and what demographics alone give;
- `synthetic`, `audit`, `scorecard`: the runs that write `results/`.
"""
