"""Artifacts run in child processes: a native crash is one sentence, a stranger's file has few rights (`sandbox.py`).

All artifacts that run at native speed share one process, as they share imports, and those that are emulated or
interpreted another; so both kinds run side by side. The slowest of them take the test images in turn, in several
processes. A process that dies costs the artifact that it was running: the
others are loaded again in a new one when they are called next.
"""

import contextlib
import shutil
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO, cast, get_args

from samesight.contract.errors import SamesightError
from samesight.contract.spec import Role
from samesight.contract.text import printable
from samesight.conversion.child_process import STDERR_BYTES, child_environment, death_reason, package_root
from samesight.conversion.environments import ENVIRONMENTS, MAIN, PYTHON
from samesight.conversion.qparams import Float32, Integers, QuantParams, UInt8, read_qparams, to_steps
from samesight.conversion.quiet import debugging
from samesight.conversion.runners import RUNNERS
from samesight.conversion.runners.frames import Array, read_frame, write_frame
from samesight.conversion.runners.interface import Runner, Tensors
from samesight.conversion.runners.traced import TracedValue

NOTE_LENGTH = 200
SERVE = "samesight.conversion.runners.serve"
SANDBOX = "samesight.conversion.runners.sandbox"


@dataclass
class RuntimeProcess:
    """One child process that answers requests, started when the first comes and again after it died.

    `environment` is its row of `ENVIRONMENTS`. `starts` counts the processes; a model that was loaded in an earlier one
    is gone.
    """

    environment: str
    lock: Lock = field(default_factory=Lock)
    starts: int = 0
    models: int = 0
    process: "subprocess.Popen[bytes] | None" = None
    _scratch: Path | None = None
    _errors: Any = None
    _end: Any = None

    def ask(self, request: Mapping[str, Any], arrays: Mapping[str, Array] | None = None) -> Any:
        """Send a request and wait for the reply: (message, arrays). The caller holds `lock`.

        Raises:
            SamesightError: the runtime's own error, or the sentence about its end.
        """
        if self.process is None:
            self._start()
        assert self.process is not None
        try:
            write_frame(cast("BinaryIO", self.process.stdin), request, arrays)
            message, returned = read_frame(cast("BinaryIO", self.process.stdout))
        except (EOFError, BrokenPipeError):
            raise SamesightError(self._death()) from None
        except BaseException:
            self._end()  # whatever it would have answered, the next request must not read it
            self.process = None
            raise
        if "error" in message:
            raise SamesightError(str(message["error"]))
        return message, returned

    def scratch(self) -> Path:
        """The one folder that the process may write to, for its temporary files too. The caller holds `lock`."""
        if self.process is None:
            self._start()
        assert self._scratch is not None
        return self._scratch

    def _start(self) -> None:
        self._scratch = scratch = Path(tempfile.mkdtemp(prefix="samesight-"))
        errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        environment = {**child_environment(), "TMPDIR": str(scratch)}
        row = ENVIRONMENTS[self.environment]
        command = [row.interpreter(), "-P", "-m", SERVE, str(scratch), *(["executing"] if row.executes else [])]
        if self.environment != MAIN:
            # Its Python may be another system's, which can neither find our packages nor give up rights here.
            environment |= {PYTHON: sys.executable, "PYTHONPATH": package_root()}
            command = [sys.executable, "-P", "-m", SANDBOX, str(scratch), *command]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if debugging() else errors,
            env=environment,
        )
        self.starts += 1
        self._errors = errors
        self._end = weakref.finalize(self, _end, self.process, errors, scratch)

    def _death(self) -> str:
        assert self.process is not None
        code = self.process.wait()
        size = self._errors.seek(0, 2)
        self._errors.seek(max(0, size - STDERR_BYTES))
        tail = self._errors.read()
        self._end()
        self.process = None
        return f"its runtime {death_reason(code, tail)}"


def _end(process: "subprocess.Popen[bytes]", errors: BinaryIO, scratch: Path) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):
                stream.close()
    errors.close()
    shutil.rmtree(scratch, ignore_errors=True)


@dataclass
class IsolatedModel:
    """An artifact that is loaded in a child process (see `interface.LoadedModel`).

    `note` is what its runner says of the place where it runs: the GPU's name, or what an NPU took. Set `traced` before
    it is loaded to have `trace`; it is False again where the runtime shows no values inside.
    """

    child: RuntimeProcess
    runner: str
    path: Path
    tensors: Tensors
    number: int
    qparams: Mapping[Role, QuantParams] = field(default_factory=dict)
    loaded_in: int = 0
    note: str = ""
    traced: bool = False

    def load(self) -> None:
        """Load the file in the process that runs now.

        Raises:
            SamesightError: the runtime refuses it, or dies of it.
        """
        with self.child.lock:
            self._load()

    def __call__(self, tensor: UInt8) -> dict[Role, Float32]:
        """Raw outputs of an input tensor uint8 [H, W, C].

        Raises:
            SamesightError: the runtime failed or died.
        """
        with self.child.lock:
            self._load()
            _, outputs = self.child.ask({"do": "run", "number": self.number}, {"tensor": tensor})
        roles = get_args(Role)
        return {role: outputs[role] for role in outputs if role in roles}

    def raw(self, tensor: UInt8) -> dict[Role, Integers]:
        """The quantized outputs, counted in steps."""
        return to_steps(self(tensor), self.qparams)

    def trace(self, tensor: UInt8) -> list[TracedValue]:
        """All values inside of the file, in the order of execution; its outputs where the runtime shows no others.

        Raises:
            SamesightError: the runtime failed or died.
        """
        with self.child.lock:
            self._load()
            if self.traced:
                message, arrays = self.child.ask({"do": "trace", "number": self.number}, {"tensor": tensor})
                described = zip(message["names"], message["operators"], strict=True)
                return [
                    TracedValue(printable(str(name)), printable(str(operator)), arrays[str(index)])
                    for index, (name, operator) in enumerate(described)
                ]
        return [TracedValue(role, "output", values) for role, values in self(tensor).items()]

    def seconds_per_call(self, tensor: UInt8, calls: int) -> float:
        """The mean time of `calls` calls, measured inside of the process."""
        with self.child.lock:
            self._load()
            message, _ = self.child.ask({"do": "time", "number": self.number, "calls": calls}, {"tensor": tensor})
        return float(message["seconds"])

    def _load(self) -> None:
        if self.child.process is not None and self.loaded_in == self.child.starts:
            return
        if self.traced:
            RUNNERS[self.runner].prepare_trace(self.child.scratch())
        request = {
            "do": "load",
            "number": self.number,
            "runner": self.runner,
            "path": str(self.path.absolute()),
            "input_layout": self.tensors.input_layout,
            "input": self.tensors.input.model_dump(mode="json"),
            "outputs": [output.model_dump(mode="json") for output in self.tensors.outputs],
            "traced": self.traced,
        }
        message, _ = self.child.ask(request)
        self.traced = bool(message.get("traced", False))
        self.qparams = read_qparams(str(message["qparams"]))
        self.note = printable(str(message.get("note", "")))[:NOTE_LENGTH]
        self.loaded_in = self.child.starts


class Runtimes:
    """Child processes for the artifacts of one command; they end with the models that were loaded in them."""

    def __init__(self) -> None:
        """No process yet."""
        self._children: dict[tuple[str, bool, int], RuntimeProcess] = {}

    def load(self, runner: Runner, path: Path, tensors: Tensors) -> IsolatedModel:
        """Load an artifact's file.

        Raises:
            SamesightError: damaged, of another version, it needs what the runner lacks, or the runtime dies of it.
        """
        model = self.model(runner, path, tensors)
        model.load()
        return model

    def model(self, runner: Runner, path: Path, tensors: Tensors, process: int = 0) -> IsolatedModel:
        """An artifact's file that is not loaded yet; `process` counts those of a runner with several."""
        key = runner.environment, runner.timed, process
        if key not in self._children:
            self._children[key] = RuntimeProcess(runner.environment)
        child = self._children[key]
        child.models += 1
        return IsolatedModel(child, runner.name, path, tensors, child.models)


def load_all(models: Sequence[IsolatedModel]) -> list[SamesightError | None]:
    """Load models, those of different processes side by side. Returns the error of each that was refused."""
    processes: dict[int, list[IsolatedModel]] = {}
    for model in models:
        processes.setdefault(id(model.child), []).append(model)
    with ThreadPoolExecutor(max(1, len(processes))) as pool:
        loaded = pool.map(lambda group: {id(model): _refusal(model) for model in group}, processes.values())
        errors = {key: error for group in loaded for key, error in group.items()}
    return [errors[id(model)] for model in models]


def _refusal(model: IsolatedModel) -> SamesightError | None:
    try:
        model.load()
    except SamesightError as error:
        return error
    return None
