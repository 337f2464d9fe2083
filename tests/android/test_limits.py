"""Limits.kt has the numbers of limits.py."""

import re
from pathlib import Path

from support.twins.limits import check_limits

KOTLIN = Path(__file__).parents[2] / "android_app/contract/src/main/kotlin/samesight/contract/Limits.kt"


def test_both_languages_have_the_same_limits():
    found = re.findall(r"const val (\w+) = (.+)", KOTLIN.read_text())
    check_limits((name, text.replace("shl", "<<").replace("L", "")) for name, text in found)
