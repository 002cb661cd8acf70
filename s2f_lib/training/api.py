"""Train the voice encoder: settings by name, the frozen layers of the loss, and one run."""

from pathlib import Path

from s2f_lib import config as settings
from s2f_lib.losses import LossConfig
from s2f_lib.training.settings import TrainConfig
from s2f_lib.training.sources import ArraySource
from s2f_lib.training.voice import Run, VoiceTrainer

__all__ = ["frozen_layers", "layers_for", "make_config", "run"]


def run(
    config: TrainConfig | str,
    source,
    *,
    f_dec=None,
    f_vgg=None,
    validation: ArraySource | None = None,
    out_dir: str | Path | None = None,
    resume: bool = True,
    progress: bool = False,
    device: str | None = None,
    command: str = "",
) -> Run:
    """Train one voice encoder.

    Parameters
    ----------
    config : TrainConfig or str
        Settings, or the name of a preset.
    source : ArraySource or another source
        The training clips, see `s2f_lib.training.sources`; what it says of itself (``about``) is kept with the run.
    f_dec, f_vgg : nn.Module, optional
        The frozen layers behind which the paper compares v_s and v_f; see `frozen_layers` and `layers_for`.
    validation : ArraySource, optional
        Clips of other speakers, scored every ``evaluate_every`` steps.
    out_dir : str or Path, optional
        Folder for ``checkpoint.pt``, log, settings and ``data.json``; None keeps everything in memory.
    resume : bool
        Go on from the folder's checkpoint, if there is one; False deletes it.
    progress : bool
        Show a progress bar.
    device : str, optional
        "cpu", "cuda" or "cuda:1"; by default a GPU if there is one.
    command : str
        What was typed; kept in the log, so that published weights say how they were made.

    Raises
    ------
    TrainingError
        If the loss is no longer finite (the message names term and clip), or memory runs out (it names a batch size).
    ValueError
        If the settings do not fit each other, the source, or the checkpoint.
    io.BusyError
        If another training writes in the folder.
    """
    config = settings.preset(TrainConfig, config) if isinstance(config, str) else config
    layers, how = {"f_dec": f_dec, "f_vgg": f_vgg}, {"command": command, "folder": out_dir, "device": device}
    trainer = VoiceTrainer(config, source, **layers, validation=validation, **how)
    return trainer.result(trainer.fit(resume, progress))


def make_config(preset: str = "quick", loss: str | dict = "paper", **changes) -> TrainConfig:
    """Settings from the name of a schedule, a loss (its name, or the fields that differ), and single fields."""
    loss = settings.from_dict(LossConfig, loss) if isinstance(loss, dict) else settings.preset(LossConfig, loss)
    return settings.preset(TrainConfig, preset, loss=settings.to_dict(loss), **changes)


def frozen_layers(recogniser="synthetic-vgg", decoder: str | None = "decoder-synthetic-vgg") -> dict:
    """The frozen layers of the paper's loss, as keyword arguments for `run`: f_vgg = fc8, f_dec = the first FC.

    Both are names in the hub (or the recogniser itself); ``decoder=None`` leaves f_dec out. A recogniser without
    classes (dlib) has no fc8, and f_vgg is left out. ValueError if the decoder reads the features of another one.
    """
    from s2f_lib import hub

    name = getattr(recogniser, "name", recogniser)
    if decoder and (reads := hub.describe(decoder).get("settings", {}).get("recogniser", name)) != name:
        raise ValueError(f"{decoder} reads features of {reads}, not of {name}; take decoder-{name}, or None")
    network = hub.load(recogniser) if isinstance(recogniser, str) else recogniser
    layers = {"f_vgg": network.fc8} if hasattr(network, "fc8") else {}
    return layers | ({"f_dec": hub.load(decoder).f_dec} if decoder else {})


def layers_for(source, loss: LossConfig) -> dict:
    """The frozen layers that a loss needs, of the recogniser that made the source's features; arguments for `run`.

    ValueError if a layer is needed, but the source does not say whose its features are, the hub has other weights under
    that name by now, or no decoder reads such features.
    """
    from s2f_lib import hub

    if not (loss.weight_decoder or loss.weight_distill):
        return {}
    made_by = getattr(source, "about", {}).get("recogniser")
    if made_by is None:
        raise ValueError(
            "the clips do not say which recogniser made their features, so this loss cannot have its layers; pack "
            "them again (s2f corpus build_shards --overwrite), or take a loss that needs none, e.g. --loss normalized"
        )
    name, decoder = made_by["name"], f"decoder-{made_by['name']}" if loss.weight_decoder else None
    if decoder and decoder not in {entry["name"] for entry in hub.available()}:
        raise ValueError(
            f"the features are those of {name}, which no face decoder reads: take a loss without weight_decoder, e.g. "
            f"--loss no_decoder, or train one: python -m tools.train_decoder --recogniser {name} --publish"
        )
    recogniser = hub.load(name)
    was, now = made_by["checksum"], recogniser.checksum
    if was != now:
        raise ValueError(
            f"the features come from {name} with SHA-256 {was:.12}, the hub has {now:.12}; "
            "extract them again (s2f corpus extract_features --overwrite), or put those weights back"
        )
    return frozen_layers(recogniser, decoder)
