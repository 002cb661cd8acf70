"""The small corpora and stand-ins of the training and evaluation tests, for the studies that build on both."""

import importlib.util
from pathlib import Path


def _fixtures(folder: str, *names: str) -> dict:
    """Fixtures of another folder's conftest.py."""
    path = Path(__file__).parents[1] / folder / "conftest.py"
    spec = importlib.util.spec_from_file_location(f"{folder}_fixtures", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: getattr(module, name) for name in names}


globals().update(_fixtures("training", "clips", "layers", "settings"))
globals().update(_fixtures("evaluate", "crowd", "features_of", "home", "stand_ins"))
