"""The runtimes that run artifacts on this machine: one table. If several rows run a format, the first is the default.

Each row names a module that is imported only when it is needed; `interface.py` has its protocol.
"""

from samesight.conversion.runners.interface import Runner

HERE = "samesight.conversion.runners"
EVALUATOR = "Core ML evaluator"

RUNNERS: dict[str, Runner] = {
    row.name: row
    for row in (
        Runner("torch", "PyTorch", ("torchscript", "exported"), f"{HERE}.torch", "cpu", ("torch",)),
        Runner("torch-lite", "PyTorch lite interpreter", ("lite",), f"{HERE}.torch", "cpu", ("torch",)),
        Runner("onnxruntime", "ONNX Runtime", ("onnx",), f"{HERE}.onnxruntime", "cpu", ("onnxruntime",)),
        Runner("executorch", "ExecuTorch", ("executorch",), f"{HERE}.executorch", "cpu", ("executorch",)),
        Runner("litert", "LiteRT", ("litert",), f"{HERE}.litert", "cpu", ("ai-edge-litert",)),
        Runner("coreml", EVALUATOR, ("coreml",), f"{HERE}.coreml.package", "cpu", ("coremltools",), timed=False),
        Runner(
            "coreml-in-pte",
            EVALUATOR,
            ("executorch-coreml",),
            f"{HERE}.coreml.package",
            "cpu",
            ("executorch", "coremltools"),
            timed=False,
        ),
        Runner(
            "coreai", "Core AI", ("coreai",), f"{HERE}.coreai", "cpu", ("coreai-core",), timed=False, extra="coreai"
        ),
    )
}


def runners_of(format_name: str) -> list[Runner]:
    """The rows that run a format, in the table's order."""
    return [row for row in RUNNERS.values() if format_name in row.formats]


def runner_of(format_name: str) -> Runner:
    """The row that runs a format by default: the first that lacks nothing here, else the first.

    Raises:
        KeyError: nothing runs it; a test ensures that every format has a row.
    """
    rows = runners_of(format_name)
    if not rows:
        raise KeyError(format_name)
    return next((row for row in rows if not row.missing()), rows[0])
