"""The server model of a source, asked without a conversion."""

import numpy as np
import torch

from samesight.contract.golden import read_cases
from samesight.conversion.sources.source import open_source
from samesight.conversion.workflow.reference import make_reference

CODE = """
import torch

def network():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear({values}, 10))
"""


def test_weights_beside_a_function_answer(tmp_path, monkeypatch, digits_run, digits_spec):
    """The answer is the given bias alone, whatever the image."""
    size = digits_spec.input
    values = size.channel_count * size.height * size.width
    (tmp_path / "their_network.py").write_text(CODE.format(values=values))
    torch.save({"1.weight": torch.zeros(10, values), "1.bias": torch.arange(10.0)}, tmp_path / "w.pth")
    monkeypatch.chdir(tmp_path)
    source = open_source("their_network:network", digits_spec, digits_run / "calibration", tmp_path / "w.pth")
    (tmp_path / "reference").mkdir()
    for case in read_cases(make_reference(source, tmp_path / "reference").folder):
        (output,) = case.outputs.values()
        np.testing.assert_array_equal(output.ravel(), np.arange(10.0, dtype=np.float32))
