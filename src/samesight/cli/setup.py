"""`samesight setup`: installs what is large and optional, in a folder of its own."""

import json
from pathlib import Path

import click

EPILOG = """\b
Examples:
  samesight setup swift --dry-run
  samesight setup swift
  samesight setup swift --into /opt/samesight-tools

\b
NAME is one of:
  swift    Swift 6 for the tests of ios_app on Linux (2.7 GB)
  arm64    a phone's CPU in software, for verify --runner arm64 (0.3 GB)
  gpu      Vulkan in software, for verify --runner gpu (0.2 GB)
  snapdragon  Qualcomm's NPU compiler and simulator, for convert --unit npu (0.2 GB)
  classic  TensorFlow with onnx-tf and onnx2tf, for convert --via (4 GB)

Where it comes from, under which licences and how large it is stands first; --dry-run says that alone. Nothing outside
of the folder is touched. What is there already is used as it is, and what was interrupted goes on. Debian's packages
come from the archive of this system's apt, or from $SAMESIGHT_DEBIAN."""


@click.command(epilog=EPILOG)
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Where tools are kept [$SAMESIGHT_TOOLS or ~/.cache/samesight-tools]; other commands know the variable.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be fetched, and fetch nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def setup(name: str, into: Path | None, dry_run: bool, as_json: bool) -> None:
    """Install the tool NAME, which the project can use but no Python package brings."""
    from samesight.contract.errors import UsageError
    from samesight.conversion.setup.install import find, folder_of, install
    from samesight.conversion.setup.table import SETUPS

    if name not in SETUPS:
        raise UsageError(f"no tool {name!r} to set up; choose among {', '.join(SETUPS)}")
    row = SETUPS[name]
    found = find(row, into)
    plan: dict[str, str | int] = {
        "name": row.name,
        "title": row.title,
        "purpose": row.purpose,
        "folder": str(folder_of(row, into)),
    }
    if found is None:
        plan |= {
            "source": row.source(),
            "licences": row.licences,
            "download_bytes": row.download_bytes,
            "disk_bytes": row.disk_bytes,
        }
        if not as_json:
            click.echo(f"{row.title}, for {row.purpose}")
            click.echo(f"  from      {plan['source']}")
            click.echo(f"  licences  {row.licences}")
            click.echo(
                f"  size      about {row.download_bytes / 1e6:.0f} MB to fetch, {row.disk_bytes / 1e9:.1f} GB there"
            )
            click.echo(f"  into      {plan['folder']}")
        if not dry_run:
            found = install(row, lambda line: click.echo(f"  {line}", err=as_json), into)
    if as_json:
        ready = {"version": found.version, "where": str(found.where)} if found else None
        click.echo(json.dumps(plan | {"found": ready}, indent=2))
    elif found:
        click.echo(f"{found.where}: {row.name} {found.version} is there")
