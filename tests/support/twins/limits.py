"""What both apps' limits are compared with."""

import re

from samesight.contract import limits

# What the apps never read.
HERE_ALONE = {"FOLDER_BYTES", "TEST_ANSWERS_BYTES", "NETWORK_BYTES", "NETWORK_FILES"}


def check_limits(declarations):
    """Compare (name, expression) of an app's constants with limits.py; names as Python writes them."""
    found = {}
    for name, text in declarations:
        found[name] = eval(text, {"__builtins__": {}}, found)
    ours = {name: value for name, value in vars(limits).items() if name.isupper()}
    assert found == {name: value for name, value in ours.items() if name not in HERE_ALONE}


def snake(text):
    """Swift's names as Python writes them."""
    return re.sub(r"\b[a-z]\w*", lambda name: re.sub(r"([A-Z])", r"_\1", name[0]).upper(), text)
