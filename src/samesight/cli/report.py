"""`samesight report`: one page about a bundle."""

import json
from pathlib import Path

import click

EPILOG = """\b
Examples:
  samesight report demo/digits
  samesight report demo/digits --out digits.html --open
  samesight bench demo/digits --json > bench.json
  samesight report demo/digits --bench bench.json
  samesight report demo/digits --no-bench --json

Exit code 0: the page was written, whatever its verdict (`samesight verify` exits 1 on a failed one)."""


@click.command(epilog=EPILOG)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Where to write [BUNDLE/report.html].")
@click.option(
    "--bench",
    "bench_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Latencies that `samesight bench BUNDLE --json` printed; without it they are measured now.",
)
@click.option("--no-bench", is_flag=True, help="Leave latencies out.")
@click.option("--cache/--no-cache", default=True, help="Show the answers that verify saw, or run the artifacts again.")
@click.option("--open", "open_page", is_flag=True, help="Open the page in a browser.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def report(
    bundle: Path, out: Path | None, bench_file: Path | None, no_bench: bool, cache: bool, open_page: bool, as_json: bool
) -> None:
    """Write one self-contained HTML page about BUNDLE.

    Verdicts and their reasons, accuracy, sizes, latencies, and golden images with the answers of the server model and
    of every artifact side by side. The answers are those that `samesight verify` or `convert` saw here last; if they
    saw none of this very bundle, the artifacts run for them now. Nothing is loaded from elsewhere.
    """
    from samesight.contract.bundle import open_bundle
    from samesight.contract.documents import read_document
    from samesight.contract.errors import UsageError

    if bench_file and no_bench:
        raise UsageError("--bench and --no-bench contradict each other; leave one out")
    opened = open_bundle(bundle)

    from samesight.cli.tables import progress_bar
    from samesight.conversion.cache_folder import default_root
    from samesight.conversion.report.report import report_bundle
    from samesight.conversion.runners.bench import Latencies
    from samesight.conversion.workflow.cache import Cache

    latencies = read_document(Latencies, bench_file) if bench_file else None
    with progress_bar("report", quiet=as_json) as progress:
        page = report_bundle(
            opened,
            out,
            latencies,
            not no_bench,
            Cache(default_root()) if cache else None,
            progress=lambda title, done, total: progress(done, total),
        )
    verdict = {True: "passed", False: "failed", None: "not verified: nothing here runs it"}[page.passed]
    if as_json:
        plain = {
            "report": str(page.path),
            "bytes": page.bytes,
            "passed": page.passed,
            "failed": list(page.failed),
            "not_run": list(page.not_run),
        }
        click.echo(json.dumps(plain, indent=2))
    else:
        click.echo(f"{page.path}: {verdict}, {page.bytes / 1e6:.1f} MB")
    if open_page:
        click.launch(page.path.absolute().as_uri())
