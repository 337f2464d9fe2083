"""A child process that runs artifacts: `python -m samesight.conversion.runners.serve SCRATCH [executing]`.

It reads requests from standard input and writes replies to standard output (`frames.py`): load a file, run it, time
it. Before the first file is opened it gives up the rights that running a model does not need (`sandbox.py`).
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from samesight.contract.errors import SamesightError, describe_error
from samesight.contract.manifest import TensorInfo
from samesight.contract.tensor_layout import TensorLayout
from samesight.conversion.qparams import UInt8, write_qparams
from samesight.conversion.runners import RUNNERS
from samesight.conversion.runners.foreign_files import ForeignFile, open_file
from samesight.conversion.runners.frames import Array, read_frame, write_frame
from samesight.conversion.runners.interface import LoadedModel
from samesight.conversion.runners.sandbox import give_up_rights
from samesight.conversion.runners.traced import TracedValue


@dataclass(frozen=True)
class FileTensors:
    """The tensors of a file, as `interface.Tensors` describes them."""

    input_layout: TensorLayout
    input: TensorInfo
    outputs: tuple[TensorInfo, ...]


Traces = dict[int, Callable[[UInt8], list[TracedValue]]]


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer requests until there are no more; an error of a runtime is a reply."""
    models: dict[int, LoadedModel] = {}
    foreign: dict[int, ForeignFile] = {}
    traces: Traces = {}
    while True:
        try:
            request, arrays = read_frame(requests)
        except EOFError:
            return
        try:
            message, outputs = _answer(models, foreign, traces, request, arrays)
        except SamesightError as error:
            message, outputs = {"error": str(error), "known": True}, {}
        except Exception as error:  # a runtime may raise anything
            message, outputs = {"error": describe_error(error), "known": False}, {}
        write_frame(replies, message, outputs)


def _answer(
    models: dict[int, LoadedModel],
    foreign: dict[int, ForeignFile],
    traces: Traces,
    request: dict[str, Any],
    arrays: dict[str, Array],
) -> tuple[dict[str, Any], dict[str, Array]]:
    number = int(request["number"])
    match request["do"]:
        case "load":
            tensors = FileTensors(
                request["input_layout"],
                TensorInfo.model_validate(request["input"]),
                tuple(TensorInfo.model_validate(output) for output in request["outputs"]),
            )
            runner, path = RUNNERS[request["runner"]], Path(request["path"])
            models[number] = runner.load(path, tensors)
            if request.get("traced") and (trace := runner.trace(path, tensors)):
                traces[number] = trace
            note = str(getattr(models[number], "note", ""))
            return {"qparams": write_qparams(models[number].qparams), "note": note, "traced": number in traces}, {}
        case "open":
            foreign[number] = open_file(Path(request["path"]))
            return {key: getattr(foreign[number], key) for key in ("shape", "names", "quantized")}, {}
        case "feed":
            outputs = foreign[number].feed(arrays["values"])
            return {}, {str(index): output for index, output in enumerate(outputs)}
        case "run":
            return {}, {str(role): array for role, array in models[number](arrays["tensor"]).items()}
        case "trace":
            values = traces[number](arrays["tensor"])
            described = {"names": [v.name for v in values], "operators": [v.operator for v in values]}
            return described, {str(index): value.values for index, value in enumerate(values)}
        case _:
            run, tensor = models[number], arrays["tensor"]
            started = time.perf_counter()
            for _ in range(int(request["calls"])):
                run(tensor)
            return {"seconds": (time.perf_counter() - started) / int(request["calls"])}, {}


def main(scratch: str, executing: str = "") -> None:
    """Serve standard input; what runtimes print goes to standard error.

    With a second argument the right to start programs is kept.
    """
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both; the command ends this process
    give_up_rights(Path(scratch), executing=bool(executing))
    serve(requests, replies)
    # An orderly shutdown of the runtimes would cost a second, and some of them crash in it.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
