"""Is a record as young as the weights it was measured with? New weights make every number behind them old."""

from s2f_lib import hub, io

__all__ = ["MEASURED_WITH", "caution"]

CHAIN = ("synthetic-vgg", "decoder-synthetic-vgg", "voice-encoder-synthetic")  # each learned from those before it
READER = "attributes-synthetic"  # reads sex, group and age off the decoded faces
MEASURED_WITH: dict[str, tuple[str, ...]] = {
    "face_pipeline": (*CHAIN[:2], "decoder-dlib", READER),
    "loss_ablation": (*CHAIN[:2], READER),
    "published_ridge": CHAIN[2:],
    "voice_scaling": CHAIN,
    **dict.fromkeys(("voice_encoder", "evaluation_synthetic", "ethics", "neighbours"), (*CHAIN, READER)),
}


def caution(name: str) -> str:
    """A warning in Markdown if a record is older than weights it depends on; "" if not, or if there is no record."""
    record = io.read_record(name)
    if record is None:
        return ""
    newer = [weights for weights in MEASURED_WITH.get(name, ()) if hub.describe(weights)["date"] > record.date]
    if not newer:
        return ""
    names = " and ".join(f"`{weights}`" for weights in newer)
    return (
        f"**Measured with earlier weights.** `results/{name}.json` is of {record.date[:10]}, {names} "
        f"{'are' if len(newer) > 1 else 'is'} younger. The numbers are those of the earlier network until this has run "
        f"again: `{record.command}`."
    )
