"""The exported program (`.pt2`): the prepared network as torch.export saves it, with the spec beside it."""

from pathlib import Path

from samesight.contract.errors import SamesightError
from samesight.conversion.formats.interface import Lowered, Lowering, Tensors
from samesight.conversion.quiet import quiet
from samesight.conversion.runners.torch import SPEC_FILE, TorchRunner, describe_input, describe_outputs


def convert(job: Lowering) -> Lowered:
    """Save the prepared program."""
    import torch

    program = job.prepared.exported
    torch.export.save(program, str(job.output), extra_files={SPEC_FILE: job.spec.to_json()})
    values = {node.name: node.meta["val"].shape for node in program.graph.nodes if "val" in node.meta}
    return Lowered(
        path=job.output,
        storage="float32_nchw",
        input=describe_input(job.spec),
        outputs=describe_outputs(job.spec, [values[name] for name in program.graph_signature.user_outputs]),
        runtime="PyTorch",
        runtime_version=torch.__version__.partition("+")[0],
        tools={"torch": torch.__version__},
    )


def load(path: Path, tensors: Tensors) -> TorchRunner:
    """Load the program as a module."""
    import torch

    try:
        with quiet():  # a damaged file's traceback would be logged
            module = torch.export.load(str(path)).module()
    except Exception as error:  # torch raises anything from RuntimeError to UnpicklingError on damaged files
        line = next(iter(str(error).splitlines()), type(error).__name__)
        raise SamesightError(f"{path}: torch {torch.__version__} cannot load it ({line}); convert again") from None
    return TorchRunner(module, tensors.storage, [output.role for output in tensors.outputs if output.role != "image"])
