"""The paper's evaluation, with the baselines it left out.

- `dataset`: test people, their true features, and what the encoder predicts from their clips, made once;
- `baselines`: demographics alone, a ridge regression on the sound, and the oracle;
- `appearance`: labels, skin and hair as read off a canonical face;
- `study`: one table per question, on the measures of `s2f_lib.metrics`, and the rows of the record;
- `own_corpus`: the same questions to a corpus folder, as far as they can be asked there;
- `command`: ``s2f evaluate``.
"""
