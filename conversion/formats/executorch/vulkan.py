"""ExecuTorch with Vulkan inside (`.vulkan.pte`), for GPUs of Android phones: made on request, and not run here.

Input, outputs and constant methods are those of `xnnpack.py`; fp16 computes in halves between float32 borders. There is
no int8: ExecuTorch 1.5.1 refuses the one quantized program («depthwise conv requires that OC is divisible by 4»: the
normalisation of three channels).

The runtime that pip installs has no Vulkan («Backend VulkanBackend is not registered»), nor have the apps: whoever
ships the file has to build ExecuTorch with it, and to verify it on the phone.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from samesight.conversion.formats.executorch.xnnpack import constants_of, describe, lower
from samesight.conversion.formats.interface import Lowered, Lowering

TITLE = "ExecuTorch with Vulkan"


def convert(job: Lowering) -> Lowered:
    """Write `job.output`; `delegated` is the share of operators that Vulkan takes, the CPU computes the others."""
    buffer, share = lower(job.program, job.prepared, constants_of(job), vulkan(job.precision == "fp16"), TITLE)
    job.output.write_bytes(buffer)
    return replace(describe(job, share, ("executorch", "torch")), unit="gpu", runtime=TITLE)


def vulkan(halves: bool) -> Callable[[], Any]:
    """Makes ExecuTorch's partitioner for Vulkan."""

    def partitioner() -> Any:
        from executorch.backends.vulkan.partitioner.vulkan_partitioner import VulkanPartitioner

        return VulkanPartitioner({"force_fp16": True} if halves else {})

    return partitioner
