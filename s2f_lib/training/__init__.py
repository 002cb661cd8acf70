"""The parts of training: settings, sources of batches, the loop, checkpoints, cached targets, sweeps.

Most readers need only `s2f_lib.train`, which puts them together.
"""
