"""ONNX (`.onnx`), one file, through torch's exporter; run by ONNX Runtime on the CPU.

Input and outputs are float32 at both precisions (image [1,C,H,W], values 0..255). In an int8 file the first operator
quantizes the input exactly, and every output value lies on the grid that the metadata gives. Activations and weights
are both signed (S8S8): the integers of the other formats. U8S8 runs about twice as fast on x86 CPUs with VNNI, but it
saturates on those without.

The file's metadata holds `model.json` (the spec) and, for int8, `quanta.json` (scale and zero point per output).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samesight.contract.errors import SamesightError
from samesight.contract.spec import Role
from samesight.contract.tensor_layout import Storage, pack
from samesight.conversion.errors import refusal
from samesight.conversion.formats.interface import Lowered, Lowering, Tensors
from samesight.conversion.qparams import Float32, Integers, Quantum, UInt8, in_quanta, read_grids, write_grids
from samesight.conversion.quiet import mute, quiet
from samesight.conversion.runners.torch import describe_input, describe_outputs

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from samesight.conversion.preparation.prepare import Prepared

TITLE = "ONNX"
SPEC = "model.json"
QUANTA = "quanta.json"
RUNTIME_OF_IR = {8: "1.10", 9: "1.17", 10: "1.18", 11: "1.20", 12: "1.23"}
"""The first ONNX Runtime that reads each version of the intermediate representation."""


def convert(job: Lowering) -> Lowered:
    """Write `job.output`."""
    from importlib.metadata import version

    model = export(job.program, job.prepared, job.spec.roles)
    strip(model)
    metadata = {SPEC: job.spec.to_json()}
    if job.integer:
        metadata[QUANTA] = write_grids(job.integer.outputs)
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    job.output.write_bytes(model.SerializeToString(deterministic=True))
    shapes = [[side.dim_value for side in output.type.tensor_type.shape.dim] for output in model.graph.output]
    return Lowered(
        path=job.output,
        storage="float32_nchw",
        input=describe_input(job.spec),
        outputs=describe_outputs(job.spec, shapes),
        runtime="ONNX Runtime",
        runtime_version=RUNTIME_OF_IR.get(model.ir_version, version("onnxruntime")),
        tools={name: version(name) for name in ("torch", "onnx", "onnxscript")},
    )


def export(program: "ExportedProgram", prepared: "Prepared", names: Sequence[str]) -> Any:
    """Run torch's exporter on a program that returns one tensor per name. Returns a ModelProto."""
    import copy

    import torch

    try:
        with quiet():
            made = torch.onnx.export(
                copy.deepcopy(program),
                (prepared.example,),
                dynamo=True,
                external_data=False,
                verbose=False,
                input_names=["image"],
                output_names=list(names),
            )
        return made.model_proto  # type: ignore[union-attr]
    except Exception as error:
        raise refusal(TITLE, prepared.exported, error) from error


def strip(model: Any) -> None:
    """Drop what the exporter writes for its own debugging: stack traces, scopes and intermediate shapes."""
    graphs = [model.graph, *model.functions]
    for graph in graphs:
        graph.ClearField("doc_string")
        graph.ClearField("metadata_props")
        graph.ClearField("value_info")
        for node in graph.node:
            node.ClearField("doc_string")
            node.ClearField("metadata_props")
    for tensor in (*model.graph.initializer, *model.graph.input, *model.graph.output):
        tensor.ClearField("metadata_props")
        tensor.ClearField("doc_string")
    model.ClearField("metadata_props")
    model.ClearField("doc_string")


@dataclass(frozen=True)
class OnnxRunner:
    """A loaded `.onnx`."""

    session: Any
    storage: Storage
    roles: Sequence[Role]
    quanta: Mapping[Role, Quantum]

    def __call__(self, tensor: UInt8) -> dict[Role, Float32]:
        """Raw outputs of an input tensor uint8 [H, W, C]."""
        made = self.session.run(list(self.roles), {"image": pack(tensor, self.storage)})
        return dict(zip(self.roles, made, strict=True))

    def raw(self, tensor: UInt8) -> dict[Role, Integers]:
        """The outputs that lie on a grid, counted in its quanta."""
        return in_quanta(self(tensor), self.quanta)


def load(path: Path, tensors: Tensors) -> OnnxRunner:
    """Load a file for the CPU, on one thread.

    Raises:
        SamesightError: damaged, or of a newer version than this runtime reads.
    """
    with mute():
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors share no base class of their own
            line = str(error).strip().splitlines()[0]
            raise SamesightError(f"{path}: ONNX Runtime cannot load it ({line}); convert again") from None
    quanta = read_grids(session.get_modelmeta().custom_metadata_map.get(QUANTA))
    return OnnxRunner(session, tensors.storage, [info.role for info in tensors.outputs if info.role != "image"], quanta)
