"""The ethics experiments on synthetic people: what was expected of them, how they are run, and what came of it."""
