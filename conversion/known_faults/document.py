"""Writes docs/known-faults.md: `python -m samesight.conversion.known_faults.document`."""

from pathlib import Path

from samesight.conversion.formats import FORMATS
from samesight.conversion.known_faults import KNOWN_FAULTS
from samesight.conversion.known_faults.fault import Fault
from samesight.conversion.known_faults.routed_around import ROUTED_AROUND

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "known-faults.md"
HEAD = """# Known faults of phones' runtimes

What nobody here can run, others have reported. `samesight verify` and `samesight convert` hold this table against every
artifact; a row whose pattern an artifact has is a **warning** in its verdict, in the table, in `--json` and in the
report. It fails nothing: it says where the artifact may go wrong on a phone, who saw it, and what avoids it.

*wrong*: other values and no error. *fails*: it does not load or run. *slow*: the unit leaves the operator to another.
A row stands for what was reported, on the versions that are named. It does not say that your phone has the fault.

This file is written from `conversion/known_faults/` by `python -m samesight.conversion.known_faults.document`.
"""
HALVES = """
## The network itself in half precision

GPUs and NPUs compute float networks in halves: up to 65504, with 11 bits. `samesight convert` runs the prepared network
on calibration images in float32 and in halves beside it, and what it finds stands in the bundle (`network.json`) and
with the warnings of every artifact that phones compute so, with the operator's module:

- `half-overflow`: a value passes 65504. It becomes infinite without an error, and often NaN.
- `half-long-sum`: the terms of a sum (convolution, matrix product, mean, pool, normalisation) add up to more than 65504
  in magnitude. LiteRT's GPU kernels add convolutions in halves, and means on Mali and Metal.
- `half-coarse-output`: an output is below the gate of fp16 when every value is rounded to a half.
- `half-mixed-scale`: channels of one output differ by more than 2048 times, all the steps that a half has.

Instead: scale values down, average in two steps, or run the GPU without loss of precision (`enforce_f32`).
"""
CONVERTERS = """
## Faults of converters, found here

These were measured on this side of the phone and are routed around; nothing has to be done. A test of each says when
its library is mended. [operators.md](operators.md) has every operator alone, format by format.

| | library | pattern | seen | instead |
|---|---|---|---|---|
"""
SEVERITIES = ("wrong", "fails", "slow")


def document() -> str:
    """The text: a section for each set of formats, the worst faults first."""
    sections: dict[tuple[str, ...], list[Fault]] = {}
    for fault in KNOWN_FAULTS.values():
        sections.setdefault(fault.formats, []).append(fault)
    parts = [HEAD]
    for formats, faults in sections.items():
        title = " and ".join(f"{FORMATS[name].title} (`{FORMATS[name].suffix}`)" for name in formats)
        parts.append(f"\n## {title}\n")
        parts += map(entry, sorted(faults, key=lambda fault: SEVERITIES.index(fault.severity)))
    parts += (HALVES, CONVERTERS)
    parts += (
        f"| `{key}` | {each.library} | {each.pattern} | {each.wrong} | {each.instead} |\n"
        for key, each in ROUTED_AROUND.items()
    )
    return "".join(parts)


def entry(fault: Fault) -> str:
    """One fault as a paragraph with its source."""
    units = ", ".join(unit.upper() for unit in fault.units)
    label = fault.source.removeprefix("https://").replace("/blob/main/", "/").replace("/issues/", "#")
    return (
        f"\n### {fault.title[0].upper()}{fault.title[1:]}\n\n"
        f"`{fault.id}` · {fault.severity} on {units} · {fault.versions}\n\n"
        f"- Pattern: {fault.pattern}.\n- Seen: {fault.wrong}.\n- Instead: {fault.remedy}.\n"
        f"- Source: [{label.replace('github.com/', '')}]({fault.source})\n"
    )


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
