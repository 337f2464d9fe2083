"""TorchScript (`.pt`), and the same for the lite interpreter of PyTorch's older mobile libraries (`.ptl`).

Both are traced from the prepared program and hold the spec as the extra file `model.json`. What torch writes beside it
for debugging, the source files that each operator came from, is left out: the paths of one person's computer.
"""

import tempfile
import warnings
from pathlib import Path

from samesight.conversion.formats.float_tensors import SPEC_FILE, describe_input, describe_outputs
from samesight.conversion.formats.interface import Lowered, Lowering

LITE_SUFFIX = ".ptl"
SOURCES = ".debug_pkl"
WRITTEN_ANYWAY = ("version", "byteorder", ".data/serialization_id")


def convert(job: Lowering) -> Lowered:
    """Trace and save; the suffix of `job.output` chooses the kind."""
    import torch

    example = torch.zeros(describe_input(job.spec).shape)
    extra_files = {SPEC_FILE: job.spec.to_json()}
    with torch.no_grad(), warnings.catch_warnings():
        # torch says on every call that TorchScript and the lite interpreter are deprecated.
        warnings.simplefilter("ignore")
        module = torch.jit.trace(job.prepared.module, example, check_trace=False)
        returned = module(example)
        with tempfile.TemporaryDirectory(prefix="samesight-") as folder:
            saved = Path(folder) / job.output.name
            if job.output.suffix == LITE_SUFFIX:
                module._save_for_lite_interpreter(str(saved), _extra_files=extra_files)
            else:
                torch.jit.save(module, str(saved), _extra_files=extra_files)
            copy_without_sources(saved, job.output)
    outputs = returned if isinstance(returned, tuple) else (returned,)
    lite = job.output.suffix == LITE_SUFFIX
    return Lowered(
        path=job.output,
        input_layout="float32_nchw",
        input=describe_input(job.spec),
        outputs=describe_outputs(job.spec, [output.shape for output in outputs]),
        runtime="PyTorch lite interpreter" if lite else "PyTorch",
        runtime_version="1.13" if lite else "2.0",
        tools={"torch": torch.__version__},
    )


def copy_without_sources(saved: Path, output: Path) -> None:
    """Copy an archive of torch's without its records for debugging, which loaders do not ask for."""
    import torch

    reader, writer = torch._C.PyTorchFileReader(str(saved)), torch._C.PyTorchFileWriter(str(output))
    for name in reader.get_all_records():
        if not name.endswith(SOURCES) and name not in WRITTEN_ANYWAY:
            record = reader.get_record(name)
            writer.write_record(name, record, len(record))
    writer.write_end_of_file()
