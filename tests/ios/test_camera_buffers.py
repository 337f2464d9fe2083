"""Buffers of iOS's camera: BGRA and RGBA with padded rows, and two planes as of `420v` and `420f`."""

import json
from collections import Counter

from support.random_cases import BUFFER_KINDS, expected_pixels, pixel_cases
from support.twins.contract import differing

CASES = 1_000


def test_every_byte_of_camera_buffers_is_pythons(parity, tmp_path):
    cases = pixel_cases(CASES, seed=7, kinds=BUFFER_KINDS)
    kinds = Counter((case["kind"], case["range"] if case["kind"] == "biplanar" else None) for case in cases)
    assert len(kinds) == 4 and min(kinds.values()) > CASES // 10
    assert differing(cases, expected_pixels(cases), parity("pixels", map(json.dumps, cases), tmp_path)) == []
