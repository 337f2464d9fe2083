"""`samesight doctor`: what is ready on this machine, and how to get what is not."""

import json
from dataclasses import asdict

import click

EPILOG = """\b
Examples:
  samesight doctor
  samesight doctor --json | jq '.checks[] | select(.ready | not)'

Tools are run to see whether they work; packages are looked for on the disk. Exit code 0 whatever is missing: nothing of
it is needed by what is ready."""
TITLES = {
    "format": "Formats: made here",
    "runner": "Runners: executed here",
    "compiler": "Compilers for NPUs: convert --unit npu",
    "tool": "Tools of samesight setup",
    "phone": "Phones",
}


@click.command(epilog=EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def doctor(as_json: bool) -> None:
    """Show every format, runner and tool: ready, or what is missing and the command that installs it."""
    from samesight.cli.tables import doctor_table, progress_bar
    from samesight.conversion.workflow.doctor import examine

    with progress_bar("looking", quiet=as_json) as progress:
        checks = examine(progress)
    if as_json:
        click.echo(json.dumps({"checks": [asdict(check) for check in checks]}, indent=2))
        return
    for kind, title in TITLES.items():
        doctor_table(title, [check for check in checks if check.kind == kind])
