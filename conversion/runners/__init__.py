"""The runtimes that run artifacts on this machine: one table. If several rows run a format, the first is the default.

Rows with a `target` play another device: the CPU, GPU or NPU of a phone, emulated or simulated.

Each row names a module that is imported only when it is needed; `interface.py` has its protocol.
"""

import difflib

from samesight.contract.errors import UsageError
from samesight.contract.manifest import Unit
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
            "executorch-vulkan",
            "ExecuTorch with Vulkan",
            ("executorch-vulkan",),
            f"{HERE}.executorch",
            "gpu",
            (),
            timed=False,
            absent="not executed here: ExecuTorch's runtime on this computer has no Vulkan (VulkanBackend is not "
            "registered); verify it on the phone that is to run it",
        ),
        Runner(
            "coreai",
            "Core AI",
            ("coreai",),
            f"{HERE}.coreai",
            "cpu",
            ("coreai-core",),
            timed=False,
            extra="coreai",
            processes=2,
        ),
        *(
            Runner(
                f"arm64-{short}",
                f"ARM {processor}, emulated",
                ("litert", "onnx", "executorch"),
                f"{HERE}.arm64",
                "cpu",
                (),
                timed=False,
                environment=f"arm64-{short}",
                target="arm64",
            )
            for short, processor in (("a76", "Cortex-A76"), ("a710", "Cortex-A710"))
        ),
        *(
            Runner(
                name,
                f"LiteRT's GPU kernels in {precision}, on software Vulkan",
                ("litert",),
                f"{HERE}.gpu:{function}",
                "gpu",
                ("ai-edge-litert",),
                timed=False,
                environment="gpu",
                target="gpu",
            )
            for name, precision, function in (("gpu", "fp16", "load"), ("gpu-fp32", "fp32", "load_whole"))
        ),
        *(
            Runner(
                f"snapdragon-{soc.lower()}",
                f"the NPU of Snapdragon {soc}, simulated",
                ("litert",),
                f"{HERE}.snapdragon:load_{soc.lower()}",
                "npu",
                ("ai-edge-litert", "onnxruntime", "onnx"),
                timed=False,
                environment="snapdragon",
                target="snapdragon",
            )
            for soc in ("SM8650", "SM8750")
        ),
        Runner(
            "snapdragon-onnx",
            "the NPU of Snapdragon SM8650, simulated, by ONNX Runtime",
            ("onnx",),
            f"{HERE}.snapdragon_onnx",
            "npu",
            ("onnxruntime", "onnx"),
            timed=False,
            environment="snapdragon",
            target="snapdragon",
        ),
        Runner(
            "snapdragon",
            "the Snapdragon's NPU, simulated",
            ("litert",),
            f"{HERE}.snapdragon:load_compiled",
            "npu",
            ("ai-edge-litert", "onnxruntime", "onnx"),
            timed=False,
            environment="snapdragon",
            target="snapdragon",
            compiled=True,
        ),
    )
}
TARGETS = tuple(dict.fromkeys(row.target for row in RUNNERS.values() if row.target))
"""What `--runner` takes."""


def runners_of(format_name: str, unit: Unit = "cpu") -> list[Runner]:
    """The rows that run a format as this computer, in the table's order; for `unit` "npu" those that play the NPU."""
    rows = [row for row in RUNNERS.values() if format_name in row.formats]
    compiled = [row for row in rows if row.compiled and unit == "npu"]
    return compiled or [row for row in rows if not row.target]


def runners_of_target(target: str) -> list[Runner]:
    """The rows that play a device.

    Raises:
        UsageError: no such target; the message has the nearest names.
    """
    if target not in TARGETS:
        near = difflib.get_close_matches(target, TARGETS, 1)
        hint = f"; did you mean {near[0]}?" if near else f"; choose among {', '.join(TARGETS)}"
        raise UsageError(f"--runner: no device {target!r}{hint}")
    return [row for row in RUNNERS.values() if row.target == target]


def runner_of(format_name: str, unit: Unit = "cpu") -> Runner:
    """The row that runs a format by default: the first that lacks nothing here, else the first.

    `unit` is what a file was made for: what was compiled ahead of time for an NPU runs on no CPU.

    Raises:
        KeyError: nothing runs it; a test ensures that every format has a row.
    """
    rows = runners_of(format_name, unit)
    if not rows:
        raise KeyError(format_name)
    return next((row for row in rows if not row.missing()), rows[0])
