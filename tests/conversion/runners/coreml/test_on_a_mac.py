"""Apple's own Core ML on the golden cases of a bundle, beside the evaluator: for a Mac.

    SAMESIGHT_DEMO=demo pytest tests/conversion/runners/coreml/test_on_a_mac.py

It answers what nothing on Linux can: whether the file loads, and how far Apple's arithmetic is from the evaluator's.
"""

import sys

import numpy as np
import pytest

from samesight.contract.bundle import open_bundle
from samesight.contract.image import load_picture
from samesight.contract.preprocess import preprocess
from samesight.contract.tensor_layout import pack
from samesight.conversion.snr import role_figures

pytestmark = pytest.mark.skipif(
    sys.platform != "darwin", reason="Core ML runs on macOS alone; here the evaluator stands in for it"
)
CASES = 8


def tensors_of(bundle):
    """Input tensors uint8 [H, W, C] of the first golden pictures."""
    files = sorted((bundle.folder / "golden").glob("*.png"))[:CASES]
    return [preprocess(load_picture(file, bundle.spec.input.background), bundle.spec.input)[0] for file in files]


@pytest.mark.demo
@pytest.mark.parametrize("name", ["digits", "scenes"])
@pytest.mark.parametrize("unit", ["CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE"])
def test_apples_core_ml_gives_the_evaluators_values(demo, name, unit):
    from PIL import Image

    from samesight.conversion.runners.coreml.evaluator import load_evaluator
    from samesight.conversion.runners.coreml.import_coremltools import import_coremltools

    ct = import_coremltools()
    bundle = open_bundle(demo / name)
    packages = [artifact for artifact in bundle.manifest.artifacts if artifact.format == "coreml"]
    assert packages
    for artifact in packages:
        path = bundle.path(artifact)
        model = ct.models.MLModel(str(path), compute_units=getattr(ct.ComputeUnit, unit))
        evaluator = load_evaluator(path)
        found, wanted = [], []
        for tensor in tensors_of(bundle):
            packed = pack(tensor, "bgra8_nhwc")
            found.append(model.predict({"image": Image.fromarray(np.ascontiguousarray(packed[0, :, :, 2::-1]))}))
            wanted.append(evaluator({"image": packed}))
        for role in bundle.spec.roles:
            figures = role_figures(role, [one[role] for one in wanted], [one[role] for one in found])
            assert figures.exact or figures.snr_db >= (40 if artifact.precision == "fp16" else 20), (path, figures)
