"""What the Swift contract reads with code of its own, against Python's libraries: JSON, deflate and ECDSA."""

import hashlib
import json
import random
import zlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

# SP 800-186, section 3.2.1.3.
PRIME = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


# ---- JSON ----

WORDS = [
    "0",
    "-0",
    "7",
    "-12",
    "01",
    "1.",
    ".5",
    "1.5",
    "-1.25e3",
    "1E+2",
    "1e",
    "1e+",
    "--1",
    "+1",
    "123456789012345678901234567890",
    "1e999",
    "true",
    "false",
    "null",
    "nul",
    "NaN",
    "Infinity",
    "-Infinity",
    "-NaN",
    "inf",
    "0x1",
    "1_000",
]
TEXTS = (
    "",
    "a",
    "st\u00fcck",
    "\U0001f415",
    "tab\there",
    "\x7f",
    '\\"',
    "\\u00fc",
    "\\ud83d\\udc15",
    "\\ud800",
    "\\udc00x",
    "\\ud800\\ud800",
    "\\ud800\\u0041",
    "\\u12",
    "\\x41",
    "\\/\\b\\f\\n\\r\\t\\\\",
)


class Word(str):
    """A number or a constant as it stands in the text."""


def written(value):
    """A value as the Swift contract writes it, in one line; half a surrogate pair is a control character there."""
    match value:
        case Word():
            return str(value)
        case None | True | False:
            return {None: "null", True: "true", False: "false"}[value]
        case str():
            text = "".join("\x80" if "\ud800" <= letter <= "\udfff" else letter for letter in value)
            escaped = (f"\\u{ord(c):04x}" if c < " " else "\\" + c if c in '"\\' else c for c in text)
            return '"' + "".join(escaped) + '"'
        case list():
            return "[ " + ", ".join(map(written, value)) + " ]" if value else "[]"
        case dict():
            members = ", ".join(f"{written(str(key))}: {written(part)}" for key, part in value.items())
            return "{ " + members + " }" if value else "{}"


def python_reads(data):
    try:
        # Ours reads no integer of more than 4,300 digits either; `int` says so.
        value = json.loads(
            data.decode(), parse_int=lambda text: (int(text), Word(text))[1], parse_float=Word, parse_constant=Word
        )
    except (ValueError, RecursionError):
        return "refused"
    return written(value)


def random_json(draw, depth=0):
    kind = draw.randrange(6 if depth < 5 else 3)
    space = draw.choice(("", "", " ", "\n\t", "\r"))
    if kind < 2:
        return space + draw.choice(WORDS[:4] * 3 + WORDS if draw.random() < 0.9 else ["{", "]", ","]) + space
    if kind == 2:
        return f'{space}"{draw.choice(TEXTS[:5] * 2 + TEXTS)}"'
    parts = [random_json(draw, depth + 1) for _ in range(draw.randrange(4))]
    if kind < 5:
        names = [draw.choice(("a", "b", "a", "st\u00fcck", "stu\u0308ck", "", "\\u0061")) for _ in parts]
        return space + "{" + ",".join(f'"{n}"{space}:{part}' for n, part in zip(names, parts, strict=True)) + "}"
    return space + "[" + ",".join(parts) + draw.choice(("]", "]", "]", ",]", "")) + space


def json_texts():
    draw = random.Random(1)
    for word in (
        *WORDS,
        *(f'"{text}"' for text in TEXTS),
        "[" * 90 + "]" * 90,
        "[" * 100_000,
        "9" * 4300,
        "9" * 4301,
    ):
        yield word.encode()
    yield from (
        b"\xef\xbb\xbf1",
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b"\xfe\xff\x001",
        b'"\x00"',
        b"1 \x00",
        b"",
        b" ",
        b"[] []",
    )
    for _ in range(3_000):
        text = bytearray(random_json(draw).encode())
        if text and draw.random() < 0.3:
            text[draw.randrange(len(text))] = draw.randrange(256)
        yield bytes(text)


def test_json_is_read_as_python_reads_it(parity, tmp_path):
    texts = list(json_texts())
    expected = [python_reads(text) for text in texts]
    assert 500 < expected.count("refused") < len(texts) - 1_000
    # A value in one line: what Swift wrote in lines of its own begins with their indentation.
    found = parity("json", (json.dumps({"hex": text.hex()}) for text in texts), tmp_path)
    assert [row for row in zip(texts, expected, found, strict=True) if row[1] != row[2]] == []


# ---- deflate ----


def deflated(content, level, strategy):
    packer = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
    return packer.compress(content) + packer.flush()


def zlib_reads(data):
    """The hash of what the bytes unpack to, or in brief what is wrong."""
    unpacker = zlib.decompressobj(-15)
    try:
        content = unpacker.decompress(data)
    except zlib.error:
        return "its packed content is damaged"
    return hashlib.sha256(content).hexdigest() if unpacker.eof else "its packed content is cut off"


def packed_contents():
    draw = random.Random(2)
    for size in (0, 1, 100, 5_000, 70_000, 300_000):
        words = [draw.randbytes(draw.choice((1, 3, 40))) for _ in range(draw.choice((1, 20, 300)))]
        contents = (draw.randbytes(size), b"".join(draw.choice(words) for _ in range(size // 20)), bytes(size))
        for content in contents:
            for level, strategy in (
                (0, 0),
                (1, 0),
                (9, 0),
                (6, zlib.Z_HUFFMAN_ONLY),
                (6, zlib.Z_RLE),
                (6, zlib.Z_FIXED),
            ):
                yield deflated(content, level, strategy)
    good = [deflated(draw.randbytes(20) * 40 + draw.randbytes(300), 9, 0) for _ in range(20)]
    for number in range(1_500):
        data = bytearray(good[number % len(good)])
        match number % 3:
            case 0:
                # The first bytes have the lengths of the codes.
                data[draw.randrange(min(len(data), 90))] ^= 1 << draw.randrange(8)
            case 1:
                data = data[: draw.randrange(len(data))]
            case _:
                data = bytearray(draw.randbytes(draw.randrange(1, 60)))
        yield bytes(data)


def test_what_is_packed_is_unpacked_as_zlib_does(parity, tmp_path):
    contents = list(packed_contents())
    cases = []
    for number, data in enumerate(contents):
        (tmp_path / f"{number}").write_bytes(data)
        cases.append(json.dumps({"file": str(tmp_path / f"{number}")}))
    expected = [zlib_reads(data) for data in contents]
    assert len(set(expected)) > 100 and {"its packed content is damaged", "its packed content is cut off"} < set(
        expected
    )
    found = parity("deflate", cases, tmp_path)
    # Of faults the first one counts: a stream that is cut off may be called damaged by one reader before the other.
    different = [row for row in enumerate(zip(expected, found, strict=True)) if row[1][0] != row[1][1]]
    assert different == []


# ---- ECDSA ----


def der(*integers):
    body = b"".join(b"\x02" + bytes([len(integer)]) + integer for integer in integers)
    return b"\x30" + bytes([len(body)]) + body


def plain(number):
    """A positive integer as DER writes it."""
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def point_of(key):
    numbers = key.public_numbers()
    return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def python_accepts(point, signature, message):
    x, y = int.from_bytes(point[:32], "big"), int.from_bytes(point[32:], "big")
    try:
        key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        key.verify(signature, message, ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return "false"
    return "true"


def signatures():
    draw = random.Random(3)
    for number in range(60):
        key = ec.derive_private_key(draw.randrange(1, ORDER) if number else 1, ec.SECP256R1())
        point = point_of(key.public_key())
        message = draw.randbytes(draw.choice((0, 1, 63, 64, 200)))
        good = key.sign(message, ec.ECDSA(SHA256()))
        r, s = decode_dss_signature(good)
        yield point, good, message
        yield point, encode_dss_signature(r, ORDER - s), message
        yield point, good, message + b"x"
        yield point, der(plain(s), plain(r)), message
        for other in (0, 1, ORDER, ORDER - 1, r + ORDER if r + ORDER < 2**256 else ORDER + 1, 2**256 - 1, 2**256 + r):
            yield point, der(plain(other), plain(s)), message
            yield point, der(plain(r), plain(other)), message
        yield point, der(b"\0" + plain(r), plain(s)), message
        yield point, der(plain(r), (s | 1 << 255).to_bytes(32, "big")), message
        yield point, good + b"\0", message
        yield point, good[:-1], message
        yield point, b"\x30\x81" + good[1:], message
        yield point, b"\x31" + good[1:], message
        for _ in range(4):
            place = draw.randrange(len(good))
            yield point, good[:place] + bytes([good[place] ^ 1 << draw.randrange(8)]) + good[place + 1 :], message
        place = draw.randrange(64)
        yield point[:place] + bytes([point[place] ^ 1 << draw.randrange(8)]) + point[place + 1 :], good, message
        yield (PRIME).to_bytes(32, "big") + point[32:], good, message
        yield bytes(64), good, message
        # Both halves of the sum are the same point, or each other's opposite: key 1 is the generator itself.
        digest = int.from_bytes(hashlib.sha256(message).digest(), "big") % ORDER
        yield point_of(ec.derive_private_key(1, ec.SECP256R1()).public_key()), der(plain(digest), plain(s)), message
        yield (
            point_of(ec.derive_private_key(1, ec.SECP256R1()).public_key()),
            der(plain(ORDER - digest), plain(s)),
            message,
        )


def test_signatures_hold_where_they_do_in_python(parity, tmp_path):
    cases = list(signatures())
    expected = [python_accepts(*case) for case in cases]
    assert expected.count("true") >= 120 and expected.count("false") > 1_000
    names = ("point", "signature", "message")
    lines = (json.dumps({name: part.hex() for name, part in zip(names, case, strict=True)}) for case in cases)
    found = parity("ecdsa", lines, tmp_path)
    assert [row for row in zip(cases, expected, found, strict=True) if row[1] != row[2]] == []
