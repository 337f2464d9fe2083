"""`samesight pack`: packs a bundle into one file for a phone, and unpacks it."""

import json
import time
from pathlib import Path

import click

EPILOG = """\b
Examples:
  samesight pack demo/digits --for android
  samesight pack demo/digits --for android --soc SM8650
  samesight pack demo/digits --for ios --out digits-ios.zip
  samesight pack demo/digits --for ios --with litert
  samesight pack demo/digits --for android --sign keys/samesight-key.pem
  samesight pack --unpack digits-ios.zip --out digits

Unsigned, the same bundle always gives the same bytes. With an artifact that failed, here or in an app, nothing is
packed unless you give --force. --unpack replaces an older bundle at --out."""


@click.command(epilog=EPILOG)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--for", "platform", default="all", show_default=True, help="android, ios or all: whose artifacts to pack."
)
@click.option("--soc", metavar="CHIP", help="Leave out what was compiled for other chips than this; other: for any.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The file to write [BUNDLE-PLATFORM.zip, or BUNDLE-PLATFORM-CHIP.zip].",
)
@click.option(
    "--unpack", "unpacking", is_flag=True, help="BUNDLE is a packed file; check it and make the folder --out."
)
@click.option(
    "--with",
    "more",
    multiple=True,
    metavar="FORMAT",
    help="Pack artifacts of this format too, for an app that is built with its engine: litert for ios.",
)
@click.option("--force", is_flag=True, help="Pack artifacts too that have no passing verdict.")
@click.option("--sign", type=click.Path(path_type=Path), metavar="KEY", help="Sign it with this private key.")
@click.option(
    "--version",
    type=click.IntRange(1, 2**63 - 1),
    metavar="N",
    help="Number of a signed pack; apps take only greater ones [the time now, in seconds].",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def pack(
    bundle: Path,
    platform: str,
    soc: str | None,
    out: Path | None,
    unpacking: bool,
    more: tuple[str, ...],
    force: bool,
    sign: Path | None,
    version: int | None,
    as_json: bool,
) -> None:
    """Make one deterministic zip of BUNDLE with the artifacts that a platform uses."""
    from samesight.contract.archive import choose, pack_bundle, require_verdicts, unpack_bundle
    from samesight.contract.bundle import open_bundle
    from samesight.contract.errors import UsageError
    from samesight.contract.files import check_plain
    from samesight.contract.signature import Signer, read_private_key
    from samesight.conversion.apps.install import check_on_request
    from samesight.conversion.formats import formats_for

    if version is not None and sign is None:
        raise UsageError("--version numbers signed packs; give --sign KEY as well")
    if unpacking and soc is not None:
        raise UsageError("--unpack reads a packed file; leave out --soc")
    if unpacking and (sign is not None or more):
        raise UsageError("--unpack reads a packed file; leave out --sign and --with")
    if unpacking:
        if out is None:
            raise UsageError("--unpack needs --out FOLDER, the bundle to make")
        unpack_bundle(check_plain(bundle), out)
        click.echo(json.dumps({"bundle": str(out)}) if as_json else f"{out}: unpacked and checked")
        return
    check_on_request(platform, more)
    opened = open_bundle(bundle)
    chosen = choose(opened, platform, formats_for(platform), soc, more=more)
    if not force:
        require_verdicts(opened, chosen)
    words = [bundle.resolve().name, platform, *([soc.replace(" ", "-")] if soc else [])]
    target = out or bundle.with_name(f"{'-'.join(words)}.zip")
    signer = Signer(read_private_key(sign), version or int(time.time())) if sign else None
    size = pack_bundle(opened, platform, target, signer, soc, more=more)
    if as_json:
        plain = {"file": str(target), "bytes": size, "artifacts": [a.name for a in chosen]}
        click.echo(json.dumps(plain | ({"version": signer.version} if signer else {})))
    else:
        signed = f", signed as version {signer.version}" if signer else ""
        click.echo(f"{target}: {size / 1e6:.2f} MB with {', '.join(a.name for a in chosen)}{signed}")
