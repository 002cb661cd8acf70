"""The spectrogram is the paper's, checked against numpy and librosa, and any recording is a clip or a clear error."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from s2f_lib import audio
from s2f_lib.audio import _fast

soundfile = pytest.importorskip("soundfile")


def tone(frequency=440.0, seconds=6.0, rate=audio.SAMPLE_RATE, loudness=0.5):
    return loudness * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def speechlike(seed=0, samples=96_000):
    """Noise with a falling spectrum and a slow loudness, between silence and full scale."""
    random = np.random.default_rng(seed)
    noise = np.cumsum(random.standard_normal(samples)) * 0.01
    noise -= np.convolve(noise, np.ones(200) / 200, "same")
    return (noise / np.abs(noise).max() * np.abs(np.sin(np.arange(samples) / 9000))).astype(np.float32)


def by_hand(waveform):
    """The same spectrogram in 64-bit numpy, written down from the paper; (598, 257, 2)."""
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(waveform, np.float64), 400)[::160]
    spectrum = np.fft.rfft(frames * np.hanning(401)[:-1], n=512)
    parts = np.stack([spectrum.real, spectrum.imag], axis=-1)
    return np.sign(parts) * np.abs(parts) ** 0.3


def linear(compressed):
    """Undo the compression."""
    return np.sign(compressed) * np.abs(compressed) ** (1 / 0.3)


# --- the spectrogram


def test_six_seconds_have_the_shape_of_the_paper():
    spectrogram = audio.compressed_spectrogram(np.zeros((3, 96_000)))
    assert spectrogram.shape == (3, 2, 598, 257)
    assert spectrogram.dtype == torch.float32
    assert audio.compressed_spectrogram(np.zeros(48_000), seconds=3).shape == (1, 2, 298, 257)
    assert audio.compressed_spectrogram(np.zeros(400), seconds=None).shape == (1, 2, 1, 257)


@pytest.fixture(params=["compiled", "torch"])
def each_way(request, monkeypatch):
    """With the compiled kernel, and as on a machine without numba."""
    if request.param == "torch":
        monkeypatch.setitem(sys.modules, "numba", None)
    _fast.kernel.cache_clear()
    assert (_fast.kernel() is _fast.with_torch) == (request.param == "torch")
    yield
    _fast.kernel.cache_clear()


@pytest.mark.parametrize("seed", range(3))
def test_equal_to_numpy_by_hand(seed, each_way):
    waveform = speechlike(seed)
    ours = audio.compressed_spectrogram(waveform)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(linear(ours), linear(by_hand(waveform)), rtol=1e-6, atol=3e-6)
    np.testing.assert_allclose(ours, by_hand(waveform), atol=0.02)  # at x near 0, |x| ** 0.3 magnifies rounding
    loud = np.abs(by_hand(waveform)) > 0.05
    np.testing.assert_allclose(ours[loud], by_hand(waveform)[loud], rtol=0.02)


def test_the_compression_is_right_for_quiet_and_loud(each_way):
    """An impulse in the middle of the window has its own height in bin 0, so any x can be put in."""
    x = np.concatenate([-np.logspace(-12, 9, 999), [0.0], np.logspace(-12, 9, 999)]).astype(np.float32)
    clips = np.zeros((len(x), 400), np.float32)
    clips[:, 200] = x
    exact = np.sign(x) * np.minimum(np.abs(x.astype(float)) ** 0.3, np.abs(x) * 1e7)  # linear below 1e-10
    real = audio.compressed_spectrogram(clips, seconds=None)[:, 0, 0, 0].numpy()
    np.testing.assert_allclose(real, exact, rtol=3e-6 if _fast.kernel() is _fast.with_torch else 5e-7)
    size = audio.compressed_magnitude(clips, seconds=None)[:, 0, 0, 0].numpy()
    np.testing.assert_allclose(size, np.abs(exact), rtol=3e-6)


@pytest.mark.parametrize("samples", [400, 559, 560, 12_345, 48_000, 100_001])
def test_any_length_is_equal_to_numpy_by_hand(samples, each_way):
    waveform = speechlike(6, samples)
    ours = audio.compressed_spectrogram(waveform, seconds=None)[0].permute(1, 2, 0).numpy()
    assert ours.shape == ((samples - 400) // 160 + 1, 257, 2)
    np.testing.assert_allclose(linear(ours), linear(by_hand(waveform)), rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("clips", [1, 3, 64])
def test_the_magnitude_is_the_size_of_both_parts(clips, each_way):
    waveforms = np.stack([speechlike(seed, 4000) for seed in range(clips)])
    exact = np.stack([np.linalg.norm(linear(by_hand(w)), axis=-1) ** 0.3 for w in waveforms])[:, None]
    ours = audio.compressed_magnitude(waveforms, seconds=None)
    assert ours.dtype == torch.float32
    np.testing.assert_allclose(linear(ours.numpy()), linear(exact), rtol=1e-6, atol=3e-6)
    with_gradient = audio.compressed_magnitude(torch.as_tensor(waveforms).requires_grad_(), seconds=None)
    torch.testing.assert_close(with_gradient.detach(), ours, atol=1e-3, rtol=1e-3)


def test_silence_has_nothing_in_it(each_way):
    assert not audio.compressed_spectrogram(np.zeros(96_000)).any()
    torch.testing.assert_close(audio.compressed_magnitude(np.zeros(96_000)), torch.zeros(1, 1, 598, 257))


def test_equal_to_librosa_at_the_same_framing():
    """librosa puts the window of 400 in the middle of a frame of 512: 56 samples later, a known turn of the phase."""
    librosa = pytest.importorskip("librosa")
    waveform = speechlike(5)
    theirs = librosa.stft(waveform, n_fft=512, hop_length=160, win_length=400, center=False)
    theirs = theirs.T * np.exp(2j * np.pi * 56 * np.arange(257) / 512)
    assert theirs.shape == (597, 257)
    ours = audio.compressed_spectrogram(waveform[56:], seconds=None)[0, :, :597].numpy()
    np.testing.assert_allclose(linear(ours[0]), theirs.real, rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(linear(ours[1]), theirs.imag, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("frequency", [250, 1000, 3437.5, 7000])
def test_a_tone_peaks_in_its_own_bin(frequency):
    spectrogram = audio.compressed_spectrogram(tone(frequency)).numpy()
    power = (np.abs(spectrogram) ** (2 / audio.POWER)).sum(axis=(0, 1, 2))
    assert power.argmax() == round(frequency * audio.N_FFT / audio.SAMPLE_RATE)


def test_the_compressed_parts_of_a_known_frame():
    """A single impulse at sample 200 of a frame: the window is 1 there, the spectrum exp(-2 pi i 200 k / 512)."""
    waveform = np.zeros(400)
    waveform[200] = 0.5
    parts = audio.compressed_spectrogram(waveform, seconds=None)[0, :, 0]
    angle = -2 * np.pi * 200 * np.arange(257) / 512
    for part, exact in zip(parts, (0.5 * np.cos(angle), 0.5 * np.sin(angle)), strict=True):
        np.testing.assert_allclose(linear(part.numpy()), exact, atol=1e-6)


def test_clips_of_a_batch_do_not_touch_each_other():
    clips = np.stack([speechlike(seed) for seed in range(5)])
    together = audio.compressed_spectrogram(clips)
    for i, clip in enumerate(clips):
        torch.testing.assert_close(together[i : i + 1], audio.compressed_spectrogram(clip))


def test_strided_sound_is_read_as_it_stands_and_left_alone():
    clips = torch.as_tensor(np.stack([speechlike(seed, 8000) for seed in range(3)]))
    known, before = audio.compressed_spectrogram(clips, seconds=None), clips.clone()
    strided = torch.stack((clips, -clips), dim=-1)[..., 0]
    assert torch.equal(audio.compressed_spectrogram(strided, seconds=None), known)
    assert torch.equal(audio.compressed_spectrogram(clips.T.contiguous().T, seconds=None), known)
    assert torch.equal(audio.compressed_spectrogram(clips[:1].expand(2, -1), seconds=None), known[[0, 0]])
    assert torch.equal(clips, before)


def test_two_threads_at_once_get_what_one_gets():
    batches = [torch.as_tensor(np.stack([speechlike(10 * i + j, 32_000) for j in range(4)])) for i in range(4)]
    known = [audio.compressed_spectrogram(batch, seconds=None) for batch in batches]
    with ThreadPoolExecutor(2) as pool:
        together = pool.map(lambda batch: audio.compressed_spectrogram(batch, seconds=None), batches * 4)
    assert all(map(torch.equal, together, known * 4))


def test_threads_change_neither_the_numbers_nor_what_torch_may_use():
    batch, before = torch.as_tensor(np.stack([speechlike(i, 32_000) for i in range(5)])), torch.get_num_threads()
    known = audio.compressed_spectrogram(batch, seconds=None)
    try:
        torch.set_num_threads(3)
        together = audio.compressed_spectrogram(batch, seconds=None)
        with ThreadPoolExecutor(1) as pool:  # of a thread that begins afterwards
            allowed = torch.get_num_threads(), pool.submit(torch.get_num_threads).result()
    finally:
        torch.set_num_threads(before)
    assert torch.equal(together, known)
    assert allowed == (3, 3)


class Spectrograms(torch.utils.data.Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, i):
        return audio.compressed_spectrogram(speechlike(i))[0]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_a_forked_loader_gets_what_its_parent_gets():
    known = [Spectrograms()[i] for i in range(4)]  # so the parent has compiled and used its threads
    loader = torch.utils.data.DataLoader(
        Spectrograms(), batch_size=None, num_workers=2, multiprocessing_context="fork", timeout=600
    )
    assert all(map(torch.equal, loader, known))


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int16, torch.float64, torch.float32, torch.int16])
def test_every_sample_type_gives_the_same(kind):
    integers = np.round(speechlike() * 20_000).astype(np.int16)
    known = audio.compressed_spectrogram(integers / 32768)
    if kind in (np.int16, torch.int16):
        given = integers if kind is np.int16 else torch.as_tensor(integers)
    else:
        given = (
            (integers / 32768).astype(kind) if isinstance(kind, type) else torch.as_tensor(integers / 32768).to(kind)
        )
    torch.testing.assert_close(audio.compressed_spectrogram(given), known, atol=2e-3, rtol=1e-3)


def test_the_way_with_gradient_gives_the_same_numbers():
    waveform = torch.as_tensor(np.stack([speechlike(1), speechlike(2)]))
    fast = audio.compressed_spectrogram(waveform)
    slow = audio.compressed_spectrogram(waveform.clone().requires_grad_())
    torch.testing.assert_close(fast, slow.detach(), atol=1e-3, rtol=1e-3)


def test_gradient_equals_that_of_the_formula_in_64_bit():
    waveform = torch.as_tensor(speechlike(3, 800) + 0.1)
    weights = torch.randn(3, 257, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    exact = waveform.double().requires_grad_()
    spectrum = torch.fft.rfft(exact.unfold(0, 400, 160) * torch.hann_window(400, dtype=torch.float64), n=512)
    parts = torch.view_as_real(spectrum)
    away = parts.detach().abs() > 1e-3  # at 0 the formula's own slope is infinite
    (parts[away].sign() * parts[away].abs() ** 0.3 * weights[away]).sum().backward()
    ours = waveform.clone().requires_grad_()
    spectrogram = audio.compressed_spectrogram(ours, seconds=None)[0].permute(1, 2, 0)
    (spectrogram * weights * away).sum().backward()
    np.testing.assert_allclose(ours.grad, exact.grad, atol=2e-3 * float(exact.grad.abs().max()))


def test_gradient_of_silence_is_finite():
    silence = torch.zeros(1, 96_000, requires_grad=True)
    audio.compressed_spectrogram(silence).sum().backward()
    assert torch.isfinite(silence.grad).all()


@pytest.mark.gpu
def test_on_a_gpu_as_on_the_cpu():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    waveform = torch.as_tensor(speechlike())[None]
    there = audio.compressed_spectrogram(waveform.cuda())
    assert there.device.type == "cuda"
    np.testing.assert_allclose(
        linear(there.cpu().numpy()), linear(audio.compressed_spectrogram(waveform).numpy()), atol=1e-5
    )


@pytest.mark.parametrize(
    ("waveform", "message"),
    [
        (np.zeros(10), r"expected waveforms of 96000 samples \(6 s at 16 kHz\).*fit_to_clip"),
        (np.zeros((2, 3, 96_000)), "shape"),
        (np.zeros((96_000, 1)), "fit_to_clip"),
        (np.full(96_000, np.nan), "NaN"),
        (np.full(96_000, np.inf), "NaN or infinite"),
        (np.zeros(96_000, np.int32), "int16 samples, got torch.int32"),
    ],
)
def test_what_is_no_clip_is_refused(waveform, message):
    with pytest.raises(ValueError, match=message):
        audio.compressed_spectrogram(waveform)


def test_less_than_a_frame_is_refused():
    with pytest.raises(ValueError, match="at least 400 samples"):
        audio.compressed_spectrogram(np.zeros(399), seconds=None)


# --- and back


def test_the_inverse_gives_the_sound_back():
    clips = np.stack([speechlike(1), speechlike(2)])
    back = audio.invert_spectrogram(audio.compressed_spectrogram(clips)).numpy()
    assert back.shape == (2, 96_000)
    np.testing.assert_allclose(back[:, 25:-105], clips[:, 25:-105], atol=1e-5)
    assert not back[:, -80:].any(), "the last 80 samples are in no frame"


def test_the_inverse_takes_one_and_any_length():
    assert audio.invert_spectrogram(torch.zeros(2, 298, 257)).shape == (1, 48_000)
    assert audio.invert_spectrogram(torch.zeros(2, 1, 257)).shape == (1, 160 + 320)
    with pytest.raises(ValueError, match="shape"):
        audio.invert_spectrogram(torch.zeros(2, 598, 256))


# --- six seconds


def test_long_clips_are_cut_from_the_beginning():
    waveform = np.arange(200_000.0)
    np.testing.assert_array_equal(audio.fit_to_clip(waveform), np.arange(96_000.0))


@pytest.mark.parametrize("length", [1, 2, 47_999, 48_000, 95_999, 96_000])
def test_short_clips_are_repeated(length):
    fitted = audio.fit_to_clip(np.arange(float(length)))
    np.testing.assert_array_equal(fitted, np.arange(96_000) % length)


def test_tensors_stay_tensors():
    fitted = audio.fit_to_clip(torch.arange(5.0), seconds=12 / 16_000)
    assert torch.equal(fitted, torch.tensor([0.0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]))


@pytest.mark.parametrize(
    ("waveform", "message"),
    [(np.zeros(0), "0 samples"), (np.zeros((2, 9)), "mono"), (np.array([0, np.nan]), "NaN"), (torch.zeros(0), "0 sam")],
)
def test_what_cannot_become_a_clip_is_refused(waveform, message):
    with pytest.raises(audio.AudioError, match=message):
        audio.fit_to_clip(waveform)


# --- files


@pytest.mark.parametrize(
    ("ending", "subtype", "near"), [("wav", None, 1e-4), ("flac", None, 1e-4), ("ogg", None, 0.1), ("mp3", None, 0.1)]
)
@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (44_100, 2), (48_000, 3), (8_000, 1)])
def test_any_format_rate_and_channel_count(tmp_path, ending, subtype, near, rate, channels):
    if ending == "mp3" and channels > 2:
        pytest.skip("mp3 has at most two channels")
    path = tmp_path / f"x.{ending}"
    soundfile.write(path, np.stack([tone(440, 2, rate)] * channels, axis=1), rate, subtype=subtype)
    waveform = audio.load(path)
    assert waveform.dtype == np.float32
    assert waveform.shape[0] == pytest.approx(32_000, abs=2500 if ending == "mp3" else 1)
    inside = waveform[4000:28_000]
    assert np.abs(np.fft.rfft(inside)).argmax() * 16_000 / len(inside) == pytest.approx(440, abs=1)
    assert np.std(inside) == pytest.approx(0.5 / np.sqrt(2), rel=0.02)
    if near < 1e-3 and rate == 16_000:
        np.testing.assert_allclose(waveform, tone(440, 2), atol=near)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
def test_any_sample_type(tmp_path, subtype):
    soundfile.write(tmp_path / "x.wav", tone(440, 0.5), 16_000, subtype=subtype)
    np.testing.assert_allclose(audio.load(tmp_path / "x.wav"), tone(440, 0.5), atol=0.02)


def test_resampling_keeps_speech_and_removes_what_does_not_fit():
    low, high = tone(1000, 2, 48_000), tone(11_000, 2, 48_000)
    np.testing.assert_allclose(audio.resample(low, 48_000)[500:-500], tone(1000, 2)[500:-500], atol=2e-3)
    assert np.abs(audio.resample(high, 48_000)[500:-500]).max() < 2e-3, "11 kHz would fold to 5 kHz"


def test_channels_are_averaged(tmp_path):
    left, right = tone(300, 1), tone(900, 1)
    soundfile.write(tmp_path / "x.wav", np.stack([left, right], axis=1), 16_000, subtype="FLOAT")
    np.testing.assert_allclose(audio.load(tmp_path / "x.wav"), (left + right) / 2, atol=1e-6)


def test_a_part_of_a_file(tmp_path):
    waveform = speechlike(0, 64_000)
    soundfile.write(tmp_path / "x.wav", waveform, 16_000, subtype="FLOAT")
    np.testing.assert_allclose(audio.load(tmp_path / "x.wav", 1.0, 2.5), waveform[16_000:40_000], atol=1e-6)
    with pytest.raises(audio.AudioError, match=r"no sound .*nothing at 9 s"):
        audio.load(tmp_path / "x.wav", 9.0)
    with pytest.raises(audio.AudioError, match="start < end"):
        audio.load(tmp_path / "x.wav", 2.0, 1.0)


def test_silence_one_sample_and_clipping_are_sound(tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(16_000), 16_000)
    assert not audio.load(tmp_path / "silence.wav").any()
    soundfile.write(tmp_path / "one.wav", np.array([0.25]), 16_000)
    assert audio.fit_to_clip(audio.load(tmp_path / "one.wav")).tolist() == [0.25] * 96_000
    soundfile.write(tmp_path / "clipped.wav", np.clip(tone(loudness=3.0), -1, 1), 16_000)
    assert np.abs(audio.load(tmp_path / "clipped.wav")).max() <= 1.0
    soundfile.write(tmp_path / "over.wav", tone(loudness=1.5), 16_000, subtype="FLOAT")
    assert np.abs(audio.load(tmp_path / "over.wav")).max() == 1.0


def floats(path, samples):
    soundfile.write(path, samples, 16_000, subtype="FLOAT")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_bytes(b""), "0 bytes"),
        (lambda path: path.write_text("not a sound\n" * 99), "cannot be read"),
        (lambda path: path.write_text("<!DOCTYPE html><html></html>"), "cannot be read"),
        (lambda path: floats(path, np.array([0.1, np.nan])), "NaN"),
        (lambda path: floats(path, tone(seconds=0.1) * 32767), "integers saved as floats"),
        (lambda path: floats(path, np.zeros(0)), r"nothing at|0 samples"),
    ],
    ids=["empty", "text", "html", "nan", "integers as floats", "no samples"],
)
def test_what_is_no_sound_is_named(tmp_path, make, message):
    make(tmp_path / "x.wav")
    with pytest.raises(audio.AudioError, match=message):
        audio.load(tmp_path / "x.wav")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        audio.load(tmp_path / "x.wav")


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((0,)), "at least one sample"),
        (np.zeros((16_000, 2)), "transpose"),
        (np.zeros((1, 2, 3)), "channels, samples"),
        (np.zeros(9, bool), "got bool"),
    ],
)
def test_what_is_no_recording_is_refused(samples, message):
    with pytest.raises(audio.AudioError, match=message):
        audio.to_mono(samples)


def test_written_sound_comes_back(tmp_path):
    waveform = speechlike(0, 8000)
    for ending in ("wav", "flac"):
        path = audio.write(tmp_path / f"x.{ending}", waveform)
        np.testing.assert_allclose(audio.load(path), waveform, atol=1e-4)
    with pytest.raises(audio.AudioError, match="NaN"):
        audio.write(tmp_path / "y.wav", np.array([np.nan]))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.flac", "x.wav"]
