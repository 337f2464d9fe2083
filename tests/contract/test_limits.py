"""docs/contract.md has the numbers of limits.py."""

from pathlib import Path

from samesight.contract import limits


def test_the_text_has_the_same_limits():
    text = (Path(__file__).parents[2] / "docs/contract.md").read_text().partition("## Limits")[2]
    for name in (
        "DOCUMENT_BYTES",
        "BUNDLE_BYTES",
        "FOLDER_BYTES",
        "BUNDLE_FILES",
        "GOLDEN_CASES",
        "GOLDEN_FILE_BYTES",
        "NETWORK_BYTES",
    ):
        assert f" {getattr(limits, name):,}" in text, name
