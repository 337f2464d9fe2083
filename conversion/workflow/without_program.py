"""What a conversion makes of an ONNX file whose network PyTorch cannot have, and what it says of the rest."""

from collections.abc import Sequence
from dataclasses import replace

from samesight.conversion.formats import FORMATS, ONNX_ALONE, ROUTES
from samesight.conversion.workflow.plan import Target


def part(targets: Sequence[Target], reason: str) -> tuple[tuple[Target, ...], dict[str, str]]:
    """The targets that are made from the file itself, and for each other one by name why it cannot be.

    Args:
        targets: of the conversion.
        reason: why its network is not read, with the operator.
    """
    made, left = [], {}
    for target in targets:
        if target.format.via:
            made.append(target)
        elif target.format is FORMATS[str(ONNX_ALONE.via)] and target.precision in ONNX_ALONE.precisions:
            made.append(replace(target, format=ONNX_ALONE))
        else:
            left[target.name] = (
                f"the file {reason}; it becomes {ONNX_ALONE.suffix} ({', '.join(ONNX_ALONE.precisions)}) and, with "
                f"--via {' or '.join(ROUTES)}, .tflite; for the others export the network with torch.export"
            )
    return tuple(made), left
