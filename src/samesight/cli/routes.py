"""`samesight routes`: the ways to TFLite side by side, on one model in one run."""

import tempfile
from pathlib import Path

import click

EPILOG = """\b
Examples:
  samesight routes runs/digits
  samesight routes runs/digits --precision fp32,int8 --out routes/digits
  samesight routes network.pt2 --spec model.json --calibration photos --json | jq '.artifacts[] | {name, snr_db}'

The routes are this installation's own converter, onnx-tf and onnx2tf; `samesight setup classic` installs the two.
The ratio of times is this CPU's: each round runs every artifact in turn.
Exit code 0: every artifact was made and passed. 1: one was not, or missed a gate. 2: the request was wrong."""


@click.command(epilog=EPILOG)
@click.argument("source", metavar="RUN|SOURCE")
@click.option("--precision", "precisions", multiple=True, metavar="PRECISIONS", help="Only these.")
@click.option("--spec", type=click.Path(path_type=Path), help="The model.json of a source that is no run.")
@click.option("--calibration", type=click.Path(path_type=Path), help="Folder of some 100 images, likewise.")
@click.option("--out", type=click.Path(path_type=Path), help="Keep the bundle with all artifacts here.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def routes(
    source: str,
    precisions: tuple[str, ...],
    spec: Path | None,
    calibration: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Convert SOURCE to TFLite on every route and compare: parity, bytes, operators, transposes, ratio of times."""
    from samesight.conversion.formats import ROUTES
    from samesight.conversion.workflow.plan import OWN, choose

    via = (OWN, *ROUTES)
    names = [name.strip() for text in precisions for name in text.split(",") if name.strip()]
    choose("model", (), names, via)
    from samesight.cli.convert import live
    from samesight.cli.tables import progress_bar, routes_table
    from samesight.conversion.cache_folder import default_root
    from samesight.conversion.parity.routes import compare_routes
    from samesight.conversion.parity.verify import verify_bundle
    from samesight.conversion.workflow.cache import Cache
    from samesight.conversion.workflow.convert import convert_source, failure_sentences

    with tempfile.TemporaryDirectory(prefix="samesight-") as scratch:
        folder, cache = out or Path(scratch) / "bundle", Cache(default_root())
        with live(as_json) as on_event:
            outcome = convert_source(source, folder, (), names, spec, calibration, cache, on_event, via=via)
        with progress_bar("verifying", quiet=as_json) as progress:
            verdicts = outcome.bundle.verdicts() or verify_bundle(outcome.bundle, progress=progress)
        with progress_bar("timing", quiet=as_json) as progress:
            compared = compare_routes(outcome.bundle, verdicts, outcome.failures, progress)
    if as_json:
        click.echo(compared.to_json(), nl=False)
    else:
        routes_table(compared)
        for sentence in failure_sentences(outcome.failures):
            click.echo(f"samesight: {sentence}", err=True)
    raise SystemExit(1 if outcome.failures or not verdicts.passed else 0)
