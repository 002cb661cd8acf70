"""How the shipped assets and weights were made: run from a clone, never part of the wheel."""
