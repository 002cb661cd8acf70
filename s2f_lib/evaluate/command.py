"""What the commands of this room share: an encoder by name."""

from __future__ import annotations

from s2f_lib import hub


def load_encoder(name: str):
    """An encoder by its name in the hub, or from a file written by `voice_encoder.save`."""
    if name.endswith(".safetensors"):
        from s2f_lib import voice_encoder

        return voice_encoder.load(name)
    return hub.load(name)
