"""ExecuTorch with Core ML inside (`.coreml.pte`): one file for ExecuTorch's runtime on Apple's systems.

The whole network is one Core ML program (iOS 18), which Core ML may run on the Neural Engine. Input and outputs are
float32 (image [1,C,H,W], values 0..255, contiguous), values between float16. The file's constant methods are those of
`conversion.formats.executorch`. Apple's delegate is for macOS and iOS alone; here `conversion.coreml` takes the package
out and its evaluator runs it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contract.errors import SamesightError
from contract.packing import Storage, pack
from contract.spec import Role
from conversion.arrays import Float32, Integers, Quantum, UInt8
from conversion.coreml.toolbox import import_coremltools
from conversion.formats.coreml import HARMFUL_PASSES, IOS18
from conversion.formats.executorch import QUANTA, SPEC, lower, outputs_of, read_quanta
from conversion.formats.interface import Lowered, Lowering, Tensors
from conversion.formats.onnx import quanta_of
from conversion.formats.quiet import quiet
from conversion.formats.torch_runner import describe_input, describe_outputs

if TYPE_CHECKING:
    from conversion.coreml.evaluator import Evaluator

TITLE = "ExecuTorch with Core ML"


def convert(job: Lowering) -> Lowered:
    """Write `job.output`.

    Raises:
        SamesightError: Core ML does not take the network as a whole.
    """
    from importlib.metadata import version

    if job.precision == "int8" and job.quantized is None:
        raise ValueError("int8 is lowered from the quantized program")
    integer = job.quantized if job.precision == "int8" else None
    program = integer.exported if integer else job.prepared.exported
    constants = {SPEC: job.spec.to_json()}
    if integer:
        constants[QUANTA] = json.dumps({role: asdict(grid) for role, grid in integer.outputs.items()})
    buffer, share = lower(program, job.prepared, constants, partitioner, TITLE)
    if share < 1:
        raise SamesightError(
            f"{TITLE} takes only {share:.0%} of {job.spec.name}'s operators, and ExecuTorch on a phone would run the "
            "rest on its CPU; ship the .mlpackage or the .pte"
        )
    job.output.write_bytes(buffer)
    shapes = [tuple(node.meta["val"].shape) for node in outputs_of(program.graph_module)]
    return Lowered(
        path=job.output,
        storage="float32_nchw",
        input=describe_input(job.spec),
        outputs=describe_outputs(job.spec, shapes),
        runtime="ExecuTorch",
        runtime_version=version("executorch"),
        os_minimum=dict(IOS18.minimum),
        tools={name: version(name) for name in ("executorch", "coremltools", "torch")},
        delegated=share,
    )


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


@dataclass(frozen=True)
class CoreMLInPteRunner:
    """The package inside a `.pte` behind the evaluator; ExecuTorch gave its input and outputs names of its own."""

    evaluator: "Evaluator"
    storage: Storage
    roles: tuple[Role, ...]
    quanta: Mapping[Role, Quantum]

    def __call__(self, tensor: UInt8) -> dict[Role, Float32]:
        """Raw outputs of an input tensor uint8 [H, W, C]."""
        (image,) = self.evaluator.inputs
        made = self.evaluator({image.declared.name: pack(tensor, self.storage)})
        return dict(zip(self.roles, made.values(), strict=True))

    def raw(self, tensor: UInt8) -> dict[Role, Integers]:
        """The outputs that lie on a grid (to half precision), counted in its quanta."""
        made = self(tensor)
        return {role: quanta_of(made[role], grid) for role, grid in self.quanta.items()}


def load(path: Path, tensors: Tensors) -> CoreMLInPteRunner:
    """Load the package inside a file into the evaluator.

    Raises:
        SamesightError: damaged, no Core ML inside, or for a part of the network alone.
    """
    from conversion.coreml.package_in_pte import load_any

    roles: tuple[Any, ...] = tuple(output.role for output in tensors.outputs)
    return CoreMLInPteRunner(load_any(path), tensors.storage, roles, read_quanta(path))
