"""`samesight app`: a sample app as the beginning of one's own."""

from pathlib import Path

import click

EPILOG = """\b
Examples:
  samesight app ios my_app --id com.example.digits --bundle demo/digits
  samesight app android my_app --id com.example.digits --name Digits

The folder is ready to open: in Android Studio, or in Xcode after `xcodegen`. docs/on-a-phone.md goes on from there."""


@click.command(epilog=EPILOG)
@click.argument("platform", type=click.Choice(["android", "ios"]))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--id", "identifier", required=True, metavar="ID", help="What stores know the app by: com.example.app.")
@click.option("--name", help="What people see below its icon; the identifier's last word if left out.")
@click.option(
    "--bundle", type=click.Path(path_type=Path), help="A bundle to build into it, as `samesight install` does."
)
@click.option("--force", is_flag=True, help="Take artifacts of the bundle too that have no passing verdict.")
def app(platform: str, folder: Path, identifier: str, name: str | None, bundle: Path | None, force: bool) -> None:
    """Write the sample app for PLATFORM (android or ios) to FOLDER, with your name, identifier and bundle."""
    from samesight.contract.bundle import open_bundle
    from samesight.conversion.apps.sample import write_app

    opened = open_bundle(bundle) if bundle else None
    title = name if name is not None else identifier.rsplit(".", 1)[-1].capitalize()
    written = write_app(platform, folder, identifier, title, opened, force)
    click.echo(f"{written}: the {platform} app {title} ({identifier}){f' with {opened.spec.name}' if opened else ''}")
