"""AIMET's int8, made by another interpreter: AIMET brings versions of onnx and torch that are not ours."""

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from samesight.contract.errors import SamesightError
from samesight.conversion.formats.int8_comparison import aimet_worker
from samesight.conversion.formats.int8_comparison.case import Array, Case
from samesight.conversion.formats.int8_comparison.tools import Made
from samesight.conversion.preparation.prepare import pixels_of
from samesight.conversion.qparams import UInt8

HOURS = 1.0


def check_aimet(python: Path) -> None:
    """Check that an interpreter has AIMET.

    Raises:
        SamesightError: it has not, or is none.
    """
    try:
        found = subprocess.run([python, "-c", "import aimet_onnx"], capture_output=True, check=False).returncode == 0
    except OSError:
        found = False
    if not found:
        raise SamesightError(
            f"--aimet {python}: this interpreter cannot import aimet_onnx; make an environment of its own by "
            "`python3.11 -m venv FOLDER` and `FOLDER/bin/pip install aimet-onnx`, and give FOLDER/bin/python"
        )


def aimet(python: Path, recipe: str) -> Callable[[Case], Made]:
    """AIMET on CPU, int8 activations and weights per channel; `recipe` is one of `aimet_worker.RECIPES`."""

    def make(case: Case) -> Made:
        def run(images: UInt8) -> list[Array]:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                (folder / "float.onnx").write_bytes(case.onnx)
                np.save(folder / "calibration.npy", pixels_of(case.calibration).numpy())
                np.save(folder / "images.npy", pixels_of(images).numpy())
                command = [str(python), aimet_worker.__file__, name, recipe]
                # Its own settings of threads: one, as for the others.
                environment = os.environ | {"OMP_NUM_THREADS": "1"}
                done = subprocess.run(
                    command, capture_output=True, text=True, timeout=3600 * HOURS, env=environment, check=False
                )
                if done.returncode:
                    raise SamesightError(done.stderr.strip().rpartition("\n")[2] or f"ended with {done.returncode}")
                return [np.load(folder / f"output{place}.npy") for place in range(len(case.spec.roles))]

        return Made(run)

    return make
