"""ExecuTorch with Vulkan inside (`.vulkan.pte`), for GPUs of Android phones: made on request, and not run here.

Input, outputs and constant methods are those of `xnnpack.py`; fp16 computes in halves between float32 borders, int8 is
the one quantized program, with dense convolutions in place of some depthwise ones (`vulkan_depthwise.py`).

The runtime that pip installs has no Vulkan («Backend VulkanBackend is not registered»), nor have the apps: whoever
ships the file has to build ExecuTorch with it, and to verify it on the phone.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from samesight.conversion.formats.executorch.vulkan_depthwise import with_dense_convolutions
from samesight.conversion.formats.executorch.xnnpack import constants_of, describe, lower
from samesight.conversion.formats.interface import Lowered, Lowering
from samesight.conversion.preparation.prepare import example_of

TITLE = "ExecuTorch with Vulkan"


def convert(job: Lowering) -> Lowered:
    """Write `job.output`; `delegated` is the share of operators that Vulkan takes, the CPU computes the others."""
    integer = job.integer
    program = with_dense_convolutions(integer.folded, example_of(job.spec)) if integer else job.program
    buffer, share = lower(program, job.prepared, constants_of(job), vulkan(job.precision == "fp16"), TITLE)
    job.output.write_bytes(buffer)
    tools = ("executorch", "torch", *(("torchao",) if integer else ()))
    return replace(describe(job, share, tools), unit="gpu", runtime=TITLE)


def vulkan(halves: bool) -> Callable[[], Any]:
    """Makes ExecuTorch's partitioner for Vulkan."""

    def partitioner() -> Any:
        from executorch.backends.vulkan.partitioner.vulkan_partitioner import VulkanPartitioner

        return VulkanPartitioner({"force_fp16": True} if halves else {})

    return partitioner
