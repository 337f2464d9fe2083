"""A calibration in a file, so that the processes of one conversion, and later conversions, calibrate once."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from filelock import FileLock

from samesight.conversion.quantization.activation_qparams import parse_ranges
from samesight.conversion.quantization.calibrate import Calibrated, Step


def kept_calibration(path: Path, make: Callable[[], Calibrated]) -> Calibrated:
    """What `path` holds, or what `make` finds, which is then written there.

    Of several processes one calibrates, and the others wait for it.
    """
    with FileLock(path.with_name(f"{path.name}.lock")):
        if path.is_file():
            return read_calibration(path)
        calibrated = make()
        write_calibration(path, calibrated)
        return calibrated


def write_calibration(path: Path, calibrated: Calibrated) -> None:
    """Write the file, whole or not at all; scales and parameters are read back bit for bit."""
    new = path.with_name(f"{path.name}.new")
    torch.save(
        {
            "ranges": calibrated.ranges.to_json(),
            "steps": json.dumps([asdict(step) for step in calibrated.steps]),
            "parameters": calibrated.parameters,
            "equal": calibrated.equal,
        },
        new,
    )
    new.replace(path)


def read_calibration(path: Path) -> Calibrated:
    """Read what `write_calibration` wrote; no code in a file is ever run."""
    data = torch.load(path, weights_only=True)
    steps = tuple(Step(**step) for step in json.loads(data["steps"]))
    return Calibrated(parse_ranges(data["ranges"], str(path)), data["parameters"], data["equal"], steps)
