"""`samesight convert`: converts a run, an exported program, a library's network or a function to a bundle."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from samesight.cli.names import split_names

if TYPE_CHECKING:
    from samesight.contract.bundle import Bundle
    from samesight.contract.verdicts import Verdicts
    from samesight.conversion.npu.chips import Chip
    from samesight.conversion.workflow.bundle_items import OnEvent
    from samesight.conversion.workflow.cache import Cache
    from samesight.conversion.workflow.convert import Outcome

EPILOG = """\b
Examples:
  samesight convert runs/digits --out digits
  samesight convert runs/digits --out digits --to tflite,pte --precision fp32,int8
  samesight convert runs/digits --out digits --to all
  samesight convert runs/digits --out digits --precision auto --max-drop 0.5 --max-size 2MB
  samesight convert runs/digits --out digits --recipe edited.json
  samesight convert runs/digits --out digits --unit npu --soc SM8650,SM8750
  samesight convert runs/digits --out classic --to tflite --via onnx-tf,onnx2tf
  samesight convert my_models:classifier --out mine --spec model.json --calibration photos
  samesight convert network.pt2 --out mine --spec model.json --calibration photos
  samesight convert network.onnx --out mine --spec model.json --calibration photos
  samesight convert timm:mobilenetv4_conv_small --out mine --calibration photos
  samesight convert torchvision:resnet18 --weights best.pth --spec model.json --out mine --calibration photos

`samesight spec SOURCE` proposes the model.json of a network.
Formats: pt, ptl, pt2, onnx, pte, tflite, mlpackage, coreml.pte, vulkan.pte, aimodel; precisions: fp32, fp16,
int8, dynamic-int8, int8-weights, palette6, palette4. Not all of them are made unless you ask: `--to all` does,
`--to mlpackage` makes every precision of one format. By name alone: w8a16, int4-weights, dynamic-int8 of ONNX,
int8-weights of TFLite, and mixed: layers that int8 ruins stay more precise, by a recipe that auto finds.
Results are kept in ~/.cache/samesight (or $SAMESIGHT_CACHE) by content.
Exit code 0: all were made and passed. 1: one was not, or missed a gate. 2: the request was wrong."""


@click.command(epilog=EPILOG)
@click.argument("source", metavar="RUN|FILE.pt2|FILE.onnx|timm:NAME|torchvision:NAME|FOLDER|MODULE:FUNCTION")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The bundle to make or replace.")
@click.option("--to", "formats", multiple=True, callback=split_names, metavar="FORMATS", help="Only these formats.")
@click.option(
    "--precision", "precisions", multiple=True, callback=split_names, metavar="PRECISIONS", help="Only these."
)
@click.option("--recipe", type=click.Path(path_type=Path), help="Make mixed artifacts by this recipe.json.")
@click.option("--max-drop", type=float, help="--precision auto: points of the metric that may be lost.  [default: 0.5]")
@click.option("--max-size", metavar="SIZE", help="--precision auto: of each mixed file, as 2MB or 500kB.")
@click.option(
    "--via",
    multiple=True,
    callback=split_names,
    metavar="ROUTES",
    help="Make TFLite by onnx-tf or onnx2tf and TensorFlow (`samesight setup classic`); own is this one's converter.",
)
@click.option(
    "--unit",
    metavar="UNIT",
    default="cpu",
    show_default=True,
    help="npu: compile .tflite files ahead of time too, for the NPUs of the chips of --soc. What is made without "
    "runs anywhere, on phones' GPUs too.",
)
@click.option("--soc", "socs", multiple=True, callback=split_names, metavar="CHIPS", help="SM8650,SM8750 and so on.")
@click.option("--spec", type=click.Path(path_type=Path), help="The model.json of anything but a run.")
@click.option("--calibration", type=click.Path(path_type=Path), help="Folder of some 100 images, likewise.")
@click.option("--weights", type=click.Path(path_type=Path), help="Weights for a function or a named network.")
@click.option("--random-weights", is_flag=True, help="Convert a named network with weights that mean nothing.")
@click.option("--cache/--no-cache", default=True, help="Use and keep results of earlier conversions.")
@click.option("--verify/--no-verify", default=True, help="Measure the artifacts against the server model afterwards.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def convert(
    source: str,
    out: Path,
    formats: tuple[str, ...],
    precisions: tuple[str, ...],
    recipe: Path | None,
    max_drop: float | None,
    max_size: str | None,
    via: tuple[str, ...],
    unit: str,
    socs: tuple[str, ...],
    spec: Path | None,
    calibration: Path | None,
    weights: Path | None,
    random_weights: bool,
    cache: bool,
    verify: bool,
    as_json: bool,
) -> None:
    """Convert a model to phone formats: a bundle with every artifact, golden cases and verdicts.

    A bundle that stands at --out is replaced when the new one is whole; anything else there is left alone.
    """
    from samesight.conversion.workflow.mixing import read_wish
    from samesight.conversion.workflow.plan import choose, for_chips

    # A wrong request is answered before anything slower is imported.
    precisions, mixing = read_wish(precisions, recipe, max_drop, max_size)
    targets = choose("model", formats, precisions, via)
    chips = _chips(unit, socs)
    if chips:
        for_chips(targets, "model", chips)
    from samesight.conversion.cache_folder import default_root
    from samesight.conversion.parity.budget import budget_told
    from samesight.conversion.workflow.cache import Cache
    from samesight.conversion.workflow.convert import convert_source

    started = time.perf_counter()
    store = Cache(default_root()) if cache else None
    with live(as_json) as on_event:
        outcome = convert_source(
            source,
            out,
            formats,
            precisions,
            spec,
            calibration,
            store,
            on_event,
            chips,
            weights,
            random_weights,
            via=via,
            mixing=mixing,
        )
    seconds = time.perf_counter() - started
    verdicts = _verdicts(outcome.bundle, store, as_json) if verify else None
    told, missed = budget_told(outcome.bundle, verdicts) if mixing and verdicts else ([], [])
    outcome.notes += told
    if as_json:
        click.echo(json.dumps({**_plain(outcome, verdicts, seconds), "over_budget": missed}, indent=2))
    else:
        _print(outcome, verdicts, seconds)
        for sentence in missed:
            click.echo(f"samesight: {sentence}", err=True)
    failed = outcome.failures or missed or (verdicts is not None and not verdicts.passed)
    raise SystemExit(1 if failed else 0)


def _verdicts(bundle: "Bundle", cache: "Cache | None", quiet: bool) -> "Verdicts":
    """The verdicts in the bundle if there are any, else new ones."""
    if existing := bundle.verdicts():
        return existing
    from samesight.cli.tables import progress_bar
    from samesight.conversion.parity.verify import verify_bundle

    with progress_bar("verifying", quiet=quiet) as progress:
        return verify_bundle(bundle, progress=progress, cache=cache)


def _chips(unit: str, socs: tuple[str, ...]) -> "tuple[Chip, ...]":
    """The chips whose NPUs are compiled for.

    Raises:
        UsageError: --unit and --soc contradict each other, or there is no such unit or chip.
    """
    from samesight.contract.errors import UsageError
    from samesight.conversion.npu.chips import CHIPS, find_chips

    if unit not in ("cpu", "gpu", "npu"):
        raise UsageError(f"--unit: no unit {unit!r}; choose among cpu and npu")
    if unit == "gpu":
        raise UsageError(
            "--unit gpu: GPUs take .tflite files as they are, nothing is compiled before; leave --unit out"
        )
    if unit == "cpu" and socs:
        raise UsageError("--soc names chips whose NPUs are compiled for; give --unit npu too")
    if unit == "npu" and not socs:
        raise UsageError(
            f"--unit npu compiles for chips by name; give --soc, such as --soc SM8650 of {', '.join(CHIPS)}"
        )
    return find_chips(socs)


@contextmanager
def live(quiet: bool) -> "Iterator[OnEvent]":
    """A table that follows the events in a terminal; a line per result elsewhere; nothing when quiet."""
    if quiet:
        yield lambda event: None
    elif sys.stderr.isatty():
        from samesight.cli.progress import live_table

        with live_table() as on_event:
            yield on_event
    else:
        from samesight.cli.progress import result_line

        yield lambda event: click.echo(line, err=True) if (line := result_line(event)) else None


def _print(outcome: "Outcome", verdicts: "Verdicts | None", seconds: float) -> None:
    from samesight.cli.tables import verdict_table
    from samesight.conversion.parity.advice import advise
    from samesight.conversion.workflow.convert import failure_sentences

    bundle = outcome.bundle
    if verdicts:
        verdict_table(verdicts, bundle.spec, advise(bundle, verdicts), bundle.manifest.artifacts)
    for note in outcome.notes:
        click.echo(f"note: {note}", err=True)
    for sentence in failure_sentences(outcome.failures):
        click.echo(f"samesight: {sentence}", err=True)
    state = "unchanged" if outcome.unchanged else "written"
    count = len(bundle.manifest.artifacts)
    artifact_count = f"{count} artifact{'' if count == 1 else 's'}"
    cached_count = len(set(outcome.cached) & {artifact.name for artifact in bundle.manifest.artifacts})
    click.echo(
        f"{bundle.folder}: {state}, {artifact_count} ({cached_count} from the cache) in {seconds:.1f} s, "
        f"peak memory of the converters {outcome.peak_bytes / 2**30:.2f} GiB"
    )


def _plain(outcome: "Outcome", verdicts: "Verdicts | None", seconds: float) -> dict[str, object]:
    return {
        "bundle": str(outcome.bundle.folder),
        "unchanged": outcome.unchanged,
        "artifacts": [
            {
                "name": artifact.name,
                "bytes": artifact.bytes,
                "cached": artifact.name in outcome.cached,
                "seconds": outcome.seconds.get(artifact.name),
            }
            for artifact in outcome.bundle.manifest.artifacts
        ],
        "failed": [{"name": name, "reason": reason} for name, reason in outcome.failures.items()],
        "notes": outcome.notes,
        "passed": verdicts.passed if verdicts else None,
        "seconds": seconds,
        "peak_bytes": outcome.peak_bytes,
    }
