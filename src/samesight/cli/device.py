"""`samesight device`: a phone on the cable does what a person would do by hand, over adb."""

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from samesight.contract.bundle import Bundle
    from samesight.contract.signature import Signer
    from samesight.conversion.device.adb import Bridge
    from samesight.conversion.device.phone import Phone

EPILOG = """\b
Examples:
  samesight device list
  samesight device push demo/digits
  samesight device self-test demo/digits --push
  samesight device bench demo/digits --artifact digits.int8.tflite --tool benchmark_model --unit gpu

The app has to be a debug build (`./gradlew :app:installPlainDebug` in android_app). docs/on-a-phone.md has more. None
of this has been run on a real phone yet: it is tested against a program that plays adb and a phone."""
LIST_EPILOG = """\b
Examples:
  samesight device list
  samesight device list --json | jq -r '.phones[] | select(.ready) | .serial'"""
PUSH_EPILOG = """\b
Examples:
  samesight device push demo/digits
  samesight device push demo/digits --serial 0A281FDD4001XY --app com.example.digits
  samesight device push demo/digits --sign keys/samesight-key.pem"""
TEST_EPILOG = """\b
Examples:
  samesight device self-test demo/digits
  samesight device self-test demo/digits --push --out device-parity.json
  samesight device self-test demo/scenes --json | jq .passed

Exit code 0: no artifact failed on the phone. 1: one did, or there are no results: then no verdict is written."""
BENCH_EPILOG = """\b
Examples:
  samesight device bench demo/digits --artifact digits.int8.tflite --tool benchmark_model
  samesight device bench demo/digits --artifact digits.fp16.tflite --tool benchmark_model --unit gpu --runs 200
  samesight device bench demo/digits --artifact digits.int8.pte --tool executor_runner --threads 4 --json

The programs are yours, built for Android: benchmark_model of LiteRT, executor_runner of ExecuTorch. They are given
random or constant input. benchmark_model tells no times of single runs, so there is no p90 and p99 of it. A phone that
is hot is waited for; times of a phone that grew hot meanwhile are marked."""

Command = TypeVar("Command", bound=Callable[..., Any])
TO_PHONE = (
    click.option(
        "--serial", envvar="ANDROID_SERIAL", metavar="SERIAL", help="Which phone, as `samesight device list` names it."
    ),
)
TO_APP = (
    *TO_PHONE,
    click.option("--app", "package", default="samesight.app", show_default=True, metavar="ID", help="The app's id."),
    click.option("--force", is_flag=True, help="Push artifacts too that have no passing verdict."),
    click.option("--sign", type=click.Path(path_type=Path), metavar="KEY", help="Sign the pack with this private key."),
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
BUNDLE = click.argument("bundle", type=click.Path(path_type=Path))


def _options(*rows: Callable[[Command], Command]) -> Callable[[Command], Command]:
    return lambda command: reduce(lambda done, row: row(done), reversed(rows), command)


@click.group(epilog=EPILOG)
def device() -> None:
    """Push bundles to a phone, run the app's self-test there and time artifacts, over adb."""


@device.command("list", epilog=LIST_EPILOG)
@AS_JSON
def list_command(as_json: bool) -> None:
    """List the phones that adb sees, and what to do about one that cannot be used."""
    from samesight.conversion.device.adb import Bridge, find_adb, list_phones
    from samesight.conversion.device.phone import identify

    program = find_adb()
    rows = []
    for listed in list_phones(program):
        phone = identify(Bridge(program, listed.serial)) if listed.ready else None
        rows.append(
            {
                "serial": listed.serial,
                "ready": listed.ready,
                "state": listed.state,
                "model": f"{phone.maker} {phone.model}" if phone else listed.model,
                "android": phone.android if phone else None,
                "soc": phone.soc if phone else None,
                "abi": phone.abi if phone else None,
                "problem": listed.problem,
            }
        )
    if as_json:
        click.echo(json.dumps({"adb": str(program), "phones": rows}, indent=2))
        return
    for row in rows:
        about = f"{row['model']}, Android {row['android']}, {row['soc'] or 'chip not told'}, {row['abi']}"
        click.echo(row["problem"] or f"{row['serial']}: {about}")
    if not rows:
        click.echo("adb sees no phone; plug one in by USB and allow USB debugging in its developer options")


@device.command(epilog=PUSH_EPILOG)
@BUNDLE
@_options(*TO_APP)
@AS_JSON
def push(bundle: Path, serial: str | None, package: str, force: bool, sign: Path | None, as_json: bool) -> None:
    """Pack BUNDLE for Android and the phone's chip, and have the app on the phone open it, as a person does by hand."""
    from samesight.contract.bundle import open_bundle
    from samesight.conversion.device.errands import check_package, open_pack

    check_package(package)
    opened = open_bundle(bundle)
    signer = _signer(opened, force, sign)
    bridge, phone = _app_on_phone(serial, package)
    with tempfile.TemporaryDirectory(prefix="samesight-") as folder:
        model = open_pack(bridge, package, _pack(opened, phone, Path(folder), force, signer))
    left = _other_chips(opened, phone)
    if as_json:
        click.echo(json.dumps({"phone": asdict(phone), "model": model, "other_chips": left}))
    else:
        note = f"; for other chips, so left out: {', '.join(left)}" if left else ""
        click.echo(f"{phone.serial}: {phone.maker} {phone.model} has {model}{note}")


@device.command("self-test", epilog=TEST_EPILOG)
@BUNDLE
@_options(*TO_APP)
@click.option("--push", "pushing", is_flag=True, help="Push BUNDLE first; else the app has to have it already.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="Keep the results here too (device-parity.json)."
)
@click.option(
    "--timeout",
    type=click.FloatRange(1, 86400),
    default=1800,
    show_default=True,
    metavar="SECONDS",
    help="Give up when the self-test takes longer.",
)
@AS_JSON
def self_test(
    bundle: Path,
    serial: str | None,
    package: str,
    force: bool,
    sign: Path | None,
    pushing: bool,
    out: Path | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Run the app's self-test of BUNDLE on the phone, fetch its results, judge them and keep the verdicts in BUNDLE."""
    from samesight.cli.tables import app_table, progress_bar
    from samesight.contract.bundle import open_bundle
    from samesight.contract.device_results import DEVICE_PARITY
    from samesight.contract.errors import SamesightError, UsageError
    from samesight.contract.files import write_atomically
    from samesight.conversion.apps.device_results import add_devices, judge_device, read_device_parity
    from samesight.conversion.device import errands

    errands.check_package(package)
    if (force or sign) and not pushing:
        raise UsageError("--force and --sign are about the pack; give --push as well")
    opened = open_bundle(bundle)
    verdicts = opened.verdicts()
    if verdicts is None:
        raise SamesightError(f"{bundle}: has no verdicts; run `samesight verify {bundle}` first")
    signer = _signer(opened, force, sign) if pushing else None
    bridge, phone = _app_on_phone(serial, package)
    with tempfile.TemporaryDirectory(prefix="samesight-") as folder:
        results = Path(folder) / DEVICE_PARITY
        pack = _pack(opened, phone, Path(folder), force, signer) if pushing else None
        with progress_bar(f"self-test on {phone.model}", quiet=as_json) as progress:
            errands.self_test(bridge, package, opened.spec.name, results, timeout, pack, progress)
        parity = read_device_parity(results, opened)
        if out:
            write_atomically(out, results.read_bytes())
        judged = judge_device(opened, parity)
        verdicts = add_devices(opened, verdicts, [parity])
    passed = all(verdict.passed is not False for verdict in judged)
    if as_json:
        plain = {"passed": passed, "phone": asdict(phone), "apps": [one.model_dump(mode="json") for one in judged]}
        click.echo(json.dumps(plain, indent=2))
    else:
        app_table(verdicts.model_copy(update={"apps": judged}), opened.spec)
    raise SystemExit(0 if passed else 1)


@device.command(epilog=BENCH_EPILOG)
@BUNDLE
@_options(*TO_PHONE)
@click.option("--artifact", "name", required=True, metavar="NAME", help="The artifact to time: .tflite or .pte.")
@click.option(
    "--tool", type=click.Path(path_type=Path), required=True, metavar="FILE", help="The program, built for Android."
)
@click.option("--unit", type=click.Choice(["cpu", "gpu", "npu"]), default="cpu", show_default=True)
@click.option("--threads", type=click.IntRange(1, 64), metavar="N", help="Of the CPU [the program's own choice].")
@click.option("--warmup", type=click.IntRange(1, 10000), default=10, show_default=True, help="Runs that do not count.")
@click.option("--runs", type=click.IntRange(1, 100000), default=100, show_default=True, help="Runs that count.")
@click.option(
    "--libraries",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="The maker's libraries for an NPU (.so files).",
)
@click.option(
    "--cool-down",
    type=click.FloatRange(0, 86400),
    default=600,
    show_default=True,
    metavar="SECONDS",
    help="Wait so long for a hot phone to cool down; 0 refuses at once.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(1, 86400),
    default=300,
    show_default=True,
    metavar="SECONDS",
    help="Give up then.",
)
@AS_JSON
def bench(
    bundle: Path,
    serial: str | None,
    name: str,
    tool: Path,
    unit: "Any",
    threads: int | None,
    warmup: int,
    runs: int,
    libraries: Path | None,
    cool_down: float,
    timeout: float,
    as_json: bool,
) -> None:
    """Time an artifact of BUNDLE on the phone with your own benchmark_model or executor_runner."""
    from samesight.contract.bundle import open_bundle
    from samesight.conversion.device.benchmark import Wish, program_of, time_artifact

    opened = open_bundle(bundle)
    artifact = opened.find(name)
    wish = Wish(unit, threads, warmup, runs, libraries, timeout)
    program_of(artifact, wish)
    bridge, phone = _phone(serial)
    file = opened.folder / artifact.file
    timed = time_artifact(bridge, phone, artifact, file, tool, wish, cool_down, partial(click.echo, err=True))
    if as_json:
        click.echo(json.dumps({"phone": asdict(phone), "hot": timed.after.hot, **asdict(timed)}, indent=2))
        return
    latency = timed.latency
    click.echo(f"{name} on the {unit.upper()} of {phone.maker} {phone.model}, {latency.runs} runs after {warmup}:")
    told = {
        word: value
        for word, value in (
            ("p50", latency.p50),
            ("p90", latency.p90),
            ("p95", latency.p95),
            ("p99", latency.p99),
            ("mean", latency.mean),
            ("least", latency.minimum),
            ("most", latency.maximum),
            ("first run", latency.first),
            ("load", latency.load),
        )
        if value is not None
    }
    click.echo("  ms: " + ", ".join(f"{word} {value:.3f}" for word, value in told.items()))
    click.echo(f"  before: {timed.before.words}; after: {timed.after.words}")
    if timed.after.hot:
        click.echo("  the phone grew hot meanwhile: a cool one is faster; time fewer runs, or let it cool down first")


def _signer(opened: "Bundle", force: bool, sign: Path | None) -> "Signer | None":
    """What signs the pack, if anything does, after it was seen that there may be one: before a phone is asked."""
    from samesight.contract.archive import choose
    from samesight.contract.errors import SamesightError
    from samesight.contract.signature import Signer, read_private_key
    from samesight.conversion.formats import formats_for

    choose(opened, "android", formats_for("android"))
    if not force and opened.verdicts() is None:
        raise SamesightError(f"{opened.folder}: has no verdicts; run `samesight verify {opened.folder}` first")
    return Signer(read_private_key(sign), int(time.time())) if sign else None


def _pack(opened: "Bundle", phone: "Phone", folder: Path, force: bool, signer: "Signer | None") -> Path:
    """A pack of what this phone's chip can run."""
    from samesight.contract.archive import OTHER_CHIPS, choose, pack_bundle, require_verdicts

    chips = {chip.lower() for artifact in opened.manifest.artifacts for chip in artifact.soc or ()}
    known = phone.soc is not None and phone.soc.lower() in chips
    chosen = choose(opened, "android", soc=phone.soc if known else OTHER_CHIPS)
    if not force:
        require_verdicts(opened, chosen)
    target = folder / "bundle.zip"
    pack_bundle(opened, "android", target, signer, phone.soc if known else OTHER_CHIPS)
    return target


def _phone(serial: str | None) -> "tuple[Bridge, Phone]":
    """The phone that is meant, unlocked."""
    from samesight.conversion.device.adb import Bridge, choose, find_adb, list_phones
    from samesight.conversion.device.phone import identify, require_unlocked

    program = find_adb()
    bridge = Bridge(program, choose(list_phones(program), serial).serial)
    phone = identify(bridge)
    require_unlocked(bridge)
    return bridge, phone


def _app_on_phone(serial: str | None, package: str) -> "tuple[Bridge, Phone]":
    from samesight.conversion.device.phone import require_app

    bridge, phone = _phone(serial)
    require_app(bridge, package)
    return bridge, phone


def _other_chips(opened: "Bundle", phone: "Phone") -> list[str]:
    """Artifacts for Android that are for other chips than this phone's."""
    android = [one for one in opened.manifest.artifacts if "android" in one.platforms]
    chip = (phone.soc or "").lower()
    return [one.name for one in android if one.soc and chip not in (known.lower() for known in one.soc)]
