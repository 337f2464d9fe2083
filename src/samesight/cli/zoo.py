"""`samesight zoo`: converts public architectures to every format and writes the table of what came out."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from samesight.cli.names import split_names

if TYPE_CHECKING:
    from samesight.conversion.zoo.result import Result
    from samesight.conversion.zoo.table import Architecture

EPILOG = """\b
Examples:
  samesight zoo --list
  samesight zoo timm:resnet18 yolo_v8
  samesight zoo sample --processes 2
  samesight zoo sample --to onnx,tflite --precision fp32 --no-plain
  samesight zoo classifiers --out zoo --document zoo.md
  samesight zoo --ray auto --processes 8

Names may stand without their library; `classifiers`, `detectors` and `awkward` are groups, `sample` is eight of all
kinds; without names all are converted. What is in --out already, made by the same code and tools, is kept, so an
interrupted zoo goes on where it stopped. An architecture takes one to five minutes, and half of that without the plain
converters where few formats are asked for.
Exit code 0: everything in fp32 and fp16 was made and passed. 1: something was not. 2: the request was wrong."""


@click.command(epilog=EPILOG)
@click.argument("names", nargs=-1)
@click.option("--out", type=click.Path(path_type=Path), default=Path("zoo"), show_default=True, help="Of the results.")
@click.option("--document", type=click.Path(path_type=Path), help="Write the table of all results in --out here.")
@click.option("--processes", type=click.IntRange(1, 64), default=1, show_default=True, help="How many at once.")
@click.option("--to", "formats", multiple=True, callback=split_names, metavar="FORMATS", help="Only these formats.")
@click.option(
    "--precision", "precisions", multiple=True, callback=split_names, metavar="PRECISIONS", help="Only these."
)
@click.option("--plain/--no-plain", default=True, show_default=True, help="Run the plain converters beside ours.")
@click.option("--pretrained", is_flag=True, help="With published weights, where the library has some.")
@click.option("--ray", "ray_address", metavar="ADDRESS", help="Work on a Ray cluster: auto, local or HOST:PORT.")
@click.option("--list", "listed", is_flag=True, help="Show the architectures, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def zoo(
    names: tuple[str, ...],
    out: Path,
    document: Path | None,
    processes: int,
    formats: tuple[str, ...],
    precisions: tuple[str, ...],
    plain: bool,
    pretrained: bool,
    ray_address: str | None,
    listed: bool,
    as_json: bool,
) -> None:
    """Convert public architectures (NAMES, or all) to every format and judge what comes out.

    Each is set beside what the plain converters give for the same network.
    """
    from samesight.conversion.zoo.table import choose

    rows = choose(names)
    if listed:
        _print_list(rows, as_json)
        return
    if document and (formats or precisions or not plain):
        raise click.UsageError("--document is the table of all formats; leave out --to, --precision and --no-plain")
    from samesight.cli.tables import progress_bar
    from samesight.conversion.workflow.plan import choose as choose_targets
    from samesight.conversion.zoo.result import Wishes
    from samesight.conversion.zoo.run import run_zoo

    choose_targets("model", formats, precisions)  # a wrong name is answered at once
    wishes = Wishes(pretrained=pretrained, formats=formats, precisions=precisions, plain=plain)

    with progress_bar("zoo", quiet=as_json) as progress:
        done = 0
        progress(0, len(rows))

        def on_result(result: "Result", cached: bool) -> None:
            nonlocal done
            done += 1
            progress(done, len(rows))
            if not as_json:
                click.echo(_line(result, cached), err=True)

        results = run_zoo(rows, out, processes, wishes, ray_address, on_result)
    if document:
        _write_document(out, document)
    if as_json:
        click.echo(json.dumps([result.model_dump(mode="json") for result in results], indent=2))
    raise SystemExit(0 if all(_floats_pass(result) for result in results) else 1)


def _print_list(rows: "tuple[Architecture, ...]", as_json: bool) -> None:
    if as_json:
        listed = [{"name": row.title, "year": row.year, "size": row.size, "task": row.task} for row in rows]
        click.echo(json.dumps(listed, indent=2))
        return
    for row in rows:
        click.echo(f"{row.title:<40} {row.year}  {row.size:>3} px  {row.task:<15} {row.note}".rstrip())


def _write_document(out: Path, path: Path) -> None:
    from samesight.contract.files import write_atomically
    from samesight.conversion.zoo.document import document as text_of
    from samesight.conversion.zoo.result import read_result
    from samesight.conversion.zoo.table import ARCHITECTURES

    found = [read_result(out, title) for title in ARCHITECTURES]
    write_atomically(path, text_of([result for result in found if result is not None]).encode())


def _line(result: "Result", cached: bool) -> str:
    if result.error:
        return f"{result.title}: {result.error}"
    passed = sum(cell.state == "pass" for cell in result.cells)
    figures = [f"{cell.suffix} {cell.precision}" for cell in result.cells if cell.state != "pass"]
    missed = f"; not {', '.join(figures)}" if figures else ""
    when = "kept from before" if cached else f"{result.seconds:.0f} s"
    return f"{result.title}: {passed} of {len(result.cells)} pass{missed}  ({when})"


def _floats_pass(result: "Result") -> bool:
    floats = [cell for cell in result.cells if cell.precision in ("fp32", "fp16")]
    return not result.error and all(cell.state == "pass" for cell in floats)
