"""The voice encoder: Table 1 of the paper, layer by layer, and the narrowed copies."""

import dataclasses

import pytest
import torch

from s2f_lib import audio, voice_encoder
from s2f_lib.voice_encoder import EncoderConfig, VoiceEncoder, layer_walk

# (channels, time, frequency) behind each layer, typed from paper.md 1.2, not computed with the code under test
WALK_6_S = {
    "conv1": (64, 595, 254), "conv2": (64, 592, 251), "conv3": (128, 589, 248), "pool3": (128, 294, 248),
    "conv4": (128, 291, 245), "pool4": (128, 145, 245), "conv5": (128, 142, 242), "pool5": (128, 71, 242),
    "conv6": (256, 68, 239), "pool6": (256, 34, 239), "conv7": (512, 31, 236), "conv8": (512, 14, 117),
    "conv9": (512, 6, 57),
}  # fmt: skip
TIMES_3_S = {"conv3": 289, "pool3": 144, "conv4": 141, "conv5": 67, "conv6": 30, "conv7": 12, "conv8": 5, "conv9": 1}


@pytest.fixture
def tiny() -> EncoderConfig:
    return voice_encoder.preset("quick", channels=[4] * 9, hidden=8, feature_dim=6)


def noise(clips: int, samples: int = 96_000) -> torch.Tensor:
    return torch.randn(clips, samples, generator=torch.Generator().manual_seed(0)) * 0.05


def test_the_paper_preset_has_the_published_number_of_parameters():
    with torch.device("meta"):
        encoder = VoiceEncoder("paper")
    assert voice_encoder.count_parameters(encoder) == 148_062_976
    running = sum(b.numel() for name, b in encoder.named_buffers() if "running" in name)
    assert running == 4_608  # the non-trainable ones of the independent reproduction


def test_the_layer_walk_is_that_of_the_paper():
    walk = {s.name: s[1:] for s in layer_walk(EncoderConfig(), 598)}
    assert {k: walk[k] for k in WALK_6_S} == WALK_6_S
    assert walk["average"] == (512, 1, 57)
    times = {s.name: s.time for s in layer_walk(EncoderConfig(), 298)}
    assert {k: times[k] for k in TIMES_3_S} == TIMES_3_S


@pytest.mark.parametrize("name", ["paper", "quick", "standard"])
def test_the_network_has_the_shapes_of_its_layer_walk(name):
    with torch.device("meta"):
        encoder = VoiceEncoder(name)
        seen = {}
        for i, conv in enumerate(encoder.convs):
            conv.register_forward_hook(lambda module, _, out, i=i: seen.update({f"conv{i + 1}": tuple(out.shape[1:])}))
        out = encoder(torch.empty(2, 2, 598, 257))
    walk = {s.name: s[1:] for s in layer_walk(encoder.config)}
    assert seen == {k: v for k, v in walk.items() if k.startswith("conv")}
    assert out.shape == (2, encoder.config.feature_dim)


def test_a_block_is_conv_then_relu_then_batch_norm(tiny):
    encoder = VoiceEncoder(tiny).eval()
    with torch.no_grad():
        encoder.norms[0].bias.fill_(-3.0)  # if ReLU came last, nothing could be negative
    x = torch.randn(1, 2, 300, 257)
    expected = encoder.norms[0](torch.relu(encoder.convs[0](x)))
    assert torch.equal(encoder._block(0, x), expected)
    assert expected.min() < -2.9


def test_the_ninth_convolution_is_averaged_before_its_relu(tiny):
    encoder = VoiceEncoder(tiny).eval()
    seen = {}
    encoder.convs[8].register_forward_hook(lambda m, i, out: seen.update(conv9=out))
    encoder.norms[8].register_forward_hook(lambda m, i, out: seen.update(into_norm=i[0]))
    encoder(noise(2))
    assert seen["conv9"].min() < 0
    assert torch.allclose(seen["into_norm"], seen["conv9"].mean(dim=2, keepdim=True).clamp_min(0), atol=1e-6)


def test_pooling_is_along_time_only():
    for before, after in zip(walk := layer_walk(EncoderConfig()), walk[1:]):
        if after.name.startswith("pool"):
            assert after.frequency == before.frequency
            assert after.time == before.time // 2


def test_about_89_gmac_a_clip():
    assert voice_encoder.macs_per_clip(EncoderConfig()) == pytest.approx(89e9, rel=0.01)


@pytest.mark.parametrize("name", ["paper", "quick", "standard"])
def test_three_seconds_are_enough_and_much_less_is_refused_with_advice(name):
    config = voice_encoder.preset(name)
    assert voice_encoder.shortest_clip(config) <= 298
    layer_walk(config, voice_encoder.shortest_clip(config))
    with pytest.raises(ValueError, match="fit_to_clip"):
        layer_walk(config, voice_encoder.shortest_clip(config) - 1)


def test_the_papers_shortest_clip_is_259_frames():
    assert voice_encoder.shortest_clip(EncoderConfig()) == 259
    assert voice_encoder.audio_seconds(259) == pytest.approx(2.605)


def test_waveforms_spectrograms_and_int16_give_the_same(tiny):
    encoder = VoiceEncoder(tiny).eval()
    whole = (noise(2) * 32_768).round().clamp(-32_768, 32_767).to(torch.int16)
    waveform = whole.float() / 32_768
    from_waveform = encoder(waveform)
    assert torch.equal(encoder(audio.compressed_spectrogram(waveform)), from_waveform)
    assert torch.allclose(encoder(whole), from_waveform, atol=1e-5)


def test_longer_clips_work_and_wrong_shapes_say_what_is_wanted(tiny):
    encoder = VoiceEncoder(tiny).eval()
    assert encoder(noise(1, 160_000)).shape == (1, 6)
    with pytest.raises(ValueError, match=r"\(B, 2, frames, 257\)"):
        encoder(torch.zeros(1, 2, 598, 200))


def test_the_magnitude_variant_cannot_see_the_phase(tiny):
    encoder = VoiceEncoder(voice_encoder.preset("quick", channels=[4] * 9, hidden=8, input="magnitude")).eval()
    spectrogram = audio.compressed_spectrogram(noise(1))
    assert torch.allclose(encoder(spectrogram), encoder(-spectrogram), atol=1e-5)
    assert torch.allclose(encoder(spectrogram), encoder(spectrogram.flip(1)), atol=1e-4)
    with_phase = VoiceEncoder(tiny).eval()
    assert not torch.allclose(with_phase._block(0, spectrogram), with_phase._block(0, -spectrogram), atol=0.1)


def test_the_magnitude_straight_from_the_sound_is_the_same():
    sound = noise(2)
    expected = voice_encoder.magnitude(audio.compressed_spectrogram(sound))
    assert torch.allclose(voice_encoder.magnitude_of_sound(sound), expected, rtol=1e-3, atol=1e-4)


def test_the_magnitude_is_the_compressed_size_of_the_complex_number():
    parts = torch.tensor([3.0, -4.0]).sign() * torch.tensor([3.0, 4.0]).pow(0.3)
    assert voice_encoder.magnitude(parts.view(1, 2, 1, 1)).item() == pytest.approx(5**0.3, rel=1e-5)


def test_rectifier_filters_each_look_at_one_cell():
    conv = torch.nn.Conv2d(2, 32, (4, 4))
    voice_encoder.rectifier_filters_(conv, noise=0.0)
    looked_at = [tuple(map(tuple, filter_.nonzero().tolist())) for filter_ in conv.weight]
    assert all(len(cells) == 1 for cells in looked_at)
    assert sorted(conv.weight.sum(dim=(1, 2, 3)).unique().tolist()) == [-1.0, 1.0]
    assert len(set(looked_at)) == 16  # 2 parts x 8 cells, each with both signs


def test_gradient_checkpointing_changes_nothing_but_memory(tiny):
    torch.manual_seed(0)
    encoder = VoiceEncoder(tiny).train()
    gradients = []
    for encoder.gradient_checkpointing in (False, True):
        encoder.zero_grad()
        encoder(noise(2)).square().sum().backward()
        gradients.append(encoder.convs[0].weight.grad.clone())
    assert torch.allclose(*gradients, atol=1e-6)


def test_saved_weights_give_the_same_v_s_within_half_precision(tiny, tmp_path):
    torch.manual_seed(0)
    encoder = VoiceEncoder(tiny)
    encoder(noise(8))  # moves the running statistics
    encoder.eval()
    voice_encoder.save(encoder, tmp_path / "e.safetensors", half=False)
    again = voice_encoder.load(tmp_path / "e.safetensors")
    assert again.config == tiny
    assert not again.training
    assert torch.equal(again(noise(2)), encoder(noise(2)))
    voice_encoder.save(encoder, tmp_path / "h.safetensors")
    half = voice_encoder.load(tmp_path / "h.safetensors")(noise(2))
    assert torch.allclose(half, encoder(noise(2)), rtol=0.02, atol=0.02)
    assert not list(tmp_path.glob(".*"))


def test_a_foreign_file_is_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match=r"x\.safetensors does not say the shape"):
        voice_encoder.load(tmp_path / "x.safetensors")


def test_a_configuration_with_a_layer_missing_is_refused():
    with pytest.raises(ValueError, match="needs 9 entries"):
        EncoderConfig(channels=(4,) * 8)


def test_standardised_input_is_what_the_first_layer_gets(tiny):
    plain = VoiceEncoder(dataclasses.replace(tiny, input="magnitude")).eval()
    standard = VoiceEncoder(dataclasses.replace(tiny, input="magnitude", input_mean=0.4, input_scale=0.25)).eval()
    standard.load_state_dict(plain.state_dict())
    x = torch.rand(2, 1, 300, 257)
    with torch.no_grad():
        assert torch.allclose(standard.network(x), plain.network((x - 0.4) / 0.25), atol=1e-5)


def test_he_start_keeps_the_size_of_signals_where_the_default_loses_it():
    torch.manual_seed(0)
    noise, spread = torch.randn(8, 1, 300, 257), {}
    for init in ("default", "he"):
        encoder = VoiceEncoder(voice_encoder.preset("quick", input="magnitude", batch_norm=False, init=init))
        x = noise
        with torch.no_grad():
            for i in range(8):
                x = encoder._block(i, x)
        spread[init] = x.std().item()
    assert spread["he"] > 20 * spread["default"]


def test_group_normalisation_looks_at_one_clip_at_a_time(tiny):
    encoder = VoiceEncoder(dataclasses.replace(tiny, input="magnitude", groups=2)).train()
    x = torch.rand(3, 1, 300, 257)
    assert torch.allclose(encoder.network(x)[:1], encoder.network(x[:1]), atol=1e-5)
    with pytest.raises(ValueError, match="groups must divide"):
        dataclasses.replace(tiny, groups=3)
