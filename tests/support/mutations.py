"""Packed bundles that are not what they say, drawn from a seed: other bytes, zip directories, documents."""

import io
import json
import os
import random
import shutil
import zipfile
import zlib

from samesight.contract.answers import answers
from samesight.contract.archive import unpack_bundle
from samesight.contract.bundle import open_bundle
from samesight.contract.errors import SamesightError
from samesight.contract.files import sha256
from samesight.contract.image import Picture
from samesight.contract.preprocess import preprocess
from samesight.contract.yuv import yuv420_from_bytes, yuv420_to_rgb

# 5,000 by `SAMESIGHT_MUTATIONS=5000 pytest tests -k mutated_pack`.
COUNT = int(os.environ.get("SAMESIGHT_MUTATIONS", "300"))
SEED = 20260

DOCUMENTS = ("manifest.json", "model.json", "golden/cases.json", "parity.json")
VALUES = (
    None,
    True,
    False,
    [],
    {},
    "",
    "1",
    "x" * 70,
    "../x",
    "a\n",
    "\u202e",
    0,
    1,
    -1,
    7,
    0.5,
    8.0,
    2**31 - 1,
    2**31,
    2**63,
    10**30,
    1e300,
    [1],
    [1, 1],
    [65536, 65536],
    [0],
    {"a": 1},
)


def outcome(archive, folder):
    """What the reader makes of a packed bundle: "accepted", or its one sentence; anything else is raised."""
    try:
        unpack_bundle(archive, folder)
        bundle = open_bundle(folder)
        for case in bundle.golden_cases():
            tensor, geometry = preprocess(case.picture, bundle.spec.input)
            # As the apps' program does: what makes another tensor is said, and not decoded.
            if tensor.tobytes() == case.tensor.tobytes() == camera_tensor(case, bundle.spec):
                answers(case.outputs, bundle.spec, geometry)
        bundle.verdicts()
    except SamesightError as error:
        return str(error)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return "accepted"


def camera_tensor(case, spec):
    if case.yuv is None:
        return case.tensor.tobytes()
    height, width = case.picture.pixels.shape[:2]
    pixels = yuv420_to_rgb(
        yuv420_from_bytes(case.yuv.data, width, height, case.yuv.layout), case.yuv.matrix, case.yuv.range
    )
    return preprocess(Picture(pixels, case.picture.orientation), spec.input)[0].tobytes()


def mutated_packs(good, count=COUNT, seed=SEED):
    """(number, bytes) of `count` archives that were made of a good one."""
    draw = random.Random(seed)
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    for number in range(count):
        yield number, draw.choice(KINDS)(draw, good, dict(files))


def _bytes(draw, good, files):
    data = bytearray(good)
    for _ in range(draw.choice((1, 1, 2, 8))):
        data[draw.randrange(len(data))] = draw.randrange(256)
    return bytes(data)


def _directory(draw, good, files):
    """Changed bytes of the directory at the end, where the lengths and places are."""
    data = bytearray(good)
    start = int.from_bytes(data[-6:-2], "little")
    for _ in range(draw.choice((1, 1, 3))):
        data[draw.randrange(start, len(data))] = draw.choice((0, 1, 8, 255, draw.randrange(256)))
    return bytes(data)


def _shape(draw, good, files):
    place, length = draw.randrange(len(good)), draw.choice((1, 4, 30, 1000))
    match draw.randrange(4):
        case 0:
            return good[:place]
        case 1:
            return good[:place] + good[place + length :]
        case 2:
            return good[:place] + good[place : place + length] + good[place:]
        case _:
            return draw.randbytes(length) + good + draw.randbytes(draw.choice((0, length)))


def _entries(draw, good, files):
    """Names that are there twice, that leave the folder, that are folders or files and folders at once."""
    name, data = draw.choice(sorted(files)), draw.choice((b"", b"x", b"{}"))
    other = draw.choice(("../x", "/x", "a//b", "a\\b", "x", "golden/", "manifest.json/x", "a/" * 300 + "b", "y" * 300))
    packed = [*files.items()]
    packed.insert(draw.randrange(len(packed)), draw.choice(((name, data), (name, files[name]), (other, data))))
    return _zip(packed, draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))


def _document(draw, good, files):
    """One value of a document, with the manifest's hashes made to fit or not."""
    name = draw.choice([name for name in DOCUMENTS if name in files])
    document = json.loads(files[name])
    for _ in range(draw.choice((1, 1, 2))):
        parent, key = draw.choice([*_places(document)])
        value = draw.choice((*VALUES, ...))
        if value is ...:
            del parent[key]
        else:
            parent[key] = value
        if not document:
            break
    encoding = draw.choice(("utf-8",) * 9 + ("utf-16",))
    files[name] = json.dumps(document, ensure_ascii=draw.random() < 0.5).encode(encoding, "replace")
    return _zip(_sealed(files) if name != "manifest.json" and draw.random() < 0.9 else files)


def _text(draw, good, files):
    """Changed letters of a document."""
    name = draw.choice([name for name in DOCUMENTS if name in files])
    data = bytearray(files[name])
    for _ in range(draw.choice((1, 2, 5))):
        data[draw.randrange(len(data))] = draw.choice(b'{}[]",:0123456789.eE-+ \\ntrufalsn\xff\x00')
    files[name] = bytes(data)
    return _zip(_sealed(files) if name != "manifest.json" else files)


def _golden(draw, good, files):
    """A golden file of another content or length, of which the manifest knows."""
    name = draw.choice([name for name in files if name.startswith("golden/") and not name.endswith(".json")])
    data = bytearray(files[name])
    match draw.randrange(3):
        case 0:
            data = data[: draw.randrange(len(data))]
        case 1:
            data += draw.randbytes(draw.choice((1, 4, 64)))
        case _:
            data[draw.randrange(len(data))] = draw.choice((0, 127, 255))
    files[name] = bytes(data)
    return _zip(_sealed(files))


def _bomb(draw, good, files):
    """Content that unpacks to more than it declares, or to a great deal."""
    name = draw.choice(sorted(files))
    files[name] = b"\0" * draw.choice((1 << 20, 1 << 22))
    data = bytearray(_zip(files, zipfile.ZIP_DEFLATED))
    if draw.random() < 0.5:
        place = data.rfind(name.encode())
        data[place - 22 : place - 18] = draw.randrange(1 << 20).to_bytes(4, "little")
    return bytes(data)


KINDS = (_bytes, _directory, _directory, _shape, _entries, _document, _document, _document, _text, _golden, _bomb)


def _places(value):
    """(parent, key) of everything in a JSON value."""
    children = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    for key, child in children:
        yield value, key
        if isinstance(child, dict | list):
            yield from _places(child)


def _sealed(files):
    """The files with a manifest that has their lengths and hashes."""
    try:
        manifest = json.loads(files["manifest.json"])
        for entry in manifest["files"]:
            entry.update(bytes=len(files[entry["path"]]), sha256=sha256(files[entry["path"]]))
    except (ValueError, LookupError, TypeError, AttributeError):
        return files
    return files | {"manifest.json": json.dumps(manifest).encode()}


def _zip(files, compression=zipfile.ZIP_STORED):
    """A zip of (name, content); written here, because `zipfile` warns of names that are there twice."""
    body, directory = io.BytesIO(), io.BytesIO()
    entries = list(files.items() if isinstance(files, dict) else files)
    for name, data in entries:
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        packed = packer.compress(data) + packer.flush() if compression else data
        common = (20).to_bytes(2, "little") + b"\0\0" + compression.to_bytes(2, "little") + b"\0\0\x21\0"
        common += b"".join(part.to_bytes(4, "little") for part in (zlib.crc32(data), len(packed), len(data)))
        encoded = name.encode()
        common += len(encoded).to_bytes(2, "little") + b"\0\0"
        directory.write(b"PK\1\2\x14\x03" + common + b"\0" * 6 + b"\0\0\xa4\x81" + body.tell().to_bytes(4, "little"))
        directory.write(encoded)
        body.write(b"PK\3\4" + common + encoded + packed)
    count = len(entries).to_bytes(2, "little")
    end = b"PK\5\6\0\0\0\0" + count * 2 + directory.tell().to_bytes(4, "little") + body.tell().to_bytes(4, "little")
    return body.getvalue() + directory.getvalue() + end + b"\0\0"
