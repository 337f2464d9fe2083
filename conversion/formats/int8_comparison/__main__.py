"""Our int8 beside what others' quantizers make of the same networks, on the same images, in one run.

    python -m samesight.conversion.formats.int8_comparison RUN… [--aimet PYTHON]

Each tool is given the run's calibration images. On the run's test images a program is judged against the float program:
signal-to-noise ratio of the outputs, share of equal answers, and points of the task's metric that it loses.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch

from samesight.contract.errors import SamesightError, first_line
from samesight.conversion.formats.int8_comparison.aimet import aimet, check_aimet
from samesight.conversion.formats.int8_comparison.aimet_worker import RECIPES
from samesight.conversion.formats.int8_comparison.bound import fitted_to_the_test_images
from samesight.conversion.formats.int8_comparison.case import Case, Figures, open_case
from samesight.conversion.formats.int8_comparison.chance import difference
from samesight.conversion.formats.int8_comparison.tools import TOOLS, Made
from samesight.conversion.quiet import mute

LONGEST = 80
"""Characters of another tool's error."""
BOUND = "a bound: ranges fitted to the test images, float weights"
"""No quantizer; made only where it is named."""
PLAIN = "samesight"
OURS = (PLAIN, "samesight, auto", "samesight's ranges, float weights", BOUND)
HEAD = "| network | quantized by | SNR dB | equal answers | points lost | weights in float |\n|---|---|---|---|---|---|"


def rows(case: Case, tools: Mapping[str, Callable[[Case], Made]]) -> Iterator[tuple[str, Figures | None]]:
    """A row of the table for each tool, and its figures; None where it fails."""
    for name, make in tools.items():
        try:
            with mute():
                made = make(case)
                figures = case.judge(made.program)
        except Exception as error:  # others' tools raise anything; the row says so
            kind = "" if isinstance(error, SamesightError) else f"{type(error).__name__}: "
            yield f"| {case.name} | {name} | fails: {kind}{first_line(error, LONGEST).replace('|', '/')} | | | |", None
            continue
        share = "" if made.in_float is None else f"{100 * made.in_float:.0f} %"
        lost = f"{figures.lost:.2f}".replace("-0.00", "0.00")
        row = f"| {case.name} | {name} | {figures.decibels:.1f} | {100 * figures.equal:.1f} % | {lost} | {share} |"
        yield row, figures


def against_the_best(case: Case, found: Mapping[str, Figures]) -> str | None:
    """Samesight's int8 beside the best of the others, and what of the difference may be chance; None without both."""
    others = {name: figures for name, figures in found.items() if name not in OURS}
    if PLAIN not in found or not others:
        return None
    best = max(others, key=lambda name: others[name].decibels)
    more, low, high = difference(found[PLAIN], others[best])
    interval = f"95 % interval {low:+z.1f} to {high:+z.1f}"
    return f"{case.name}: {PLAIN} has {more:+z.1f} dB ({interval}) over the best other: {best}"


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(
        prog="python -m samesight.conversion.formats.int8_comparison",
        description="Int8 of several tools, side by side.",
    )
    parser.add_argument("runs", type=Path, nargs="+", help="run folders")
    parser.add_argument("--images", type=int, default=400, help="most validation, and most test images")
    parser.add_argument("--aimet", type=Path, metavar="PYTHON", help="an interpreter that has aimet_onnx")
    names = [*TOOLS, BOUND, *(f"AIMET, {recipe}" for recipe in RECIPES)]
    parser.add_argument("--tool", action="append", choices=names, help="only these")
    options = parser.parse_args()
    torch.set_num_threads(1)
    tools = dict(TOOLS)
    try:
        if options.aimet:
            check_aimet(options.aimet)
            tools |= {f"AIMET, {recipe}": aimet(options.aimet, recipe) for recipe in RECIPES}
        if options.tool:
            tools[BOUND] = fitted_to_the_test_images
            tools = {name: make for name, make in tools.items() if name in options.tool}
        cases = [open_case(run, options.images) for run in options.runs]
        print(HEAD)
        told = []
        for case in cases:
            found = {}
            for name, (row, figures) in zip(tools, rows(case, tools), strict=True):
                print(row, flush=True)
                if figures is not None:
                    found[name] = figures
            told.append(against_the_best(case, found))
        if any(told):
            print("\n" + "\n".join(each for each in told if each))
    except SamesightError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
