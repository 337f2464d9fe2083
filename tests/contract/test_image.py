import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

from samesight.contract.errors import SamesightError
from samesight.contract.image import Picture, list_images, load_picture, over, read_header
from samesight.contract.orientation import UPRIGHT, Orientation, from_exif
from samesight.contract.random_images import Generator, random_image
from samesight.contract.spec import read_spec

RGB = random_image(Generator(11), 24, 16)
BACKGROUND = (10, 200, 30)


def encoded(image, format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def pixels_of(image, format="PNG", background=BACKGROUND, **options):
    return load_picture(encoded(image, format, **options), background).pixels


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("PNG", {}),
        ("BMP", {}),
        ("PPM", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("WEBP", {"lossless": True}),
    ],
)
def test_lossless_formats_give_the_pixels(format, options):
    picture = load_picture(encoded(Image.fromarray(RGB), format, **options))
    assert np.array_equal(picture.pixels, RGB)
    assert picture.orientation == UPRIGHT
    assert (picture.width, picture.height) == (24, 16)


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF", "JPEG2000", "GIF"])
def test_lossy_formats_open(format):
    smooth = Image.fromarray(RGB).resize((64, 64))
    assert np.abs(pixels_of(smooth, format).astype(int) - np.asarray(smooth)).mean() < 25


def test_grey_palette_and_bilevel():
    image = Image.fromarray(RGB)
    grey = image.convert("L")
    assert np.array_equal(pixels_of(grey), np.repeat(np.asarray(grey)[:, :, None], 3, axis=2))
    bilevel = image.convert("1")
    assert np.array_equal(pixels_of(bilevel)[:, :, 0], np.asarray(bilevel) * np.uint8(255))
    palette = image.quantize(7)
    assert np.array_equal(pixels_of(palette), np.asarray(palette.convert("RGB")))


def composed(colours, alpha):
    a = alpha.astype(int)[:, :, None]
    return (colours.astype(int) * a + np.array(BACKGROUND) * (255 - a) + 127) // 255


def test_alpha_lies_over_the_background():
    alpha = Generator(1).bytes(24 * 16).reshape(16, 24)
    rgba = Image.fromarray(np.dstack([RGB, alpha]))
    assert np.array_equal(pixels_of(rgba), composed(RGB, alpha))
    grey = RGB[:, :, 0]
    la = Image.fromarray(np.dstack([grey, alpha]))
    assert np.array_equal(pixels_of(la), composed(np.dstack([grey] * 3), alpha))


def test_transparent_palette_entries_and_colours():
    palette = Image.fromarray(RGB).quantize(6)
    indices = np.asarray(palette)
    seen = pixels_of(palette, transparency=2)
    assert (seen[indices == 2] == BACKGROUND).all()
    opaque = np.asarray(palette.convert("RGB"))
    assert np.array_equal(seen[indices != 2], opaque[indices != 2])
    shades = bytes([255, 128, 0, 255, 255, 255])
    alpha = np.frombuffer(shades, np.uint8)[indices]
    assert np.array_equal(pixels_of(palette, transparency=shades), composed(opaque, alpha))
    flat = RGB.copy()
    flat[:4] = (1, 2, 3)
    seen = pixels_of(Image.fromarray(flat), transparency=(1, 2, 3))
    assert (seen[:4] == BACKGROUND).all()
    assert np.array_equal(seen[4:], flat[4:])
    grey = flat[:, :, 0]
    seen = pixels_of(Image.fromarray(grey), transparency=1)
    assert (seen[grey == 1] == BACKGROUND).all()


def test_sixteen_bits_keep_the_high_byte():
    samples = Generator(2).bytes(24 * 16 * 2).view("<u2").reshape(16, 24)
    for format in ("PNG", "TIFF"):
        seen = pixels_of(Image.fromarray(samples), format)
        assert np.array_equal(seen, np.repeat((samples >> 8).astype(np.uint8)[:, :, None], 3, axis=2))
    seen = pixels_of(Image.fromarray(samples), transparency=int(samples[3, 5]))
    assert (seen[3, 5] == BACKGROUND).all()


def test_cmyk_without_profile_is_pillows():
    cmyk = Image.fromarray(RGB).convert("CMYK")
    assert np.array_equal(pixels_of(cmyk, "TIFF"), np.asarray(cmyk.convert("RGB")))


@pytest.mark.parametrize(("mode", "dtype"), [("I", np.int32), ("F", np.float32)])
def test_32_bit_samples_are_refused(mode, dtype):
    data = encoded(Image.fromarray(np.ones((4, 4), dtype)), "TIFF")
    with pytest.raises(SamesightError, match=f"^scan.tif: its samples .Pillow mode {mode}. are not .* 8-bit RGB$"):
        load_picture(data, name="scan.tif")


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize(
    ("format", "options"),
    [("JPEG", {}), ("PNG", {}), ("WEBP", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"})],
)
def test_orientation_is_found(format, options, value):
    image = Image.fromarray(RGB)
    exif = image.getexif()
    exif[0x0112] = value
    data = encoded(image, format, exif=exif, **options)
    picture = load_picture(data)
    with Image.open(io.BytesIO(data)) as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored).convert("RGB"))
    assert np.array_equal(picture.upright(), expected)
    # Pillow's TIFF reader turns the pixels itself.
    assert picture.orientation == (UPRIGHT if format == "TIFF" else from_exif(value))


def test_broken_exif_leaves_the_image():
    data = encoded(Image.fromarray(RGB), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff broken")
    assert load_picture(data).orientation == UPRIGHT


def srgb_profile(change):
    """The bytes of sRGB after `change(data, red, green)`: where its red and green primaries stand."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack_from(">I", data, 128)[0]
    entries = {bytes(data[132 + 12 * i : 136 + 12 * i]): 136 + 12 * i for i in range(count)}
    change(data, *(struct.unpack_from(">I", data, entries[name])[0] for name in (b"rXYZ", b"gXYZ")))
    return bytes(data)


def wide_gamut_profile():
    """Red and green exchanged: a valid profile that moves colours far."""

    def exchange(data, red, green):
        data[red : red + 20], data[green : green + 20] = data[green : green + 20], data[red : red + 20]

    return srgb_profile(exchange)


def nearly_srgb_profile():
    """A green a little brighter, as other makers' sRGB have it."""

    def shift(data, _red, green):
        x, y, z = struct.unpack_from(">iii", data, green + 8)
        struct.pack_into(">iii", data, green + 8, x, y + 30, z)

    return srgb_profile(shift)


def test_another_makers_srgb_changes_nothing():
    profile = nearly_srgb_profile()
    transform = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), "RGB", "RGB"
    )
    image = Image.fromarray(RGB)
    assert not np.array_equal(np.asarray(transform.apply(image)), RGB)
    assert np.array_equal(pixels_of(image, icc_profile=profile), RGB)


def test_a_colour_profile_is_applied():
    seen = pixels_of(Image.fromarray(RGB), icc_profile=wide_gamut_profile())
    assert np.abs(seen.astype(int) - RGB[:, :, [1, 0, 2]]).max() <= 2


def test_a_profile_under_alpha_is_applied_to_colours_alone():
    alpha = np.full((16, 24), 255, np.uint8)
    alpha[:8] = 0
    seen = pixels_of(Image.fromarray(np.dstack([RGB, alpha])), icc_profile=wide_gamut_profile())
    assert (seen[:8] == BACKGROUND).all()
    assert np.abs(seen[8:].astype(int) - RGB[8:, :, [1, 0, 2]]).max() <= 2


def test_srgb_damaged_and_foreign_profiles_change_nothing():
    image = Image.fromarray(RGB)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, srgb[:200], b"nonsense", bytes(200)):
        assert np.array_equal(pixels_of(image, icc_profile=profile), RGB)
    cmyk = image.convert("CMYK")
    foreign = wide_gamut_profile()
    assert np.array_equal(pixels_of(cmyk, "TIFF", icc_profile=foreign), np.asarray(cmyk.convert("RGB")))


def test_animation_gives_its_first_frame():
    first, second = Image.fromarray(RGB), Image.fromarray(255 - RGB)
    data = encoded(first, "PNG", save_all=True, append_images=[second])
    assert np.array_equal(load_picture(data).pixels, RGB)
    gif = encoded(first.quantize(8), "GIF", save_all=True, append_images=[second.quantize(8)])
    assert np.array_equal(load_picture(gif).pixels, np.asarray(first.quantize(8).convert("RGB")))


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bomb(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


JPEG = encoded(Image.fromarray(RGB), "JPEG")
PNG = encoded(Image.fromarray(random_image(Generator(5), 200, 200)))
BAD = {
    "empty": (b"", "empty"),
    "text": (b"<html>not found</html>", "not an image"),
    "zeros": (bytes(5000), "not an image"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n", "not an image"),
    "cut JPEG": (JPEG[: len(JPEG) // 2], "damaged or cut off"),
    "cut PNG": (PNG[: len(PNG) // 2], "damaged or cut off"),
    "cut header": (PNG[:20], "(not an image|damaged or cut off)"),
    "flipped bit": (PNG[:3000] + bytes([PNG[3000] ^ 255]) + PNG[3001:], "damaged or cut off"),
    "bomb": (bomb(60_000, 60_000), "pixels"),
    "just too large": (bomb(13_378, 13_378), "178,956,970"),
    "too wide": (bomb(65_536, 1), "65535 a side"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_get_one_sentence(case, tmp_path, recwarn):
    data, reason = BAD[case]
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    with pytest.raises(SamesightError, match=reason) as caught:
        load_picture(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message and message.count("photo.jpg") == 1
    assert not recwarn.list


def test_the_limit_holds_where_pillows_own_is_off(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(SamesightError, match="13378 x 13378 pixels, but at most 178,956,970 in all"):
        load_picture(bomb(13_378, 13_378))


def test_missing_folder_and_bytes_are_named(tmp_path):
    with pytest.raises(SamesightError, match=r"missing\.png: no such file"):
        load_picture(tmp_path / "missing.png")
    with pytest.raises(SamesightError, match=r"is a folder; give an image file$"):
        load_picture(tmp_path)
    with pytest.raises(SamesightError, match=r"^the image: the file is empty"):
        load_picture(b"")
    with pytest.raises(SamesightError, match=r"^upload 3: the file is empty"):
        load_picture(b"", name="upload 3")


def test_a_hidden_text_bomb_is_refused():
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "a" * 20_000_000, zip=True)
    with pytest.raises(SamesightError, match="damaged"):
        load_picture(encoded(Image.fromarray(RGB), pnginfo=info))


@pytest.mark.parametrize(
    "pixels",
    [
        RGB[:, :, 0],
        RGB.astype(np.float32),
        np.dstack([RGB, RGB])[:, :, :4],
        RGB[:0],
        np.zeros((1, 65_536, 3), np.uint8),
        [1],
    ],
)
def test_a_picture_is_rgb_bytes(pixels):
    with pytest.raises(SamesightError, match="a picture"):
        Picture(pixels)


def test_upright_turns():
    assert Picture(RGB, Orientation(1)).upright().shape == (24, 16, 3)


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_over_is_the_nearest_integer(p, a, b):
    seen = over(np.full((1, 1, 3), p, np.uint8), np.full((1, 1), a, np.uint8), (b, b, b))[0, 0, 0]
    assert abs(int(seen) - (p * a + b * (255 - a)) / 255) <= 0.5


def test_imports_are_light():
    # pydantic imports itself on first use: a model belongs to the baseline.
    code = """
import time, numpy, PIL.Image, pydantic
class Model(pydantic.BaseModel):
    x: int = pydantic.Field(ge=0)
    model_config = pydantic.ConfigDict(frozen=True)
    check = pydantic.model_validator(mode="after")(lambda self: self)
begun = time.process_time()
import samesight.contract.preprocess, samesight.contract.answers, samesight.contract.image
print(time.process_time() - begun)
import sys
print(any(name in sys.modules for name in ("torch", "PIL.ImageCms")))
"""
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(3)]
    answers = [run.stdout.split() for run in runs]
    assert min(float(seconds) for seconds, _ in answers) < 0.1
    assert {heavy for _, heavy in answers} == {"False"}


def test_over_divides_exactly():
    """All products of a colour, an alpha and a background that differ in their sum."""
    p, a = (some.ravel()[None].astype(np.uint8) for some in np.meshgrid(np.arange(256), np.arange(256)))
    for b in (0, 1, 77, 254, 255):
        wanted = (p.astype(int) * a + b * (255 - a.astype(int)) + 127) // 255
        assert np.array_equal(over(np.repeat(p[:, :, None], 3, 2), a, (b, b, b))[:, :, 1], wanted)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "1", "CMYK", "I;16"])
def test_bands_give_what_the_whole_image_does(monkeypatch, mode):
    image = Image.fromarray(np.dstack([RGB, RGB[:, ::-1, 0]])).convert("L" if mode in ("I;16", "1") else mode)
    if mode == "I;16":
        image = Image.fromarray(Generator(5).bytes(24 * 16 * 2).view("<u2").reshape(16, 24))
    options = {"transparency": 3} if mode == "P" else {}
    whole = pixels_of(image, "TIFF" if mode == "CMYK" else "PNG", **options)
    monkeypatch.setattr("samesight.contract.image._BAND_PIXELS", 24 * 5)
    assert np.array_equal(pixels_of(image, "TIFF" if mode == "CMYK" else "PNG", **options), whole)


def test_a_large_transparent_image_takes_memory_for_its_pixels_alone():
    """A file of some kilobytes with 5,000 x 5,000 pixels: 4 bytes each decoded, 3 each as a picture."""
    code = (
        "import resource, sys; from samesight.contract.image import load_picture; "
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; load_picture(sys.stdin.buffer.read()); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    data = encoded(Image.new("RGBA", (5000, 5000), (1, 2, 3, 4)), compress_level=1)
    done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True)
    assert int(done.stdout) * 1024 < (4 + 3) * 5000 * 5000 + 150e6


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_special_files_are_refused_unread(tmp_path, kind):
    path = Path("/dev/zero")
    if kind == "pipe":
        path = tmp_path / "f.png"
        os.mkfifo(path)
    for read in (load_picture, read_header, read_spec):
        with pytest.raises(SamesightError, match=f"{path}: is a {kind}, not a plain file"):
            read(path)


def test_mpo_and_jfif_are_read(tmp_path):
    smooth = Image.fromarray(RGB).resize((64, 64))
    smooth.save(tmp_path / "both.mpo", save_all=True, append_images=[Image.new("RGB", (64, 64))])
    (tmp_path / "old.JFIF").write_bytes(encoded(smooth, "JPEG"))
    assert [path.name for path in list_images(tmp_path)] == ["both.mpo", "old.JFIF"]
    for path in list_images(tmp_path):
        assert np.abs(load_picture(path).pixels.astype(int) - np.asarray(smooth)).mean() < 25
        assert read_header(path) == (64, 64, UPRIGHT)


def test_heic_is_named_and_read_where_its_reader_is_installed(tmp_path, monkeypatch):
    """A reader of the same name that knows one file stands for pillow-heif, which is no dependency."""
    data = b"\0\0\0\x18ftypheic" + bytes(20)
    (tmp_path / "photo.HEIC").write_bytes(data)
    monkeypatch.setattr("samesight.contract.image.find_spec", lambda name: None)
    assert list_images(tmp_path) == []
    for read in (load_picture, read_header):
        with pytest.raises(SamesightError, match=r"photo\.HEIC: a HEIC image.*pillow-heif.*JPEG"):
            read(tmp_path / "photo.HEIC")
    (tmp_path / "pillow_heif.py").write_text(
        "from PIL import Image, ImageFile\n"
        "class Reader(ImageFile.ImageFile):\n"
        "    format = 'HEIF'\n"
        "    def _open(self):\n"
        "        self._mode, self._size, self.tile = 'RGB', (3, 2), []\n"
        "    def load(self):\n"
        "        self.im = Image.new('RGB', (3, 2), (1, 2, 3)).im\n"
        "        return Image.Image.load(self)\n"
        "def register_heif_opener():\n"
        "    Image.register_open('HEIF', Reader, lambda start: start[4:8] == b'ftyp')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("samesight.contract.image.find_spec", lambda name: True)
    try:
        assert [path.name for path in list_images(tmp_path)] == ["photo.HEIC"]
        assert load_picture(tmp_path / "photo.HEIC").pixels.tolist() == [[[1, 2, 3]] * 3] * 2
    finally:
        Image.OPEN.pop("HEIF", None)
        Image.ID.remove("HEIF")
        sys.modules.pop("pillow_heif", None)


def test_hidden_files_and_folders_are_no_images(tmp_path):
    for name in ("a.png", ".b.png", ".ipynb_checkpoints/a-checkpoint.png", "c/._d.jpg", "c/d.jpg", "c/e.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    inside = tmp_path / ".cache"
    inside.mkdir()
    (inside / "f.png").write_bytes(b"x")
    assert [path.relative_to(tmp_path).as_posix() for path in list_images(tmp_path)] == ["a.png", "c/d.jpg"]
    assert [path.name for path in list_images(inside)] == ["f.png"], "a folder that somebody names is no secret"
