"""What is trained: the memory layout that its operators stand."""

import os
import subprocess
import sys

import pytest
from torch import nn

from samesight.training.lightning_module import crashes_channels_last

# The last batch of an epoch: two threads share 43 images unevenly.
STEPS = """
import torch
from torch import nn
from samesight.contract.spec import Input
from samesight.training.lightning_module import TrainingModule
from types import SimpleNamespace
torch.set_num_threads(2)
spec = SimpleNamespace(input=Input(width=64, height=64, mean=(0, 0, 0), std=(1, 1, 1)))
module = TrainingModule(nn.Conv2d(3, 48, 1, 2), spec, SimpleNamespace(class_weights=None), 0)
for _ in range(60):
    module(torch.rand(43, 3, 64, 64) * 255).square().mean().backward()
    others = [torch.empty(50 + size) for size in range(700)]
print("survived")
"""


def test_a_stem_that_skips_pixels_trains_on_several_threads():
    environment = os.environ | {"LD_PRELOAD": "libc_malloc_debug.so.0", "MALLOC_CHECK_": "3"}
    done = subprocess.run([sys.executable, "-c", STEPS], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.strip() == "survived", (done.returncode, done.stderr[-1000:])


@pytest.mark.parametrize(
    ("layer", "crashes"),
    [
        (nn.Conv2d(3, 8, 1, 2), True),
        (nn.Conv2d(3, 8, 3, 2, 1), False),
        (nn.Conv2d(3, 8, 1), False),
        (nn.Conv2d(16, 8, 1, 2), False),
    ],
)
def test_other_layers_keep_the_faster_layout(layer, crashes):
    assert crashes_channels_last(nn.Sequential(nn.ReLU(), layer)) is crashes
