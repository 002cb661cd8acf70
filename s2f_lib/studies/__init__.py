"""Studies that train or probe many networks: each has a design, a command and a record of its own.

- `ablation`: which part of the loss does the work;
- `ethics`: what in a drawn face follows the voice, in which world, and for whom;
- `probing`: what a trained voice encoder listens to;
- `scaling_law`: how far more clips would carry.
"""
