"""Other ways from a voice to a face, and one protocol for all of them.

- `benchmark`: test clips, faces and trials from a seed, and the table of whoever enters (``s2f benchmark``);
- `heads`: regression, a contrastive embedding, and both, on one frozen voice feature.
"""
