"""Compiles a `.tflite` ahead of time for the NPU of a chip, with LiteRT and the compiler of the chip's maker.

It runs in the environment of the maker's row (`chips.py`), where its libraries are found.
"""

import importlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samesight.contract.errors import SamesightError, first_line
from samesight.contract.manifest import LeftOperator, Plan
from samesight.conversion.npu.chips import CHIPS, MAKERS
from samesight.conversion.npu.contexts import read_contents
from samesight.conversion.npu.words import left_words
from samesight.conversion.quiet import mute

PARTITIONED = "Partitioned subgraph<0>"
REFUSED = re.compile(r"LiteRT Op #\d+ '(\w+)' \(code=\d+\) is not supported")
INVALID = re.compile(r"op validation failed: '[^']*' \(type=(\w+)\)")
TYPE = re.compile(r"dtype=QNN_DATATYPE_(\w+)")
# Lines with a reason, not only a place in LiteRT's sources.
SAID = re.compile(r"^(?:ERROR: \[[^\]]*\]|└) *((?!ERROR)\S.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Compiled:
    """A `.tflite` whose operators are programs for an NPU, and what the NPU takes."""

    model: bytes
    plan: Plan


def compile_for(soc: str, path: Path, folder: Path) -> Compiled:
    """Compile a file for a chip of the table; `folder` is for what is written on the way.

    Raises:
        SamesightError: the compiler fails, or the NPU takes nothing of it.
    """
    chip = CHIPS[soc]
    title = MAKERS[chip.maker].title
    # The compiler writes a folder beside its source.
    source = folder / "network.tflite"
    shutil.copy(path, source)
    with mute(), _recorded(folder) as log:
        from ai_edge_litert.aot import aot_compile

        vendor = importlib.import_module(f"ai_edge_litert.aot.vendors.{chip.maker}.target")
        try:
            target = vendor.Target(vendor.SocModel(chip.target))
            result = aot_compile.aot_compile(str(source), target=[target], keep_going=True)
            model = None
            if result.models_with_backend:
                result.export(str(folder / "compiled"), model_name="network")
                (compiled,) = (folder / "compiled").glob("*.tflite")
                model = compiled.read_bytes()
        except Exception as error:  # a vendor's library may raise anything
            raise SamesightError(f"{path}: {title}'s compiler fails for {soc} ({first_line(error)})") from None
    text = "\n".join(log)
    if model is None:
        said = SAID.findall(text) or [first_line(error) for _, error in result.failed_backends]
        raise SamesightError(
            f"{path}: {title}'s compiler fails for {soc} ({said[-1] if said else 'it does not say why'})"
        )
    plan = read_plan(model, result.models_with_backend[0][1].partition_stats, text, title)
    if plan.pieces == 0:
        raise SamesightError(f"{path}: the NPU of {soc} takes nothing of it ({left_words(list(plan.left))})")
    return Compiled(model, plan)


def read_plan(model: bytes, stats: Any, log: str, title: str) -> Plan:
    """What the NPU takes: the pieces and what is left by the file itself, the reasons by what the compiler said."""
    contents = read_contents(model)
    counted = [part for part in stats.subgraph_stats if part.subgraph_index == 0] if stats else []
    left = sum(contents.left.values())
    # In a file that is not counted every piece stands for one operator at least.
    operators = counted[0].num_total_ops if counted else left + len(contents.contexts)
    reasons = _reasons(log, title)
    return Plan(
        pieces=len(contents.contexts),
        operators=operators,
        left=tuple(
            LeftOperator(
                kind=kind, count=count, reason=reasons.get(_plain(kind), f"{title}'s compiler does not say why")
            )
            for kind, count in contents.left.items()
        ),
    )


def _reasons(log: str, title: str) -> dict[str, str]:
    """Why operators of each kind are refused, by the kind's name in small letters."""
    reasons: dict[str, str] = {}
    types: list[str] | None = None
    for line in log.partition(PARTITIONED)[0].splitlines():
        if INVALID.search(line):
            types = []
        elif types is not None and (found := TYPE.search(line)):
            types.append(found[1])
        elif refused := REFUSED.search(line):
            why = (
                f"{title}'s compiler has no such operator"
                if types is None
                else f"the NPU does not take its types, {' and '.join(dict.fromkeys(types)) or 'which are not said'}"
            )
            reasons.setdefault(_plain(refused[1]), why)
            types = None
    return reasons


def _plain(kind: str) -> str:
    return kind.lower().replace("_", "")


@contextmanager
def _recorded(folder: Path) -> Iterator[list[str]]:
    """What LiteRT's tool prints: it says there why it refuses an operator, and LiteRT throws that away.

    What LiteRT leaves in the folder for temporary files goes to `folder`.
    """
    from ai_edge_litert.aot.core import apply_plugin

    log: list[str] = []
    run: Callable[..., Any] = subprocess.run

    class Recording:
        """Stands for the module `subprocess`."""

        PIPE, STDOUT = subprocess.PIPE, subprocess.STDOUT

        @staticmethod
        def run(*arguments: Any, **options: Any) -> Any:
            done = run(*arguments, **(options | {"errors": "replace"}))
            log.append(str(done.stdout))
            return done

    real, temporary = apply_plugin.subprocess, tempfile.tempdir
    apply_plugin.subprocess, tempfile.tempdir = Recording, str(folder)
    try:
        yield log
    finally:
        apply_plugin.subprocess, tempfile.tempdir = real, temporary
