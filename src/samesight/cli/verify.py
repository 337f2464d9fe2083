"""`samesight verify`: every artifact against the server model, or somebody's own server code against the contract."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from samesight.contract.bundle import Bundle
    from samesight.contract.verdicts import Verdicts

EPILOG = """\b
Examples:
  samesight verify demo/digits
  samesight verify demo/digits --json | jq .passed
  samesight verify demo/digits --artifact digits.int8.tflite
  samesight verify demo/digits --server my_server:answer
  samesight verify mine --data folder:photos/holdout
  samesight verify demo/scenes --layers
  samesight verify demo/scenes --layers --artifact scenes.int8.tflite --json
  samesight verify demo/scenes --apps
  samesight verify demo/scenes --device-results device-parity.json
  samesight verify demo/scenes --runner arm64 --runner gpu
  samesight verify theirs.tflite --against runs/digits
  samesight verify theirs.onnx --against network.pt2 --spec model.json --calibration photos
  samesight verify digits-android.zip --key keys/samesight-key.pub.pem

Exit code 0: every artifact that can run here passed. 1: a gate was missed, or there is no such bundle or data. 2: wrong
options. With --json, standard output is empty unless there are verdicts.
docs/parity.md explains the figures and the gates, docs/known-faults.md the faults."""


@click.command(epilog=EPILOG)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--data", metavar="SOURCE", help="Judge on this data instead of the run's own test split.")
@click.option("--artifact", "names", multiple=True, metavar="NAME", help="Only this artifact; may be repeated.")
@click.option(
    "--server",
    metavar="MODULE:FUNCTION",
    help="Compare your own server code: a function from an image path to answers, or to (answers, input tensor): "
    "uint8 for the pixels before normalisation, float for what goes into the network.",
)
@click.option(
    "--layers",
    is_flag=True,
    help="Compare the values inside of the artifacts with the float network's, and name the first layer that breaks.",
)
@click.option("--apps", is_flag=True, help="Run the apps' own Kotlin and Swift code on this computer too.")
@click.option(
    "--device-results",
    "device_results",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Judge what an app's self-test exported on a phone (device-parity.json) and add it to the verdicts.",
)
@click.option(
    "--runner",
    "runners",
    multiple=True,
    metavar="DEVICE",
    help="Run the golden cases on what plays a phone's processor here too: arm64 (CPU, emulated), gpu (software "
    "Vulkan) or snapdragon (NPU, simulated); several by commas or repeated. `samesight setup` installs them.",
)
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    metavar="PUBLIC",
    help="Only check that a packed file or a bundle is as it was signed with this key; nothing is run.",
)
@click.option(
    "--against",
    metavar="SOURCE",
    help="BUNDLE is a .tflite, .onnx, .pte or .mlpackage that somebody else made: judge it against a run or network.",
)
@click.option(
    "--spec", type=click.Path(path_type=Path), help="With --against: the model.json of a SOURCE that is no run."
)
@click.option("--calibration", type=click.Path(path_type=Path), help="With --against: a folder of images, likewise.")
@click.option("--precision", metavar="PRECISION", help="With --against: whose gates count [int8 or fp32, by the file].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def verify(
    bundle: Path,
    data: str | None,
    names: tuple[str, ...],
    server: str | None,
    layers: bool,
    apps: bool,
    device_results: Path | None,
    runners: tuple[str, ...],
    key: Path | None,
    against: str | None,
    spec: Path | None,
    calibration: Path | None,
    precision: str | None,
    as_json: bool,
) -> None:
    """Measure every artifact of BUNDLE against the server model and say whether it may ship.

    Figures: signal-to-noise ratio of each raw output in dB, agreement of answers, and the task metric on the test
    split with a 95 % interval of what is lost. The verdicts are written to BUNDLE/parity.json, unless
    --artifact or --data ask for a part or for other data.

    Known faults of phones' runtimes whose pattern an artifact has are listed; they fail nothing.

    --layers looks inside: it draws the signal-to-noise ratio of every value that a runtime shows, by the module of the
    network that it belongs to. `samesight report` shows it as a picture then. No verdict changes.

    --apps and --device-results add what an app's own code makes of the golden cases, on this computer or on a phone, to
    the verdicts; --runner what a phone's processors make of them, emulated or simulated here. Artifacts that were
    judged before are not run again then.
    """
    from samesight.contract.bundle import open_bundle
    from samesight.contract.errors import UsageError

    if server is not None and not server.strip():
        raise UsageError("--server: is empty; name MODULE:FUNCTION")
    if server and (data or names):
        raise UsageError("--server compares your code on the golden cases; leave out --data and --artifact")
    if (apps or device_results) and (data or names or server):
        raise UsageError(
            "--apps and --device-results judge the whole bundle; leave out --data, --artifact and --server"
        )
    targets = [name.strip() for text in runners for name in text.split(",")]
    if targets and (data or server):
        raise UsageError("--runner runs the golden cases against the server model; leave out --data and --server")
    if key:
        if data or names or server or layers or apps or device_results or runners:
            raise UsageError("--key checks a signature and runs nothing; leave out the other options")
        _verify_signature(bundle, key, as_json)
        return
    if against is not None:
        if data or names or server or layers or apps or device_results or runners:
            raise UsageError(
                "--against judges one file; of the other options it takes --spec, --calibration, --precision"
            )
        _verify_file(bundle, against, spec, calibration, precision, as_json)
        return
    if spec or calibration or precision:
        raise UsageError("--spec, --calibration and --precision belong to --against; leave them out")
    if layers and (data or server or apps or device_results or runners):
        raise UsageError(
            "--layers compares values on golden images; of the other options it takes --artifact and --json"
        )
    opened = open_bundle(bundle)
    if layers:
        _verify_layers(opened, names, as_json)
        return
    if server:
        from samesight.conversion.parity.server_check import compare_server, print_comparison

        comparison = compare_server(opened, server)
        click.echo(comparison.to_json() if as_json else print_comparison(comparison), nl=not as_json)
        raise SystemExit(0 if comparison.passed else 1)

    from samesight.cli.tables import app_table, progress_bar, target_table, verdict_table
    from samesight.conversion.apps.device_results import add_devices, read_device_parity
    from samesight.conversion.apps.run import run_apps
    from samesight.conversion.cache_folder import default_root
    from samesight.conversion.parity.advice import advise
    from samesight.conversion.parity.targets import merge_targets, verify_on_targets, work_of
    from samesight.conversion.parity.verify import verify_bundle
    from samesight.conversion.workflow.cache import Cache

    # Before anything runs: a device that is not there is said at once.
    work = work_of(opened, targets, names) if targets else []
    parities = [read_device_parity(device_results, opened)] if device_results else []
    if apps:
        parities += run_apps(opened, partial(progress_bar, quiet=as_json), partial(click.echo, err=True))
    verdicts = opened.verdicts() if parities or work else None
    if verdicts is None:
        with progress_bar("verifying", quiet=as_json) as progress:
            verdicts = verify_bundle(opened, data, () if work else names, progress, Cache(default_root()))
    if parities:
        verdicts = add_devices(opened, verdicts, parities)
    if work:
        with progress_bar(f"running on {', '.join(dict.fromkeys(targets))}", quiet=as_json) as progress:
            verdicts = merge_targets(verdicts, verify_on_targets(opened, work, progress))
        opened.write_verdicts(verdicts)
    advice = advise(opened, verdicts)
    if as_json:
        click.echo(json.dumps(as_plain(verdicts, advice), indent=2))
    else:
        verdict_table(verdicts, opened.spec, advice, opened.manifest.artifacts)
        app_table(verdicts, opened.spec)
        target_table(verdicts, opened.spec)
    raise SystemExit(0 if verdicts.passed else 1)


def _verify_layers(bundle: "Bundle", names: tuple[str, ...], as_json: bool) -> None:
    from samesight.cli.tables import progress_bar
    from samesight.conversion.cache_folder import default_root
    from samesight.conversion.parity.layer_text import print_layers
    from samesight.conversion.parity.layer_view import save_layers, view_layers
    from samesight.conversion.workflow.cache import Cache

    with progress_bar("comparing layers", quiet=as_json) as progress:
        view = view_layers(bundle, names, progress)
    if not names:
        save_layers(view, Cache(default_root()))
    click.echo(view.to_json() if as_json else print_layers(view), nl=not as_json)
    raise SystemExit(0 if view.passed else 1)


def _verify_file(
    path: Path, against: str, spec: Path | None, calibration: Path | None, precision: str | None, as_json: bool
) -> None:
    from samesight.cli.tables import progress_bar
    from samesight.conversion.parity.foreign import judge_file, print_file_verdict
    from samesight.conversion.sources.source import open_source

    source = open_source(against, spec, calibration)
    with progress_bar("verifying", quiet=as_json) as progress:
        judged = judge_file(path, source, precision, progress)
    click.echo(judged.to_json() if as_json else print_file_verdict(judged), nl=not as_json)
    raise SystemExit(0 if judged.verdict.passed else 1)


def _verify_signature(path: Path, key: Path, as_json: bool) -> None:
    from samesight.contract.archive import unpack_bundle
    from samesight.contract.bundle import open_bundle
    from samesight.contract.signature import check_model, check_signature, read_public_key

    public = read_public_key(key)
    with tempfile.TemporaryDirectory(prefix="samesight-") as scratch:
        folder = path
        if not path.is_dir():
            folder = Path(scratch) / "bundle"
            unpack_bundle(path, folder)
        bundle = open_bundle(folder)
        statement = check_signature(folder, str(path), public)
        check_model(statement, bundle.spec.name, str(path))
        verdicts = bundle.verdicts()
    passed = verdicts.passed if verdicts else None
    if as_json:
        plain = {"model": statement.model, "version": statement.version, "key": public.fingerprint, "passed": passed}
        click.echo(json.dumps(plain))
    else:
        word = {True: "passed", False: "failed", None: "not judged"}[passed]
        click.echo(
            f"{path}: version {statement.version} of {statement.model}, as it was signed by key "
            f"{public.fingerprint}; its verdict then: {word}"
        )


def as_plain(verdicts: "Verdicts", advice: Mapping[str, Sequence[str]]) -> dict[str, object]:
    """The verdicts as `--json` prints them: one flat row per artifact, with what to try for one that did not pass."""
    from samesight.conversion.parity.judge import metric_word

    return {
        "passed": verdicts.passed,
        "artifacts": [
            {
                "name": v.name,
                "format": v.format,
                "precision": v.precision,
                "unit": v.unit,
                "runner": v.runner,
                "snr_db": v.snr_db,
                "agreement": v.agreement,
                "metric": v.metric.artifact if v.metric else None,
                "metric_drop": v.metric.drop if v.metric else None,
                "metric_drop_interval": [v.metric.drop_low, v.metric.drop_high] if v.metric else None,
                "metric_gate": metric_word(v),
                "inconclusive": v.inconclusive,
                "bytes": v.bytes,
                "passed": v.passed,
                "reason": v.reason,
                "advice": list(advice.get(v.name, ())),
                "warnings": [warning.model_dump(mode="json") for warning in v.warnings],
            }
            for v in verdicts.artifacts
        ],
        "apps": [verdict.model_dump(mode="json") for verdict in verdicts.apps],
        "targets": [verdict.model_dump(mode="json") for verdict in verdicts.targets],
    }
