"""Limits.kt has the numbers of limits.py."""

import re
from pathlib import Path

from samesight.contract import limits

KOTLIN = Path(__file__).parents[2] / "android_app/contract/src/main/kotlin/samesight/contract/Limits.kt"
# What the apps never read.
HERE_ALONE = {"TEST_ANSWERS_BYTES", "NETWORK_BYTES", "NETWORK_FILES"}


def test_both_languages_have_the_same_limits():
    found = {}
    for name, text in re.findall(r"const val (\w+) = (.+)", KOTLIN.read_text()):
        number = text.replace("shl", "<<").replace("L", "")
        found[name] = eval(number, {"__builtins__": {}}, found)
    ours = {name: value for name, value in vars(limits).items() if name.isupper()}
    assert found == {name: value for name, value in ours.items() if name not in HERE_ALONE}


def test_the_text_has_the_same_limits():
    text = (Path(__file__).parents[2] / "docs/contract.md").read_text().partition("## Limits")[2]
    for name in (
        "DOCUMENT_BYTES",
        "BUNDLE_BYTES",
        "BUNDLE_FILES",
        "GOLDEN_CASES",
        "GOLDEN_FILE_BYTES",
        "NETWORK_BYTES",
    ):
        assert f" {getattr(limits, name):,}" in text, name
