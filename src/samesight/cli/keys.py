"""`samesight keys`: keys to sign packs with."""

import json
from pathlib import Path

import click

EPILOG = """\b
Examples:
  samesight keys new --out keys
  samesight pack demo/digits --for android --sign keys/samesight-key.pem
  samesight install demo/digits android_app --key keys/samesight-key.pub.pem
  samesight verify digits-android.zip --key keys/samesight-key.pub.pem

Whoever has the private key can sign packs that your apps take: keep it out of repositories. The public key is no
secret. docs/trust.md says what a signature promises."""


@click.group(epilog=EPILOG)
def keys() -> None:
    """Make keys to sign packs with."""


@keys.command()
@click.option("--out", type=click.Path(path_type=Path), default=".", help="The folder to write to [the current one].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def new(out: Path, as_json: bool) -> None:
    """Write a new private key, which you alone may read, and its public key; nothing is overwritten."""
    from samesight.contract.signature import new_key, read_public_key

    private, public = new_key(out)
    fingerprint = read_public_key(public).fingerprint
    if as_json:
        click.echo(json.dumps({"private": str(private), "public": str(public), "fingerprint": fingerprint}))
    else:
        click.echo(f"{private}: the private key, for `samesight pack --sign`; keep it secret")
        click.echo(f"{public}: the public key {fingerprint}, for `samesight install --key` and `verify --key`")
