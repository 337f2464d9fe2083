"""Times an artifact on a phone with a person's own program: LiteRT's benchmark_model, ExecuTorch's executor_runner.

Their options and lines are those of google-ai-edge/LiteRT (`tflite/tools/benchmark/benchmark_model.cc`, and
`litert/tools/benchmark_litert_model.h`, whose program is called benchmark_model too; main of August 2026) and of
pytorch/executorch (`examples/portable/executor_runner/executor_runner.cpp`). A figure is told where the program
measured it, and left out where it did not: benchmark_model gives no time of a single run, so it has no p90 and no p99.
"""

import math
import re
import secrets
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from samesight.contract.errors import SamesightError, UsageError
from samesight.contract.files import check_plain
from samesight.contract.manifest import Artifact, Unit
from samesight.contract.text import one_line
from samesight.conversion.device.adb import SECONDS, Bridge, ShellError
from samesight.conversion.device.phone import Heat, Phone, heat, wait_until_cool

FOLDER = "/data/local/tmp"
BYTES_PER_SECOND = 1e6
# ELF's e_machine by the ABI's name in Android.
MACHINES = {"arm64-v8a": 183, "armeabi-v7a": 40, "x86_64": 62, "x86": 3}


@dataclass(frozen=True)
class Wish:
    """What is to be timed, and how.

    Attributes:
        unit: what the program is told to compute on.
        threads: of the CPU; None leaves it to the program.
        warmup: runs before those that count.
        runs: that count.
        libraries: a folder of the maker's libraries that an NPU needs.
        seconds: in which the program must have ended.
    """

    unit: Unit
    threads: int | None
    warmup: int
    runs: int
    libraries: Path | None
    seconds: float


@dataclass(frozen=True)
class Latency:
    """Milliseconds of the runs that count; None for what the program did not tell."""

    runs: int
    mean: float
    minimum: float | None = None
    maximum: float | None = None
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    first: float | None = None
    load: float | None = None


@dataclass(frozen=True)
class Timed:
    """An artifact's latency on a phone, and how hot the phone was before and after."""

    artifact: str
    unit: Unit
    program: str
    latency: Latency
    before: Heat
    after: Heat


@dataclass(frozen=True)
class Program:
    """How a runtime's program is called, and how its lines are read."""

    name: str
    arguments: Callable[[str, str, Wish], list[str]]
    read: Callable[[str, Wish], Latency | None]
    units: Callable[[Artifact], tuple[Unit, ...]]


def time_artifact(
    bridge: Bridge,
    phone: Phone,
    artifact: Artifact,
    file: Path,
    tool: Path,
    wish: Wish,
    cool_down: float,
    say: Callable[[str], None],
) -> Timed:
    """Push program and artifact, wait until the phone is cool, run it, read its times; nothing stays on the phone.

    Raises:
        UsageError: no program of this artifact's format is known, or it cannot be given this unit.
        SamesightError: the phone is hot, went away, is full; or the program failed or told no times.
    """
    program = program_of(artifact, wish)
    check_program(tool, phone.abi)
    folder = f"{FOLDER}/samesight-{secrets.token_hex(8)}"
    libraries = _libraries(wish.libraries) if wish.libraries else []
    try:
        bridge.shell(f"mkdir -p {folder}", "making a folder")
        for source, name in [(tool, "tool"), (file, file.name), *((one, one.name) for one in libraries)]:
            size = source.stat().st_size
            bridge.push(source, f"{folder}/{name}", f"sending {source.name}", SECONDS + size / BYTES_PER_SECOND)
        bridge.shell(f"chmod 755 {folder}/tool", "sending the program")
        before = wait_until_cool(bridge, cool_down, say)
        said = _run(bridge, folder, program.arguments(f"{folder}/{file.name}", folder, wish), tool, wish)
        after = heat(bridge)
    finally:
        with suppress(SamesightError):
            bridge.shell(f"rm -rf {folder}", "taking files away")
    latency = program.read(said, wish)
    if latency is None:
        last = said.strip().splitlines()[-1:] or ["nothing"]
        raise SamesightError(f"{tool.name} told no times; its last line: {one_line(last[0])}")
    return Timed(artifact.name, wish.unit, tool.name, latency, before, after)


def program_of(artifact: Artifact, wish: Wish) -> Program:
    """How an artifact is timed.

    Raises:
        UsageError: its format has no such program, or the program cannot be given this unit.
    """
    if artifact.format not in PROGRAMS:
        formats = " or ".join(PROGRAMS)
        raise UsageError(f"{artifact.name}: has no benchmark program for phones; choose an artifact of {formats}")
    program = PROGRAMS[artifact.format]
    units = program.units(artifact)
    if wish.unit not in units:
        raise UsageError(
            f"--unit {wish.unit}: {program.name} cannot run {artifact.name} on it; choose {' or '.join(units)}"
        )
    if wish.libraries is not None and not _libraries(wish.libraries):
        raise UsageError(f"--libraries {wish.libraries}: has no .so file; name the folder with the maker's libraries")
    return program


def _libraries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.so"))


def check_program(tool: Path, abi: str) -> None:
    """See that a file is a program for this phone.

    Raises:
        SamesightError: it cannot be read, is no program, or one for other processors.
    """
    try:
        with check_plain(tool).open("rb") as stream:
            head = stream.read(20)
    except OSError as error:
        raise SamesightError(
            f"{tool}: cannot be read ({error.strerror}); build or fetch the program for Android"
        ) from None
    if head[:4] != b"\x7fELF" or len(head) < 20:
        raise SamesightError(f"{tool}: is no program for Android (no ELF file); build it for {abi}")
    (machine,) = struct.unpack_from("<H" if head[5] == 1 else ">H", head, 18)
    if abi in MACHINES and machine != MACHINES[abi]:
        built = next((name for name, number in MACHINES.items() if number == machine), f"machine {machine}")
        raise SamesightError(f"{tool}: is built for {built}, and the phone is {abi}; build it for {abi}")


def _run(bridge: Bridge, folder: str, arguments: Sequence[str], tool: Path, wish: Wish) -> str:
    command = f"cd {folder} && LD_LIBRARY_PATH={folder} ADSP_LIBRARY_PATH={folder} ./tool {' '.join(arguments)}"
    try:
        return bridge.shell(command, f"running {tool.name}", wish.seconds + SECONDS)
    except ShellError as error:
        raise SamesightError(f"{error}; run it by hand to see all that it says, with {' '.join(arguments)}") from None


def _litert_arguments(model: str, folder: str, wish: Wish) -> list[str]:
    arguments = [
        f"--graph={model}",
        f"--warmup_runs={wish.warmup}",
        f"--num_runs={wish.runs}",
        # Otherwise more runs count than were asked for.
        "--min_secs=0",
        f"--max_secs={wish.seconds:.0f}",
    ]
    if wish.threads is not None:
        arguments.append(f"--num_threads={wish.threads}")
    if wish.unit != "cpu":
        # Without the last one, what the unit refuses runs on the CPU and is timed there.
        arguments += [f"--use_{wish.unit}=true", "--use_cpu=false", "--require_full_delegation=true"]
    if wish.unit == "npu":
        arguments.append(f"--dispatch_library_path={folder}")
    return arguments


def _read_litert(said: str, wish: Wish) -> Latency | None:
    _require_unit(said, wish)
    # One line of the warm-up, one of the runs that count; microseconds.
    lines = re.findall(r"\bcount=\d+[^\n]*", said)
    if len(lines) < 2:
        return None
    figures = {name: float(value) for name, value in re.findall(r"(\w+)=(-?[\d.]+(?:e[+-]?\d+)?)", lines[-1])}
    runs = int(figures["count"])
    mean = figures.get("avg", figures.get("curr"))
    if not runs or mean is None:
        return None
    first = re.search(r"\bfirst=([\d.e+]+)|\bcurr=([\d.e+]+)", lines[0])
    load = re.search(r"\bInit: ([\d.e+]+)|initialization: +([\d.]+) ms", said)
    same = "all same" in lines[-1] or runs == 1
    value = {name: figures[name] / 1e3 for name in ("min", "max", "median", "p95") if name in figures}
    return Latency(
        runs,
        mean / 1e3,
        mean / 1e3 if same else value.get("min"),
        mean / 1e3 if same else value.get("max"),
        mean / 1e3 if same else value.get("median"),
        mean / 1e3 if same else None,
        mean / 1e3 if same else value.get("p95"),
        mean / 1e3 if same else None,
        first=float(first[1] or first[2]) / 1e3 if first else None,
        load=(float(load[1]) / 1e3 if load[1] else float(load[2])) if load else None,
    )


def _require_unit(said: str, wish: Wish) -> None:
    """Refuse times of a unit that was not proven to have run: an option that is not known is passed over there."""
    if wish.unit == "cpu":
        return
    passed_over = " ".join(re.findall(r"Unconsumed cmdline flags: ([^\n]*)", said))
    unknown = next(
        (name for name in (f"use_{wish.unit}", "require_full_delegation") if f"--{name}" in passed_over), None
    )
    if unknown:
        raise SamesightError(
            f"benchmark_model does not know --{unknown}, so it ran on the CPU; build it from LiteRT with the unit "
            f"{wish.unit}"
        )
    # TensorFlow Lite's program, which has no --use_cpu, tells whether all was delegated; LiteRT's refuses otherwise.
    if "--use_cpu" in passed_over and "completely executed by the delegate" not in said:
        raise SamesightError(
            f"benchmark_model did not run all of the network on the {wish.unit.upper()}: no times of it"
        )


def _executorch_arguments(model: str, folder: str, wish: Wish) -> list[str]:
    arguments = [f"--model_path={model}", f"--num_executions={wish.warmup + wish.runs}", "--print_output=none"]
    return [*arguments, f"--cpu_threads={wish.threads}"] if wish.threads is not None else arguments


def _read_executorch(said: str, wish: Wish) -> Latency | None:
    load = re.search(r"Model loaded in ([\d.]+) ms", said)
    each = [float(one) for one in re.findall(r"Iteration \d+ of \d+: ([\d.]+) ms", said)]
    counted = each[wish.warmup :]
    if not counted:
        # Older programs tell the sum alone, the warm-up's in it: no times of what was asked for.
        return None
    return Latency(
        len(counted),
        sum(counted) / len(counted),
        min(counted),
        max(counted),
        percentile(counted, 50),
        percentile(counted, 90),
        percentile(counted, 95),
        percentile(counted, 99),
        first=each[0],
        load=float(load[1]) if load else None,
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of all do not exceed (nearest rank: a time that was measured)."""
    ranked = sorted(values)
    return ranked[max(1, math.ceil(len(ranked) * percent / 100)) - 1]


# By format. A LiteRT file runs where the program is told to, an ExecuTorch program where it was exported for.
PROGRAMS = {
    "litert": Program(
        "benchmark_model",
        _litert_arguments,
        _read_litert,
        lambda artifact: ("npu",) if artifact.unit == "npu" else ("cpu", "gpu", "npu"),
    ),
    "executorch": Program(
        "executor_runner", _executorch_arguments, _read_executorch, lambda artifact: (artifact.unit,)
    ),
}
