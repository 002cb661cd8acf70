"""Pictures and sound come from the asked place of a video, and every damaged file says what is wrong with it."""

import resource
from pathlib import Path

import numpy as np
import pytest

from s2f_lib import audio, media

av = pytest.importorskip("av")
RATE, FPS = 44_100, 10


def make_video(path, seconds=4.0, codecs=("libx264", "aac"), size=(64, 48), rotation=None, channels=2, options=None):
    """Write a video whose grey level and whose tone say the second they are at.

    Second s shows grey 20 + 40 s with a white block in the upper left quarter, and sounds a tone of 500 (s + 1) Hz.
    """
    with av.open(str(path), "w", container_options=options or {}) as container:
        streams = {}
        if codecs[0]:
            picture = container.add_stream(codecs[0], rate=FPS)
            picture.width, picture.height, picture.pix_fmt = *size, "yuv444p" if size[0] % 2 else "yuv420p"
            if rotation:
                picture.set_display_rotation(rotation)
            streams["picture"] = picture
        if codecs[1]:
            rate = 48_000 if "opus" in codecs[1] else RATE
            streams["sound"] = container.add_stream(codecs[1], rate=rate, layout={1: "mono", 2: "stereo"}[channels])
        for second in range(int(np.ceil(seconds))):
            part = min(1.0, seconds - second)
            if codecs[0]:
                for i in range(round(FPS * part)):
                    container.mux(picture.encode(grey_frame(second, second * FPS + i, size)))
            if codecs[1]:
                container.mux(streams["sound"].encode(tone_frame(second, part, rate, channels)))
        for stream in streams.values():
            container.mux(stream.encode(None))
    return path


def grey_frame(second, index, size):
    pixels = np.full((size[1], size[0], 3), min(20 + 40 * second, 200), np.uint8)
    pixels[: size[1] // 2, : size[0] // 2] = 255
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
    frame.pts = index
    return frame


def tone_frame(second, part, rate, channels):
    time = np.arange(round(rate * part)) / rate
    tone = 0.5 * np.sin(2 * np.pi * 500 * (second + 1) * time).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(
        np.stack([tone] * channels), format="fltp", layout={1: "mono", 2: "stereo"}[channels]
    )
    frame.sample_rate, frame.pts = rate, second * rate
    return frame


def loudest(waveform):
    """Frequency (Hz) of the strongest bin, by a plain FFT."""
    return np.abs(np.fft.rfft(waveform)).argmax() * audio.SAMPLE_RATE / len(waveform)


KINDS = [
    ("mp4", "libx264", "aac"),
    ("mov", "mpeg4", "aac"),
    ("mkv", "libx264", "libopus"),
    ("webm", "libvpx", "libopus"),
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind[0])
def test_picture_and_sound_come_from_the_asked_second(tmp_path, kind):
    video = make_video(tmp_path / f"x.{kind[0]}", codecs=kind[1:])
    for second in (0, 2, 3):
        (frame,), waveform = media.read_frames(video, [second + 0.5]), audio.load(video, second, second + 1)
        assert frame.shape == (48, 64, 3)
        assert frame.dtype == np.uint8
        assert abs(int(frame[40, 50, 1]) - (20 + 40 * second)) < 12
        assert waveform.shape == (16_000,)
        assert waveform.dtype == np.float32
        assert loudest(waveform[3000:13000]) == pytest.approx(500 * (second + 1), abs=5)
        assert np.abs(waveform[3000:13000]).max() == pytest.approx(0.5, abs=0.05)


def test_times_are_exact_to_a_few_milliseconds(tmp_path):
    video = make_video(tmp_path / "x.mkv", codecs=("libx264", "libopus"))
    waveform = audio.load(video, 1.5, 2.5)
    energy = [loudest(waveform[i : i + 320]) for i in range(0, 15_680, 160)]
    change = next(i for i, frequency in enumerate(energy) if frequency > 1250)
    assert change * 160 / 16_000 == pytest.approx(0.5, abs=0.03)


def test_the_picture_is_the_one_on_the_screen_at_that_time(tmp_path):
    video = make_video(tmp_path / "x.mp4")
    early, late = media.read_frames(video, [0.99, 1.0])
    assert early[40, 50, 0] < 40 < late[40, 50, 0]
    again = media.read_frames(video, [1.0, 0.99, 1.0])
    np.testing.assert_array_equal(again[0], late)
    np.testing.assert_array_equal(again[1], early)


def test_several_pictures_in_one_reading_equal_single_ones(tmp_path):
    video = make_video(tmp_path / "x.mp4")
    times = [0.0, 1.33, 3.9]
    for together, time in zip(media.read_frames(video, times), times, strict=True):
        np.testing.assert_array_equal(together, media.read_frames(video, [time])[0])


@pytest.mark.parametrize(("rotation", "corner"), [(90, "lower left"), (-90, "upper right"), (180, "lower right")])
def test_a_turned_video_comes_upright(tmp_path, rotation, corner):
    """A phone held upright writes -90: turn clockwise to show. The white block starts in the upper left."""
    video = make_video(tmp_path / "x.mp4", rotation=rotation, seconds=1.0)
    frame = media.read_frames(video, [0.5])[0]
    assert frame.shape == ((64, 48, 3) if abs(rotation) == 90 else (48, 64, 3))
    half = frame.shape[0] // 2, frame.shape[1] // 2
    rows = slice(None, half[0]) if "upper" in corner else slice(half[0], None)
    columns = slice(None, half[1]) if "left" in corner else slice(half[1], None)
    assert frame[rows, columns].mean() > 240
    assert frame.mean() < 100


def test_odd_sizes_are_no_problem(tmp_path):
    frame = media.read_frames(
        make_video(tmp_path / "x.mkv", size=(97, 61), codecs=("libx264", None), seconds=1.0), [0.5]
    )[0]
    assert frame.shape == (61, 97, 3)


def test_mono_and_stereo_of_the_same_tone_are_equally_loud(tmp_path):
    one = audio.load(make_video(tmp_path / "1.mp4", channels=1, seconds=1.0), 0.2, 0.8)
    two = audio.load(make_video(tmp_path / "2.mp4", channels=2, seconds=1.0), 0.2, 0.8)
    assert np.std(one) == pytest.approx(np.std(two), rel=0.02)


def test_no_sound_and_no_picture_are_named(tmp_path):
    silent = make_video(tmp_path / "silent.mp4", codecs=("libx264", None), seconds=1.0)
    blind = make_video(tmp_path / "blind.m4a", codecs=(None, "aac"), seconds=2.0)
    with pytest.raises(audio.AudioError, match="no sound stream"):
        audio.load(silent, 0, 1)
    with pytest.raises(media.MediaError, match="no picture stream"):
        media.read_frames(blind, [0.5])
    assert media.probe(blind).width is None
    assert audio.load(blind, 0.5, 1.5).shape == (16_000,), "m4a, as in VoxCeleb2, is read through PyAV"


def test_probe_tells_what_the_file_says(tmp_path):
    info = media.probe(make_video(tmp_path / "x.mp4"))
    assert info.width == 64
    assert info.seconds == pytest.approx(4.0, abs=0.1)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.mp4", b"", "0 bytes"),
        ("text.mp4", b"this is not a video\n" * 50, "cannot be read"),
        ("page.mp4", b"<!DOCTYPE html><html><body>Sign in</body></html>", "cannot be read"),
        ("list.mp4", b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n", "cannot be read"),
        ("script.mp4", b"ffconcat version 1.0\nfile /etc/hostname\n", "cannot be read"),
    ],
)
def test_what_is_no_video_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(media.MediaError, match=message):
        media.read_frames(tmp_path / name, [0.5])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        media.read_frames(tmp_path / "none.mp4", [0.5])


def test_a_truncated_video_gives_what_is_there_and_an_error_beyond(tmp_path):
    whole = make_video(tmp_path / "whole.mp4", options={"movflags": "faststart"}, size=(320, 240)).read_bytes()
    half = tmp_path / "half.mp4"
    half.write_bytes(whole[: len(whole) * 6 // 10])
    media.read_frames(half, [0.5])
    waveform = audio.load(half, 0, 1)
    assert loudest(waveform[3000:13000]) == pytest.approx(500, abs=5)
    with pytest.raises(audio.AudioError):
        audio.load(half, 3, 4)
    with pytest.raises(media.MediaError):
        media.read_frames(half, [3.5])
    headless = tmp_path / "headless.mp4"
    headless.write_bytes(make_video(tmp_path / "tail.mp4").read_bytes()[:2000])
    with pytest.raises(media.MediaError, match="damaged or truncated"):
        media.read_frames(headless, [0.5])


def test_asking_beyond_the_end_gives_what_is_there_or_an_error(tmp_path):
    video = make_video(tmp_path / "x.mp4", seconds=2.0)
    assert len(audio.load(video, 0.0, 3.0)) == pytest.approx(32_000, abs=1000)
    with pytest.raises(media.MediaError, match=r"no picture at 5\.00 s"):
        media.read_frames(video, [5.0])
    with pytest.raises(audio.AudioError, match="nothing at 7 s"):
        audio.load(video, 7.0, 8.0)


@pytest.mark.parametrize(("start", "end"), [(-1, 1), (2, 2), (3, 1), (0, 10_000), (float("nan"), 1), (0, float("nan"))])
def test_impossible_times_are_refused(tmp_path, start, end):
    with pytest.raises(audio.AudioError, match=r"start < end.*at most 3600 s|begin at 0 s or later"):
        audio.load(make_video(tmp_path / "x.mp4", seconds=1.0), start, end)


def test_giant_pictures_are_refused_before_decoding(tmp_path, monkeypatch):
    video = make_video(tmp_path / "x.mp4", seconds=1.0)
    monkeypatch.setattr(media, "MAX_PIXELS", 1000)
    with pytest.raises(media.MediaError, match="64 x 48 pixels are refused"):
        media.read_frames(video, [0.5])


def test_an_hour_takes_no_more_memory_than_a_second(tmp_path):
    """An hour of sound at 8 kHz is 115 MB as float32; reading one second near its end must not grow by that."""
    long = tmp_path / "hour.mkv"
    with av.open(str(long), "w") as container:
        stream = container.add_stream("pcm_u8", rate=8000, layout="mono")
        for second in range(0, 3600, 60):
            frame = av.AudioFrame.from_ndarray(np.full((1, 480_000), 128, np.uint8), format="u8", layout="mono")
            frame.sample_rate, frame.pts = 8000, second * 8000
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert audio.load(long, 3500, 3501).shape == (16_000,)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # kB


def test_a_name_with_strange_letters_is_only_a_name(tmp_path):
    video = make_video(tmp_path / "é %d:concat|x.mp4", seconds=1.0)
    assert media.read_frames(video, [0.5])[0].shape == (48, 64, 3)
    assert audio.load(video, 0, 0.5).shape == (8000,)


def test_real_talking_heads_give_a_picture_and_speech(published_talking_heads):
    for video in published_talking_heads:
        (frame,), waveform = media.read_frames(video, [1.5]), audio.load(video, 0.5, 2.5)
        assert min(frame.shape[:2]) > 100
        assert 0.001 < np.std(waveform) < 0.5


@pytest.fixture
def published_talking_heads():
    """Real videos that the reader may have; never part of the repository."""
    from s2f_lib.published.layout import locate

    found = sorted((locate() or Path("nowhere")).glob("talking_heads/*.mp4"))
    if not found:
        pytest.skip("no published examples with talking heads here; set S2F_PUBLISHED to their folder")
    return found
