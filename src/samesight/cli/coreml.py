"""`samesight coreml`: run a Core ML package without a Mac, and compare it with the network it was made from."""

import json
from pathlib import Path

import click

GROUP_EPILOG = """\b
Examples:
  samesight coreml run digits.fp16.mlpackage photo.jpg
  samesight coreml compare digits.fp16.mlpackage --against runs/digits --layers

The program is evaluated operator by operator in float32, every value rounded to the dtype it is stored in. That shows
what the file computes, not how Apple's kernels or the Neural Engine round, and not whether iOS loads it."""

RUN_EPILOG = """\b
Examples:
  samesight coreml run digits.fp16.mlpackage photo.jpg
  samesight coreml run MobileNetV2.mlpackage photo.jpg --top 3
  samesight coreml run model.mlpackage input.npy --save outputs.npz
  samesight coreml run model.pte photo.jpg --json

\b
A package that samesight wrote sees the image as its model.json says. For any other the image is stretched to the
input's size. An input that is an array takes a .npy file in its shape.
JSON: {"file", "image", "outputs": [{"name", "shape", "min", "max", "mean", "top": [{"index", "value", "label"}]}],
"answers": [{"label", "score", "box"}] or null, "milliseconds"}"""

COMPARE_EPILOG = """\b
Examples:
  samesight coreml compare digits.fp16.mlpackage --against runs/digits
  samesight coreml compare digits.fp16.mlpackage --against runs/digits --layers --images 4
  samesight coreml compare model.pte --against runs/digits --json

\b
Exit code 1 if an output (with --layers: any value) lies below the floor.
JSON: {"file", "run", "images", "floor_db", "outputs": [{"role", "snr_db", "worst_db", "largest_error"}],
"layers": [{"name", "operator", "node", "shape", "db"}] or null, "first_departure": a layer or null, "passed"}; null
decibels: equal bit for bit"""


@click.group(epilog=GROUP_EPILOG)
def coreml() -> None:
    """Run a Core ML package without a Mac, and compare it with a run."""


@coreml.command(epilog=RUN_EPILOG)
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("image", type=click.Path(path_type=Path))
@click.option(
    "--top", type=click.IntRange(0), default=5, metavar="N", help="How many of an output's largest values [5]."
)
@click.option("--save", type=click.Path(path_type=Path), metavar="FILE", help="Save all outputs as a NumPy .npz file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def run(file: Path, image: Path, top: int, save: Path | None, as_json: bool) -> None:
    """Evaluate FILE (.mlpackage, or a Core ML .pte) on IMAGE (or a .npy array)."""
    from samesight.conversion.quiet import mute

    with mute():  # torch is imported
        from samesight.conversion.runners.coreml.program import import_reader
        from samesight.conversion.runners.coreml.run_file import run_file, save_outputs

    import_reader()
    result = run_file(file, image, top)
    if save is not None:
        save_outputs(result, save)
    if as_json:
        click.echo(json.dumps(result.plain(), indent=2))
        return
    for output in result.tops:
        extent = f"{output.smallest:.5g} to {output.largest:.5g}, mean {output.mean:.5g}"
        click.echo(f"{output.name}  {list(output.shape)}  {extent}")
        for entry in output.top:
            click.echo(f"  {entry.index:>6}  {entry.value:10.5f}{'' if entry.label is None else f'  {entry.label}'}")
    for answer in result.answers or ():
        box = "" if answer.box is None else "  box " + " ".join(f"{value:.1f}" for value in answer.box)
        click.echo(f"{answer.score:6.3f}  {answer.label}{box}")
    click.echo(f"{result.milliseconds:.0f} ms here, on one thread; says nothing about a phone", err=True)


@coreml.command(epilog=COMPARE_EPILOG)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--against", required=True, type=click.Path(path_type=Path), metavar="RUN", help="The run it was made from."
)
@click.option("--layers", is_flag=True, help="Compare every value that both programs name alike.")
@click.option("--images", type=click.IntRange(1), default=8, metavar="N", help="Calibration images to compare on [8].")
@click.option("--floor", type=float, metavar="DB", help="Below it a value departs [40; 15 if the file is quantized].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def compare(file: Path, against: Path, layers: bool, images: int, floor: float | None, as_json: bool) -> None:
    """Compare FILE (.mlpackage, or a Core ML .pte) with the network of a run."""
    from samesight.conversion.quiet import mute

    with mute():  # torch is imported
        from samesight.conversion.parity.coreml_layers import compare_file
        from samesight.conversion.runners.coreml.program import import_reader

    import_reader()
    comparison = compare_file(file, against, layers, images, floor)
    if as_json:
        click.echo(json.dumps(comparison.plain(), indent=2))
    else:
        click.echo("\n".join(comparison.lines()))
    if not comparison.passed:
        raise click.exceptions.Exit(1)
