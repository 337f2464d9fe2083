"""One thread: nets as small as these gain nothing from a second one, and two test processes share the machine."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    import torch

    torch.set_num_threads(1)
