"""Every operator of `operator_cases.py` alone, in every format: what comes out against the program it was made from.

    python -m samesight.conversion.formats.operator_sweep --group android --out docs/operators.md
    python -m samesight.conversion.formats.operator_sweep --group android --out docs/operators.md --only softplus
    python -m samesight.conversion.formats.operator_sweep --only softplus --only where --to tflite

Float artifacts are compared with the prepared network, int8 artifacts with the one quantized program. A cell of the
table is a signal-to-noise ratio in dB, or the number of a sentence below the table that says why there is no file.
"""

import argparse
import multiprocessing
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from samesight.contract.errors import SamesightError, first_line
from samesight.contract.files import write_atomically
from samesight.contract.spec import parse_spec
from samesight.conversion.formats import FORMATS, Format, find_format
from samesight.conversion.formats.interface import Lowering
from samesight.conversion.formats.operator_cases import CASES, Between
from samesight.conversion.precisions import PRECISIONS, PrecisionName
from samesight.conversion.qparams import Float32, UInt8
from samesight.conversion.runners import runner_of
from samesight.conversion.snr import ratios

SIZE = 24
IMAGES = 24
LEAST_DECIBELS = {"fp32": 70.0, "int8": 20.0}
"""Below it an artifact does not compute what its program does: float32 rounds at 100 dB, int8 ties at 25 dB."""
LEAST_IN_HALVES = 5.0
"""The same of int8 for Core ML, which computes it in half precision: 14 dB, where a softmax is nearly constant."""
GROUPS: dict[str, tuple[str, ...]] = {
    "android": ("litert", "onnx", "executorch"),
    "apple": ("coreml", "executorch-coreml", "coreai"),
    "torch": ("torchscript", "lite", "exported"),
}
"""The tables of the document, and the formats of each."""
SPEC = f"""{{"schema_version": 1, "name": "operator", "task": "classification",
 "input": {{"width": {SIZE}, "height": {SIZE}, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}},
 "outputs": {{"tensors": ["logits"], "roles": {{"logits": {{"tensor": "logits"}}}}, "activation": "softmax"}},
 "labels": ["a", "b", "c", "d", "e"]}}"""


@dataclass
class Row:
    """One operator: per column ("tflite int8") a ratio in dB or the sentence of a refusal."""

    operator: str
    cells: dict[str, float | str] = field(default_factory=dict)

    def wrong(self) -> list[str]:
        """The columns whose artifacts do not compute what their program does."""
        ratios = {column: cell for column, cell in self.cells.items() if isinstance(cell, float)}
        return [column for column, ratio in ratios.items() if not ratio >= least(column)]


def least(column: str) -> float:
    """The least ratio of a column, in dB."""
    suffix, precision = column.split()
    halves = precision == "int8" and suffix in ("mlpackage", "coreml.pte")
    return LEAST_IN_HALVES if halves else LEAST_DECIBELS[precision]


def columns(formats: Sequence[Format]) -> Iterator[tuple[str, Format, PrecisionName]]:
    """Title, format and precision of each column."""
    for row in formats:
        for precision in ("fp32", "int8"):
            if precision in row.precisions and not row.missing() and not runner_of(row.name).absent:
                yield f"{row.suffix[1:]} {precision}", row, PRECISIONS[precision].name


def pictures() -> UInt8:
    """Smooth and noisy images from one seed: uint8 [IMAGES, SIZE, SIZE, 3]."""
    random = np.random.default_rng(5)
    coarse = random.integers(0, 256, (IMAGES, 4, 4, 3)).repeat(SIZE // 4, 1).repeat(SIZE // 4, 2)
    return np.clip(coarse + random.integers(-25, 26, coarse.shape), 0, 255).astype(np.uint8)


def measure(operator: str, formats: Sequence[str]) -> Row:
    """Make and run every artifact of one operator."""
    import torch

    from samesight.conversion.preparation.prepare import pixels_of, prepare
    from samesight.conversion.quantization.quantize import quantize
    from samesight.conversion.quiet import quiet

    torch.set_num_threads(1)
    spec, images = parse_spec(SPEC, "operator"), pictures()
    wanted = list(columns([find_format(name) for name in formats] if formats else list(FORMATS.values())))
    row = Row(operator)
    try:
        with quiet():
            network = Between(CASES[operator]).eval()
            program = torch.export.export(network, (torch.zeros(1, 3, SIZE, SIZE),))
            prepared = prepare(program, spec, images[:4])
            quantized = quantize(prepared, images) if any(name.endswith("int8") for name, _, _ in wanted) else None
    except Exception as error:
        row.cells = {title: _reason(error) for title, _, _ in wanted}
        return row
    with torch.no_grad():
        pixels = [pixels_of(image[None]) for image in images]
        expected = {"fp32": np.concatenate([prepared.module(each)[0].numpy() for each in pixels])}
        if quantized:
            expected["int8"] = np.concatenate([quantized.folded(each)[0].numpy() for each in pixels])
    with tempfile.TemporaryDirectory(prefix="samesight-") as folder:
        for title, form, precision in wanted:
            output = Path(folder) / f"operator.{precision}{form.suffix}"
            calibrated = quantized if PRECISIONS[precision].calibrated else None
            try:
                lowered = form.load_module().convert(Lowering(spec, precision, prepared, calibrated, output))
                run = runner_of(form.name).load(lowered.path, lowered)
                actual = np.concatenate([run(image)["logits"] for image in images])
            except Exception as error:
                row.cells[title] = _reason(error).replace(f"{folder}/", "")
            else:
                row.cells[title] = ratio(expected[precision], actual)
    return row


def ratio(expected: Float32, actual: Float32) -> float:
    """Signal-to-noise ratio in dB about the mean of each output, at most 200."""
    return min(200.0, ratios(expected, actual)[0])


def sweep(operators: Sequence[str], formats: Sequence[str]) -> Iterator[Row]:
    """Measure operators one after another in a child process; one that dies costs its operator alone."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(1, context)
    for operator in operators:
        try:
            yield pool.submit(measure, operator, formats).result()
        except BrokenProcessPool:
            yield Row(operator, {"all": "its converter or runtime died"})
            pool = ProcessPoolExecutor(1, context)
    pool.shutdown()


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown, wrong cells in bold, reasons numbered below."""
    titles = list(dict.fromkeys(title for row in rows for title in row.cells if title != "all"))
    reasons: dict[str, int] = {}
    lines = [f"| | {' | '.join(titles)} |", f"|---|{'---|' * len(titles)}"]
    for row in rows:
        wrong = row.wrong()
        cells = [_cell(row.cells.get(title, row.cells.get("all", "")), title in wrong, reasons) for title in titles]
        lines.append(f"| {row.operator} | {' | '.join(cells)} |")
    notes = [f"[{number}] {reason}" for reason, number in reasons.items()]
    return "\n".join([*lines, "", *(f"- {note}" for note in notes)]) + "\n"


def read_table(text: str) -> list[Row]:
    """The rows of a table that `table` wrote."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    reasons = dict(re.findall(r"^- \[(\d+)\] (.+)$", text, re.MULTILINE))
    titles = [title.strip() for title in lines[0].split("|")[2:-1]] if lines else []
    rows = []
    for line in lines[2:]:
        name, *cells = (cell.strip(" *") for cell in line.split("|")[1:-1])
        values = [reasons[cell[1:-1]] if cell.startswith("[") else float(cell) for cell in cells]
        rows.append(Row(name, dict(zip(titles, values, strict=True))))
    return rows


def _cell(cell: float | str, wrong: bool, reasons: dict[str, int]) -> str:
    if isinstance(cell, str):
        return f"[{reasons.setdefault(cell, len(reasons) + 1)}]"
    return f"**{cell:.0f}**" if wrong else f"{cell:.0f}"


def _reason(error: Exception) -> str:
    # A person is told what to do; here nothing of it helps.
    return (
        str(error).removesuffix("; convert again")
        if isinstance(error, SamesightError)
        else f"{type(error).__name__}: {first_line(error)}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The command; exit code 1 if an artifact does not compute what its program does."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--only", action="append", metavar="OPERATOR", choices=sorted(CASES), help="may be repeated")
    parser.add_argument("--to", action="append", metavar="FORMAT", default=[], help="may be repeated")
    parser.add_argument("--group", choices=GROUPS, help="the formats of one table of the document")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the group's table between its marks")
    options = parser.parse_args(arguments)
    if bool(options.out) and not options.group:
        parser.error("--out needs --group, whose table it writes")
    rows = []
    for row in sweep(options.only or list(CASES), [*options.to, *GROUPS.get(options.group, ())]):
        rows.append(row)
        shown = ", ".join(
            f"{title} {cell if isinstance(cell, str) else f'{cell:.0f} dB'}" for title, cell in row.cells.items()
        )
        print(f"{row.operator}: {shown}", file=sys.stderr, flush=True)
    if options.out:
        begin, end = (f"<!-- {options.group}: {mark} -->" for mark in ("begin", "end"))
        before, _, rest = options.out.read_text(encoding="utf-8").partition(begin)
        present, _, after = rest.partition(end)
        # With --only the other operators keep what was measured before.
        known = {row.operator: row for row in [*read_table(present), *rows]}
        kept = table([known[name] for name in CASES if name in known])
        write_atomically(options.out, f"{before}{begin}\n\n{kept}\n{end}{after}".encode())
    else:
        print(table(rows))
    raise SystemExit(1 if any(row.wrong() for row in rows) else 0)


if __name__ == "__main__":
    main()
