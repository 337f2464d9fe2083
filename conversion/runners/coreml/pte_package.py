"""The Core ML package inside an ExecuTorch `.pte` that was lowered with ExecuTorch's Core ML backend."""

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

from samesight.contract.errors import SamesightError, first_line
from samesight.conversion.quiet import quiet
from samesight.conversion.runners.coreml.evaluator import Evaluator, load_evaluator

BACKEND = "CoreMLBackend"
PACKAGE = Path("lowered_module") / "model.mlpackage"


def extract_package(file: Path, folder: Path) -> Path:
    """Write the package of a `.pte` into `folder`.

    Returns:
        The `.mlpackage`. Its input and output names are those that ExecuTorch gave them.

    Raises:
        SamesightError: no such file, not a `.pte`, no Core ML inside, or Core ML for a part of the network alone: such
            a package is not the network.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise SamesightError(f"{file}: cannot be read ({error.strerror or error}); give a .pte") from None
    with quiet():
        from executorch.backends.apple.coreml import executorchcoreml
        from executorch.exir._serialize._program import deserialize_pte_binary

        try:
            program = deserialize_pte_binary(data).program
        except Exception as error:  # flatbuffers raise whatever the damaged bytes lead to
            raise SamesightError(
                f"{file}: not a .pte that this ExecuTorch reads ({first_line(error)}); export it again"
            ) from None
    plan = program.execution_plan[0]
    coreml_delegates = [delegate for delegate in plan.delegates if delegate.id == BACKEND]
    if not coreml_delegates:
        others = ", ".join(sorted({delegate.id for delegate in plan.delegates})) or "none"
        raise SamesightError(f"{file}: no Core ML inside (backends: {others}); lower it with CoreMLPartitioner")
    if len(coreml_delegates) > 1 or len(plan.delegates) > 1 or _computes_outside(plan):
        raise SamesightError(
            f"{file}: Core ML has only a part of this network, the rest runs elsewhere; "
            "lower a network that Core ML takes as a whole"
        )
    blob = program.backend_delegate_data[coreml_delegates[0].processed.index].data
    if not executorchcoreml.unflatten_directory_contents(bytes(blob), str(folder)):
        raise SamesightError(f"{file}: its Core ML part does not unpack; export it again")
    return folder / PACKAGE


def load_any(file: Path) -> Evaluator:
    """The evaluator of a `.mlpackage`, or of the package inside a `.pte`.

    Raises:
        SamesightError: see `load_evaluator` and `extract_package`.
    """
    if file.suffix != ".pte":
        return load_evaluator(file)
    with tempfile.TemporaryDirectory() as folder:
        return dataclasses.replace(load_evaluator(extract_package(file, Path(folder))), path=file)


def _computes_outside(plan: Any) -> bool:
    calls = [instruction.instr_args for chain in plan.chains for instruction in chain.instructions]
    return any(type(call).__name__ == "KernelCall" for call in calls)
