"""The ONNX file that `ROUTES` start from: the prepared program through torch's TorchScript exporter.

onnx-tf knows operators up to opset 17; torch's other exporter begins at 18.
"""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from samesight.conversion.formats.refusal import refusal
from samesight.conversion.quiet import quiet

if TYPE_CHECKING:
    from samesight.conversion.preparation.prepare import Prepared

TITLE = "torch's TorchScript exporter"
OPSET = 17


def write_interchange(prepared: "Prepared", path: Path) -> None:
    """Write `image`, float32 [1, C, H, W] in 0..255, to one output per role, under the roles' names.

    Raises:
        SamesightError: the exporter lacks an operator.
    """
    import torch

    try:
        with quiet(), warnings.catch_warnings():
            # It says on every call that it is deprecated.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                prepared.module,
                (prepared.example,),
                str(path),
                dynamo=False,
                opset_version=OPSET,
                input_names=["image"],
                output_names=list(prepared.spec.roles),
                # A graph of torch.export refuses eval(), which the exporter would call.
                training=torch.onnx.TrainingMode.PRESERVE,
            )
    except Exception as error:
        raise refusal(TITLE, prepared.exported, error) from error
