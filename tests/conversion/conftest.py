"""What tests of several folders of conversion share."""

import os

import pytest

from samesight.conversion.setup.install import find, install
from samesight.conversion.setup.table import SETUPS


@pytest.fixture(scope="session")
def tool():
    """Require a tool of `samesight setup`: where CI is set it is installed, elsewhere the test is skipped without."""

    def ready(name):
        if find(SETUPS[name]) is None:
            if not os.environ.get("CI"):
                pytest.skip(f"{name} is not installed; samesight setup {name}")
            install(SETUPS[name], print)

    return ready
