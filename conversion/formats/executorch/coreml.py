"""ExecuTorch with Core ML inside (`.coreml.pte`): one file for ExecuTorch's runtime on Apple's systems.

The whole network is one Core ML program (iOS 18), which Core ML may run on the Neural Engine. Input and outputs are
float32 (image [1,C,H,W], values 0..255, contiguous), intermediate values float16. The file's constant methods are those
of `xnnpack.py`. Apple's delegate is for macOS and iOS alone; here `runners/coreml` extracts the package and evaluates
it.
"""

from typing import Any

from samesight.contract.errors import SamesightError
from samesight.conversion.formats.coreml import HARMFUL_PASSES, IOS18
from samesight.conversion.formats.decompositions import core_ml, decompose
from samesight.conversion.formats.executorch.xnnpack import constants_of, describe, lower
from samesight.conversion.formats.interface import Lowered, Lowering
from samesight.conversion.quiet import quiet
from samesight.conversion.runners.coreml.import_coremltools import import_coremltools

TITLE = "ExecuTorch with Core ML"


def convert(job: Lowering) -> Lowered:
    """Write `job.output`.

    Raises:
        SamesightError: Core ML does not take the network as a whole.
    """
    buffer, share = lower(decompose(job.program, core_ml()), job.prepared, constants_of(job), partitioner, TITLE)
    if share < 1:
        raise SamesightError(
            f"{TITLE} takes only {share:.0%} of {job.spec.name}'s operators, and ExecuTorch on a phone would run the "
            "rest on its CPU; ship the .mlpackage or the .pte"
        )
    job.output.write_bytes(buffer)
    return describe(job, share, ("executorch", "coremltools", "torch"), IOS18.minimum)


def partitioner() -> Any:
    """ExecuTorch's partitioner for Core ML, without the pass that drops a rescale."""
    ct = import_coremltools()
    with quiet():
        from executorch.backends.apple.coreml.compiler import CoreMLBackend
        from executorch.backends.apple.coreml.partition import CoreMLPartitioner

        return CoreMLPartitioner(
            compile_specs=CoreMLBackend.generate_compile_specs(
                compute_precision=ct.precision.FLOAT16,
                minimum_deployment_target=getattr(ct.target, IOS18.target),
                compute_unit=ct.ComputeUnit.ALL,
                pass_names=[name for name in ct.PassPipeline.DEFAULT.passes if name not in HARMFUL_PASSES],
            )
        )
