"""Limits.swift has the numbers of limits.py."""

import re
from pathlib import Path

from support.twins.limits import check_limits, snake

SWIFT = Path(__file__).parents[2] / "ios_app/Packages/Contract/Sources/Contract/Limits.swift"


def test_both_languages_have_the_same_limits():
    check_limits((snake(name), snake(text)) for name, text in re.findall(r"let (\w+) = (.+)", SWIFT.read_text()))
