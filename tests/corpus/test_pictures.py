"""Pictures and sound of a corpus as they really are: turned, of 16 bits, tiny, silent."""

import io

import numpy as np
import pytest

from s2f_lib import audio, media
from s2f_lib.corpus import crops, shards, steps

Image = pytest.importorskip("PIL.Image")


def stored(picture, kind, **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def test_sixteen_bits_of_grey_are_scaled():
    ramp = np.tile(np.linspace(0, 65_535, 64).astype(np.uint16), (32, 1))
    read = shards.decode("png", stored(Image.fromarray(ramp), "PNG"))
    assert read.shape == (32, 64, 3)
    np.testing.assert_allclose(read[0, :, 0], ramp[0] / 257, atol=1)


@pytest.mark.parametrize(
    ("orientation", "corner"),
    [(2, (0, -1)), (3, (-1, -1)), (4, (-1, 0)), (5, (0, 0)), (6, (0, -1)), (7, (-1, -1)), (8, (-1, 0)), (99, (0, 0))],
)
def test_a_turned_picture_comes_upright(orientation, corner):
    """The bright corner is stored at the upper left; the EXIF note says where it belongs."""
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:16, :16] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    read = shards.decode("jpg", stored(Image.fromarray(pixels), "JPEG", exif=exif, quality=95))
    assert read.shape == ((64, 48, 3) if 5 <= orientation <= 8 else (48, 64, 3))
    assert read[corner].min() > 230


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_every_mode_is_rgb(mode):
    kind = "JPEG" if mode == "CMYK" else "PNG"
    assert shards.decode("png", stored(Image.new(mode, (20, 30)), kind)).shape == (30, 20, 3)


def test_the_first_picture_of_an_animation_is_taken():
    red, blue = (Image.new("RGB", (20, 30), colour) for colour in ("red", "blue"))
    for kind in ("PNG", "MPO"):
        read = media.read_picture(stored(red, kind, save_all=True, append_images=[blue]))
        assert read.shape == (30, 20, 3)
        assert np.abs(read - np.array([255.0, 0, 0])).max() < 3


@pytest.mark.parametrize("kind", ["WEBP", "GIF", "BMP", "TIFF", "PNG", "JPEG"])
def test_other_and_cut_pictures_are_refused(kind):
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    data = stored(Image.fromarray(noise), kind)
    with pytest.raises(media.MediaError, match="damaged"):
        media.read_picture(data[: len(data) // 2] if kind in ("PNG", "JPEG") else data)


@pytest.fixture
def clip(tmp_path):
    """Sound and picture of one clip as a manifest names them; gives its row after the step."""
    pytest.importorskip("dlib")
    from s2f_lib import people

    face = people.render_canonical(people.sample(1, seed=5)[0], size=160)
    face = np.pad(face, ((40, 40), (40, 40), (0, 0)), constant_values=120)
    usual = {"speaker_id": "s", "video_id": "v", "split": "", "status": "ok", "reason": ""}

    def made(sound, picture=face):
        import soundfile

        soundfile.write(tmp_path / "a.wav", sound, 16_000, subtype="FLOAT")
        Image.fromarray(picture).save(tmp_path / "a.png")
        step = crops.crop_step(tmp_path, size=64)
        rows = [{"clip_id": "a", **usual, "sound": "a.wav", "picture": "a.png"}]
        (row,) = steps.run(step, rows, tmp_path / "out", overwrite=True, progress=False)
        return row, tmp_path / "out" / "pairs" / "a.flac"

    return made


def test_a_silent_clip_is_skipped_with_its_reason(clip):
    row, _ = clip(np.zeros(48_000))
    assert (row["status"], row["reason"]) == ("skipped", "silent")
    row, _ = clip(1e-6 * np.sin(np.arange(48_000)))
    assert (row["status"], row["reason"]) == ("skipped", "silent")
    assert "at -1" in row["detail"]


def test_the_level_of_a_clip_is_noted_and_taken_out(clip):
    tone = np.sin(2 * np.pi * 440 * np.arange(48_000) / 16_000)
    loud, path = clip(0.5 * tone)
    first = audio.load(path)
    soft, path = clip(0.005 * tone)
    np.testing.assert_allclose(audio.load(path), first, atol=1e-4)
    assert float(loud["level_db"]) - float(soft["level_db"]) == pytest.approx(40, abs=0.2)


@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (2, 2)])
def test_a_tiny_picture_is_lost_alone(clip, shape):
    row, _ = clip(0.1 * np.sin(np.arange(48_000)), np.zeros((*shape, 3), np.uint8))
    assert (row["status"], row["reason"]) == ("skipped", "picture too small")
