"""The section of docs/core-ml.md about sources, made from the table; running this module writes it."""

import textwrap
from pathlib import Path

from samesight.conversion.runners.coreml.operators.table import (
    DOCUMENTED,
    INFERRED,
    OPERATORS,
    TESTED,
    UNKNOWN,
)

DOCUMENT = Path(__file__).resolve().parents[4] / "docs" / "core-ml.md"
WIDTH = 120
BEGIN, END = "<!-- operators: written from the table -->\n", "<!-- end of operators -->\n"
SOURCES = {
    TESTED: "Apple compares what Core ML predicts with their values (coremltools 9.0, `mil/ops/tests`);\n"
    "`test_apples_operator_tests.py` runs them with the evaluator in Core ML's place",
    INFERRED: "what coremltools computes itself where all inputs are constant; Core ML is not held to it",
    DOCUMENTED: "the formula in MIL's documentation",
}


def section() -> str:
    """The markdown between the two marks: operators by their source, what is known besides, and what is not."""
    lines = []
    for source, meaning in SOURCES.items():
        kinds = [f"`{kind}`" for kind, row in OPERATORS.items() if row.source.split(";")[0] == source]
        if kinds:
            lines.append(f"**{source}**: {meaning}.\n\n{textwrap.fill(', '.join(kinds), WIDTH)}\n")
    besides = [(kind, note.strip()) for kind, row in OPERATORS.items() for note in row.source.split(";")[1:]]
    lines.append("**Besides**:\n\n" + "".join(f"- `{kind}`: {note}\n" for kind, note in besides if UNKNOWN not in note))
    lines.append(
        "**Not grounded**. Nobody says what Core ML does here; the evaluator does what NumPy or torch does:\n\n"
    )
    lines[-1] += "".join(f"- `{kind}`: {note.partition(':')[0]}\n" for kind, note in besides if UNKNOWN in note)
    return "\n".join(lines)


def with_section(text: str) -> str:
    """The document with the section between its marks."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{section()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    DOCUMENT.write_text(with_section(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
