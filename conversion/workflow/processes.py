"""Runs workers as child processes and reads their events; a worker that dies is replaced by one for its other items."""

import os
import selectors
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from samesight.contract.files import write_atomically
from samesight.conversion.child_process import STDERR_BYTES, child_environment, death_reason, environment_of_others
from samesight.conversion.environments import ENVIRONMENTS, PYTHON, pins_of
from samesight.conversion.workflow.interrupts import deferred
from samesight.conversion.workflow.worker_protocol import Event, Job

OnEvent = Callable[[Event], None]


@dataclass
class Child:
    """One job and its current process.

    `open` are the items that have not ended; `current` is the one begun last. `partial_line` is the begin of an event
    whose end has not been read yet, `stderr_tail` the last bytes of standard error.
    """

    job: Job
    number: int
    folder: Path
    open: list[str] = field(default_factory=list)
    current: str = ""
    process: "subprocess.Popen[bytes] | None" = None
    partial_line: bytes = b""
    stderr_tail: bytes = b""
    starts: int = 0
    peak_bytes: int = 0

    def start(self, selector: selectors.BaseSelector) -> None:
        """Start a process for the items that are open, and register its pipes."""
        self.starts += 1
        path = self.folder / f"worker-{self.number}-{self.starts}.json"
        write_atomically(path, _reduced(self.job, self.open).to_json().encode())
        self.current, self.partial_line, self.stderr_tail = "", b"", b""
        with deferred():  # an interrupt in here would leave a process that nobody knows
            self.process = subprocess.Popen(
                [
                    *fixed_addresses(),
                    ENVIRONMENTS[self.job.environment].interpreter(),
                    "-P",
                    "-m",
                    "samesight.conversion.workflow.worker",
                    str(path),
                    str(os.getpid()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,  # not a file: on a full disk, a worker that cannot print dies of it
                env=self._environment(),
            )
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)
            selector.register(stream, selectors.EVENT_READ, self)

    def _environment(self) -> dict[str, str]:
        # coremltools leaves a copy of each package in the folder for temporary files, which nobody clears.
        temporary = self.folder / "temporary"
        temporary.mkdir(exist_ok=True)
        if pins_of(self.job.environment):
            return {**environment_of_others(self.folder), "TMPDIR": str(temporary)}
        return {**child_environment(), "TMPDIR": str(temporary), PYTHON: sys.executable}

    def read_stderr(self) -> bool:
        """Read what converters have printed and keep its last bytes; False at the end of the stream."""
        assert self.process is not None and self.process.stderr is not None
        data = self.process.stderr.read()
        self.stderr_tail = (self.stderr_tail + (data or b""))[-STDERR_BYTES:]
        return data != b""

    def read(self, on_event: OnEvent) -> bool:
        """Read and pass on the complete events; False at the end of the stream."""
        assert self.process is not None and self.process.stdout is not None
        data = self.process.stdout.read()
        if data is None:
            return True
        lines = (self.partial_line + data).split(b"\n")
        self.partial_line = lines.pop()
        for line in lines:
            try:
                event = Event.model_validate_json(line)
            except ValidationError:
                continue
            self._note(event)
            on_event(event.model_copy(update={"name": self.current}) if event.kind == "step" else event)
        return bool(data)

    def end(self, on_event: OnEvent) -> bool:
        """After the process has ended: report the item that it died at as failed. True if other items are left."""
        assert self.process is not None
        code = self.process.wait()
        self.read_stderr()
        self.close()
        reason = f"its converter {death_reason(code, self.stderr_tail)}"
        if not self.open:
            return False
        for name in [self.current] if self.current else list(self.open):
            on_event(Event(kind="failed", name=name, text=reason))
            self.open.remove(name)
        return bool(self.open)

    def kill(self) -> None:
        """End the process, if one runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.close()

    def close(self) -> None:
        """Close the pipes."""
        for stream in (self.process.stdout, self.process.stderr) if self.process else ():
            if stream is not None:
                stream.close()

    def _note(self, event: Event) -> None:
        self.peak_bytes = max(self.peak_bytes, event.peak_bytes)
        if event.kind == "begin":
            self.current = event.name
        elif event.kind in ("end", "failed"):
            self.current = ""
            if event.name in self.open:
                self.open.remove(event.name)


def run_workers(jobs: Sequence[Job], folder: Path, on_event: OnEvent) -> int:
    """Run jobs side by side, each in a process of its own, until every item has ended or failed.

    A process that dies costs the item that it was making (or all of its items when it had begun none); another takes
    over the rest. When `on_event` raises, all processes are ended.

    Args:
        jobs: one process each.
        folder: for job files.
        on_event: called with every event.

    Returns:
        Memory in bytes: the sum of the workers' peaks.
    """
    children = [Child(job, number, folder, list(job.items)) for number, job in enumerate(jobs)]
    with selectors.DefaultSelector() as selector:
        try:
            for child in children:
                child.start(selector)
            while selector.get_map():
                for key, _ in selector.select():
                    _serve(key, selector, on_event)
        finally:
            for child in children:
                child.kill()
    return sum(child.peak_bytes for child in children)


def _serve(key: selectors.SelectorKey, selector: selectors.BaseSelector, on_event: OnEvent) -> None:
    """Read what one pipe of one worker holds."""
    child: Child = key.data
    assert child.process is not None
    if key.fd not in selector.get_map():
        return  # both pipes had something, and the other one ended the child just now
    if key.fileobj is child.process.stderr:
        if not child.read_stderr():
            selector.unregister(key.fileobj)
    elif key.fileobj is child.process.stdout and not child.read(on_event):
        for stream in (child.process.stdout, child.process.stderr):
            if stream is not None and stream in selector.get_map():
                selector.unregister(stream)
        if child.end(on_event):
            child.start(selector)


def _reduced(job: Job, items: Sequence[str]) -> Job:
    """The job with the items that are still to be made."""
    from samesight.conversion.workflow.worker_protocol import CHECKS, EXPORT, GOLDEN, INTERCHANGE, RECIPE

    return job.model_copy(
        update={
            "function": job.function if EXPORT in items else None,
            "onnx": job.onnx if EXPORT in items else None,
            "search": job.search if RECIPE in items else None,
            "golden": job.golden if GOLDEN in items else None,
            "checks": job.checks if CHECKS in items else None,
            "interchange": job.interchange if INTERCHANGE in items else None,
            "targets": tuple(target for target in job.targets if target.name in items),
        }
    )


@cache
def fixed_addresses() -> tuple[str, ...]:
    """The prefix of a command that turns address randomization off; empty where the system does not allow it.

    Core AI's converter names weights by LLVM's hashes, which depend on the address at which LLVM was loaded.
    """
    tool = shutil.which("setarch")
    if tool is None:
        return ()
    command = (tool, "--addr-no-randomize")
    allowed = subprocess.run([*command, "true"], capture_output=True).returncode == 0
    return command if allowed else ()
