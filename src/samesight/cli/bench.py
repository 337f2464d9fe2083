"""`samesight bench`: measures the latency of artifacts here, and the time of a conversion."""

from pathlib import Path

import click

EPILOG = """\b
Examples:
  samesight bench demo/digits
  samesight bench demo/digits --artifact digits.int8.tflite --json
  samesight bench --conversion runs/digits

One thread, interleaved rounds, medians. Ratios on this CPU do not carry over to a phone."""


@click.command(epilog=EPILOG)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--artifact", "names", multiple=True, metavar="NAME", help="Only this artifact; may be repeated.")
@click.option(
    "--conversion",
    "conversion_of_run",
    is_flag=True,
    help="BUNDLE is a run: time its conversion together against one converter after another.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def bench(bundle: Path, names: tuple[str, ...], conversion_of_run: bool, as_json: bool) -> None:
    """Time the artifacts of BUNDLE on this CPU, as ratios to the fp32 ONNX artifact."""
    if conversion_of_run:
        from samesight.conversion.workflow.bench import print_timing, time_conversion

        timing = time_conversion(str(bundle))
        click.echo(timing.to_json() if as_json else print_timing(timing), nl=not as_json)
        return

    from samesight.cli.tables import latency_table, progress_bar
    from samesight.contract.bundle import open_bundle
    from samesight.contract.errors import UsageError
    from samesight.conversion.runners import runner_of
    from samesight.conversion.runners.bench import bench_bundle

    opened = open_bundle(bundle)
    for name in names:
        artifact = opened.find(name)
        if not runner_of(artifact.format, artifact.unit).timed:
            raise UsageError(f"--artifact {name}: is emulated here, so its time would mean nothing; leave it out")
    with progress_bar("timing", quiet=as_json) as progress:
        latencies = bench_bundle(opened, names, progress)
    if as_json:
        click.echo(latencies.to_json(), nl=False)
    else:
        latency_table(latencies, opened.spec)
