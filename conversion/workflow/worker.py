"""A child process that converts: `python -m samesight.conversion.workflow.worker JOB.json PARENT`.

It makes the job's artifacts one after another (`items.py`), so that they share imports and one prepared program, and
writes events as JSON lines to its standard output (`worker_protocol.py`). All that converters print goes to standard
error instead. When it dies, the items whose end it had reported are complete.
"""

import gc
import importlib
import os
import resource
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from samesight.contract.documents import read_document
from samesight.contract.errors import SamesightError, describe_error
from samesight.conversion.environments import MAIN
from samesight.conversion.formats import find_row
from samesight.conversion.workflow.items import (
    check_network,
    compile_artifact,
    export_network,
    lower,
    search_recipe,
    write_golden_cases,
    write_onnx,
)
from samesight.conversion.workflow.programs import Programs
from samesight.conversion.workflow.worker_protocol import (
    CHECKS,
    EXPORT,
    GOLDEN,
    INTERCHANGE,
    RECIPE,
    Emit,
    Event,
    Job,
)

FULL_BYTES = 1 << 20


def run(job: Job, emit: Emit) -> None:
    """Make every item of the job; a failure is emitted as an event, not raised, and the next item is begun."""
    programs = Programs(job, emit)
    if job.function or job.onnx:
        _make_item(EXPORT, Path(job.network), emit, lambda: export_network(programs))
    if job.search:
        wanted = job.search
        _make_item(RECIPE, Path(wanted.output), emit, lambda: search_recipe(programs, wanted))
    if job.golden:
        golden = job.golden
        _make_item(GOLDEN, Path(golden.output), emit, lambda: write_golden_cases(job, golden))
    if job.checks:
        output = Path(job.checks)
        _make_item(CHECKS, output, emit, lambda: check_network(programs, output))
    if job.interchange:
        interchange = Path(job.interchange)
        _make_item(INTERCHANGE, interchange, emit, lambda: write_onnx(programs, interchange))
    for target in job.targets:
        make = partial(compile_artifact, target, target.compile) if target.compile else partial(lower, programs, target)
        _make_item(target.name, Path(target.output), emit, make)


def _make_item(name: str, output: Path, emit: Emit, make: Callable[[], Event]) -> None:
    emit(Event(kind="begin", name=name))
    started = time.perf_counter()
    try:
        end = make()
    except SamesightError as error:
        emit(Event(kind="failed", name=name, text=str(error)))
    except Exception as error:  # converters raise anything; it costs this item alone
        traceback.print_exc()
        emit(_failure(name, output, error))
    else:
        seconds = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        emit(end.model_copy(update={"kind": "end", "name": name, "seconds": seconds, "peak_bytes": peak}))
    gc.collect(0)


def _failure(name: str, output: Path, error: Exception) -> Event:
    # Several writers turn "no space left" into errors of their own, so the disk itself is asked.
    if shutil.disk_usage(output.parent).free < FULL_BYTES:
        text = f"{output}: cannot be written (no space left on device); make room or choose another --out"
        return Event(kind="failed", name=name, text=text, fatal=True)
    return Event(kind="failed", name=name, text=f"unexpected {describe_error(error)}")


def main(path: str, parent: int) -> None:
    """Run a job file; events go to the original standard output, everything else to standard error.

    Args:
        path: of the job.
        parent: the process whose end ends this one.
    """
    # Converters make millions of small objects: collecting once after each item takes a seventh off their time.
    gc.disable()
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    job = read_document(Job, Path(path))
    for target in job.targets:
        if library := find_row(target.format).first:
            with suppress(ImportError):
                importlib.import_module(library)
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()

    def emit(event: Event) -> None:
        events.write(event.model_dump_json(exclude_defaults=True) + "\n")
        events.flush()

    if job.environment == MAIN and not (job.targets and all(target.compile for target in job.targets)):
        import torch

        torch.set_num_threads(1)
    run(job, emit)
    # All files and events are written; an orderly shutdown of the converters would cost 2 s.
    sys.stderr.flush()
    os._exit(0)


def _end_with_parent(parent: int) -> None:
    """A killed command must not leave its workers behind."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
