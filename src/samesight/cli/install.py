"""`samesight install`: copies a bundle into the sources of an app, and removes it again."""

import json
from pathlib import Path

import click

EPILOG = """\b
Examples:
  samesight install demo/digits android_app
  samesight install demo/digits ios_app
  samesight install demo/digits android_app --key keys/samesight-key.pub.pem
  samesight install demo/digits ios_app --with litert
  samesight install demo/digits android_app --soc SM8650
  samesight install demo/digits android_app --undo

Only the artifacts that the app's platform uses are copied, after every file's hash was checked. With one that failed,
here or in an app, nothing is installed unless you give --force. --undo puts back what the installation replaced."""


@click.command(epilog=EPILOG)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("app", type=click.Path(path_type=Path))
@click.option("--undo", "undoing", is_flag=True, help="Take BUNDLE's model out again, back to what was there before.")
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    metavar="PUBLIC",
    help="A public key for the app: from now on it opens only packs that were signed with its private key.",
)
@click.option(
    "--with",
    "more",
    multiple=True,
    metavar="FORMAT",
    help="Copy artifacts of this format too, for an app that is built with its engine: litert for ios_app.",
)
@click.option("--soc", metavar="CHIP", help="Leave out what was compiled for other chips than this; other: for any.")
@click.option("--force", is_flag=True, help="Install artifacts too that have no passing verdict.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def install(
    bundle: Path,
    app: Path,
    undoing: bool,
    key: Path | None,
    more: tuple[str, ...],
    soc: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Copy BUNDLE into the folder APP of a sample app, which finds it when it is built next."""
    from samesight.contract.bundle import open_bundle
    from samesight.contract.errors import UsageError
    from samesight.contract.signature import read_public_key
    from samesight.conversion.apps.install import install as install_bundle
    from samesight.conversion.apps.install import undo

    if undoing and (key or more):
        raise UsageError("--undo takes a bundle out and leaves the key; leave out --key and --with")
    if undoing and soc:
        raise UsageError("--undo takes a bundle out, whatever it holds; leave out --soc")
    public = read_public_key(key) if key else None
    opened = open_bundle(bundle)
    done = undo(opened.spec.name, app) if undoing else install_bundle(opened, app, force, public, soc, more=more)
    if as_json:
        click.echo(json.dumps({"folder": str(done.folder), "artifacts": list(done.artifacts)}))
    else:
        has = f"has {', '.join(done.artifacts)}" if done.artifacts else "taken out"
        click.echo(f"{done.folder}: {has}")
