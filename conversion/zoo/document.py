"""The results of the zoo as a document: verdicts, int8, bytes and seconds by architecture, and the plain converters."""

from collections.abc import Sequence

from samesight.conversion.zoo.judge import formats
from samesight.conversion.zoo.plain import PLAIN
from samesight.conversion.zoo.result import Cell, Result
from samesight.conversion.zoo.table import ARCHITECTURES

HEAD = """# The zoo

Public architectures, each converted to every format by `samesight convert` and judged by the gates of
[parity.md](parity.md) on 32 golden cases. This file is written by `samesight zoo`.

The weights are {weights}
The images are crops of the two photographs that scikit-learn brings, at the size in the table: small, for the sake of
time. Nothing here was run on a phone; what runs each format on this computer stands in the
[README](../README.md#formats). Without a test set there is no accuracy: a cell is the signal-to-noise ratio of the
worst output in dB, `=` an exact copy. **Bold** misses a gate; a letter stands for a sentence below the tables.

"""
FRESH = (
    "not trained, but made such that signals and errors go through them as through trained ones, on\n"
    "images (`conversion/zoo/weights.py`). Int8 is harder on them than on trained networks: their answers lie\n"
    "close, and where neighbouring anchors of a detector have nearly equal scores, the noise of half precision swaps\n"
    "two, and suppression keeps others from there on."
)
NOT_MADE = "not asked for (`--to`, `--precision`)"
NOT_RUN = "not asked for (`--no-plain`)"
PUBLISHED = "published ones where the library has some, otherwise scaled so that signals keep their size."


def document(results: Sequence[Result]) -> str:
    """The text. Architectures without a result are not in it."""
    notes: dict[str, str] = {}
    columns = formats()
    floats = [column for column in columns if column[1] in ("fp32", "fp16")]
    ints = [column for column in columns if column not in floats]
    whole = [result for result in results if _all_pass(result, floats)]
    lines = [
        HEAD.format(weights=PUBLISHED if any(result.published for result in results) else FRESH),
        f"**{len(whole)} of {len(results)}** architectures convert to every format in fp32 and fp16 and pass",
        f"every gate ({len(whole) / max(1, len(results)):.1%}).\n\n## Float artifacts, and the plain converters\n",
        "`plain`: the converter called as its documentation shows, on the same network in the same process.\n",
        _row(["architecture", "year", "size", "M", *(f"{s} {p}" for s, p in floats), *(f"plain {s}" for s in PLAIN)]),
        _row(["---"] * (4 + len(floats) + len(PLAIN))),
    ]
    for result in results:
        row = ARCHITECTURES[result.title]
        about = [result.title, str(row.year), str(row.size), f"{result.parameters / 1e6:.1f}"]
        if result.error:
            lines.append(_row([*about, _note(result.error, notes), *[""] * (len(floats) - 1 + len(PLAIN))]))
            continue
        cells = {(cell.suffix, cell.precision): cell for cell in result.cells}
        lines.append(
            _row([*about, *(_cell(cells.get(c), notes) for c in floats), *(_plain(result, s, notes) for s in PLAIN)])
        )
    lines += ["\n## Int8, bytes and seconds\n"]
    lines.append(_row(["architecture", *(f"{s} {p}" for s, p in ints), "KB fp32", "KB int8", "seconds", "note"]))
    lines.append(_row(["---"] * (len(ints) + 5)))
    for result in results:
        if not result.error:
            lines.append(_int8_row(result, ints, notes))
    done = {result.title for result in results}
    if left := [title for title in ARCHITECTURES if title not in done]:
        lines.append(f"\nNot in these tables, and left to be run: {', '.join(left)}.")
    if notes:
        lines.append("\n## Why\n")
        lines += [f"- {letter}: {sentence}" for sentence, letter in notes.items()]
    return "\n".join(lines) + "\n"


def _int8_row(result: Result, columns: Sequence[tuple[str, str]], notes: dict[str, str]) -> str:
    cells = {(cell.suffix, cell.precision): cell for cell in result.cells}
    sizes = [cells.get(("tflite", precision)) for precision in ("fp32", "int8")]
    kilobytes = [f"{size.bytes / 1024:,.0f}" if size and size.bytes else "" for size in sizes]
    about = ARCHITECTURES[result.title].note
    return _row(
        [result.title, *(_cell(cells.get(c), notes) for c in columns), *kilobytes, f"{result.seconds:.0f}", about]
    )


def _all_pass(result: Result, columns: Sequence[tuple[str, str]]) -> bool:
    cells = {(cell.suffix, cell.precision): cell.state for cell in result.cells}
    return not result.error and all(cells.get(column) == "pass" for column in columns)


def _cell(cell: Cell | None, notes: dict[str, str]) -> str:
    if cell is None:
        return _note(NOT_MADE, notes)
    figure = "=" if cell.snr_db is None else f"{cell.snr_db:.0f}"
    if cell.state == "pass":
        return figure
    letter = _note(cell.reason, notes)
    return f"**{figure}** {letter}" if cell.state == "fail" else letter


def _plain(result: Result, suffix: str, notes: dict[str, str]) -> str:
    value = result.plain.get(suffix)
    if value is None:
        return _note(NOT_RUN, notes)
    return f"{value:.0f}" if isinstance(value, float) else _note(value, notes)


def _note(sentence: str, notes: dict[str, str]) -> str:
    """The letters of a sentence: a, b, …, z, aa, ab, …; equal sentences share them."""
    if sentence not in notes:
        number, letters = len(notes), ""
        while number >= 0:
            letters = chr(ord("a") + number % 26) + letters
            number = number // 26 - 1
        notes[sentence] = letters
    return notes[sentence]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
