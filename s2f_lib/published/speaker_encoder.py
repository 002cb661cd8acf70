"""The named variant that knows real voices: a frozen speaker recogniser's feature in, v_s out, by one linear map.

The map learned from synthetic people alone; what it reads, Resemblyzer's feature, was learned from recordings of real
speakers. So it answers strangers better than an encoder that heard nobody, and is no result about learning from nobody.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from s2f_lib import audio, hub, io
from s2f_lib.published.voices import VOICE_DIM, voice_feature

NAME = "speaker-feature-synthetic"


class SpeakerEncoder(nn.Module):
    """Waveforms (B, samples) at 16 kHz, float in [-1, 1], to v_s (B, D); without speech, the mean face."""

    def __init__(self, feature_dim: int):
        super().__init__()
        self.linear = nn.Linear(VOICE_DIM, feature_dim)
        self.register_buffer("mean_face", torch.zeros(feature_dim))

    def forward(self, sound: Tensor) -> Tensor:
        """v_s of every clip."""
        return torch.stack([self._answer(clip) for clip in sound.detach().cpu().numpy()])

    def _answer(self, clip: np.ndarray) -> Tensor:
        feature = level_feature(clip)
        return self.mean_face if feature is None else self.linear(torch.from_numpy(feature).to(self.linear.weight))


def level_feature(clip: np.ndarray) -> np.ndarray | None:
    """Speaker feature (256,) of a clip (samples,) brought to the usual level; None where nobody speaks."""
    try:
        sound, _ = audio.leveled(clip)
        return None if audio.is_steady(sound) else voice_feature(sound)
    except (audio.NoSpeech, ValueError):  # silent, or too short to be anybody's
        return None


def load(path: str | Path, device: str | torch.device = "cpu") -> SpeakerEncoder:
    """Read what `tools.train_speaker_encoder` published; in evaluation mode, without gradients.

    io.WeightFileError if the file is damaged.
    """
    tensors, shape = io.read_tensors(path)
    encoder = SpeakerEncoder(**shape)
    encoder.load_state_dict(tensors)
    return encoder.eval().requires_grad_(False).to(device)


def best_for_strangers() -> str:
    """Name of the encoder on this machine that hears real voices best, by the half of `voices` that is for choosing."""
    record = io.read_record("voices")
    present = [entry["name"] for entry in hub.available() if entry["kind"] == "voice encoder" and entry["present"]]
    found = record.matching(measure="auc", corpus="published, half to choose", encoder=present)
    auc = {row["encoder"]: row["value"] for row in found}
    return max(auc, key=auc.get) if auc else present[0]


def reliability(name: str) -> str:
    """How often the faces that an encoder draws for real voices get the photograph's label; from `voices`."""
    record, at = io.read_record("voices"), {"corpus": "published, half to report", "encoder": name}
    if not record.matching(measure="sex_right", **at):
        return f"Nobody has measured how well {name} hears real voices."
    row, constant = record.row("sex_right", **at), record.value("sex_right", corpus="published", baseline="constant")
    return (
        f"Of {row['n']} real recordings, {row['value']:.0%} of the faces it drew were labelled female or male as the "
        f"speaker's photograph was (always the commoner label: {constant:.0%}); with the photograph's age its faces "
        f"correlate by {record.value('age_r', **at):.2f}. All else in the face says nothing about the speaker."
    )
