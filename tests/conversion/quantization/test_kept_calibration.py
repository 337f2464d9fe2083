"""A calibration in a file: found once, by whichever process comes first, and read back bit for bit."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from samesight.contract.errors import SamesightError
from samesight.conversion.qparams import QuantParams
from samesight.conversion.quantization.activation_qparams import Ranges
from samesight.conversion.quantization.calibrate import Calibrated, Step
from samesight.conversion.quantization.kept_calibration import kept_calibration, read_calibration, write_calibration

FOUND = Calibrated(
    Ranges({"relu": QuantParams(float(torch.tensor(0.1)), -128)}),
    {"stem.weight": torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0))},
    {"stem.bias": torch.tensor([1e-30, -0.0, 3.0])},
    (Step("ranges by histogram", None, 38.4, True), Step("corrected biases", 38.4, 38.1, False)),
)


def test_what_is_kept_is_read_back_bit_for_bit(tmp_path):
    path = tmp_path / "calibration.pt"
    write_calibration(path, FOUND)
    read = read_calibration(path)
    assert read.ranges == FOUND.ranges and read.steps == FOUND.steps
    for kept, found in ((read.parameters, FOUND.parameters), (read.equal, FOUND.equal)):
        assert kept.keys() == found.keys()
        assert all(kept[name].numpy().tobytes() == found[name].numpy().tobytes() for name in found)
    assert [file.name for file in tmp_path.iterdir()] == ["calibration.pt"]


def test_of_several_at_once_one_calibrates(tmp_path):
    made, begun = [], threading.Barrier(4)

    def one(number):
        def make():
            made.append(number)
            return FOUND

        begun.wait()
        return kept_calibration(tmp_path / "calibration.pt", make).ranges

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(one, range(4))) == [FOUND.ranges] * 4
    assert len(made) == 1


def test_a_calibration_that_fails_leaves_nothing(tmp_path):
    path = tmp_path / "calibration.pt"

    def fail():
        raise SamesightError("no images")

    with pytest.raises(SamesightError):
        kept_calibration(path, fail)
    assert kept_calibration(path, lambda: FOUND).steps == FOUND.steps
