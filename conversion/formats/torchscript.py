"""TorchScript (`.pt`), and the same for the lite interpreter of PyTorch's older mobile libraries (`.ptl`).

Both are traced from the prepared program and hold the spec as the extra file `model.json`.
"""

import warnings
from pathlib import Path
from typing import Any

from samesight.contract.errors import SamesightError
from samesight.conversion.formats.interface import Lowered, Lowering, Tensors
from samesight.conversion.runners.torch import SPEC_FILE, TorchRunner, describe_input, describe_outputs

LITE_SUFFIX = ".ptl"


def convert(job: Lowering) -> Lowered:
    """Trace and save; the suffix of `job.output` chooses the kind."""
    import torch

    example = torch.zeros(describe_input(job.spec).shape)
    extra = {SPEC_FILE: job.spec.to_json()}
    with torch.no_grad(), warnings.catch_warnings():
        # torch says on every call that TorchScript and the lite interpreter are deprecated.
        warnings.simplefilter("ignore")
        module = torch.jit.trace(job.prepared.module, example, check_trace=False)
        made = module(example)
        if job.output.suffix == LITE_SUFFIX:
            module._save_for_lite_interpreter(str(job.output), _extra_files=extra)
        else:
            torch.jit.save(module, str(job.output), _extra_files=extra)
    outputs = made if isinstance(made, tuple) else (made,)
    lite = job.output.suffix == LITE_SUFFIX
    return Lowered(
        path=job.output,
        storage="float32_nchw",
        input=describe_input(job.spec),
        outputs=describe_outputs(job.spec, [output.shape for output in outputs]),
        runtime="PyTorch lite interpreter" if lite else "PyTorch",
        runtime_version="1.13" if lite else "2.0",
        tools={"torch": torch.__version__},
    )


def load(path: Path, tensors: Tensors) -> TorchRunner:
    """Load either kind."""
    module: Any
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if path.suffix == LITE_SUFFIX:
                from torch.jit.mobile import _load_for_lite_interpreter

                module = _load_for_lite_interpreter(str(path))
            else:
                import torch

                module = torch.jit.load(str(path), map_location="cpu")
        except (RuntimeError, ValueError) as error:
            line = str(error).splitlines()[0]
            raise SamesightError(f"{path}: torch cannot load it ({line}); convert again") from None
    return TorchRunner(module, tensors.storage, [output.role for output in tensors.outputs if output.role != "image"])
