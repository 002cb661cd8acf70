"""Every measure of the paper, with the baselines it left out. Functions on arrays; who is who comes in a table.

- `similarity`: angle, L1, L2 of v_s and v_f;
- `retrieval`: rank-K of N, top-K percent, median rank, 1:2 and 1:N matching;
- `attributes`: confusion matrices, agreement, balanced accuracy, classifiers on canonical faces;
- `craniofacial`: correlations of measures, pooled, within sex, age-adjusted, corrected;
- `ceilings`: what can be reached: the perfect listener, and what demographics alone give;
- `embedding`: maps of features, with neighbour purity;
- `likelihood`: how much evidence a match is;
- `statistics`: bootstrap over people, permutation, corrections;
- `synthetic`, `audit`, `scorecard`: the runs that write `results/`.
"""
