"""`samesight inspect`: shows the content of a run or a bundle."""

import json
from pathlib import Path
from typing import Any

import click

EPILOG = """\b
Examples:
  samesight inspect runs/digits
  samesight inspect demo/digits
  samesight inspect demo/digits --json | jq .artifacts[].input"""


@click.command(epilog=EPILOG)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def inspect(folder: Path, as_json: bool) -> None:
    """Show the contract and the contents of a run or a bundle."""
    from samesight.contract.bundle import is_run, open_bundle
    from samesight.contract.manifest import CALIBRATION
    from samesight.contract.spec import read_spec
    from samesight.contract.text import printable
    from samesight.contract.verdicts import failures
    from samesight.conversion.npu.words import plan_note, plan_warnings

    if is_run(folder):
        spec, run = read_spec(folder / "model.json"), _read_run(folder / "run.json")
        if as_json:
            click.echo(json.dumps({"kind": "run", "spec": spec.model_dump(mode="json"), "run": run}, indent=2))
            return
        lines = [*_spec_lines(spec), f"data      {run['data']['source']}, seed {run['data']['seed']}"]
        lines += [f"metric    {name} {_figure(value)}" for name, value in run["metrics"].items()]
        click.echo("\n".join(lines))
        return
    from samesight.conversion.network_checks.costs import artifact_costs
    from samesight.conversion.network_checks.document import read_facts
    from samesight.conversion.quantization.recipe import find_recipe

    bundle = open_bundle(folder)
    recipe = find_recipe(folder)
    costs, facts = artifact_costs(bundle), read_facts(folder)
    verdicts = bundle.verdicts()
    if as_json:
        plain = {
            "kind": "bundle",
            "spec": bundle.spec.model_dump(mode="json"),
            "manifest_sha256": bundle.manifest_sha256(),
            "artifacts": [
                {
                    **artifact.model_dump(mode="json"),
                    "cost": cost.model_dump(mode="json") if (cost := costs[artifact.name]) else None,
                }
                for artifact in bundle.manifest.artifacts
            ],
            "network": facts.model_dump(mode="json") if facts else None,
            "recipe": recipe.model_dump(mode="json") if recipe else None,
            "passed": verdicts.passed if verdicts else None,
            "targets": [verdict.model_dump(mode="json") for verdict in verdicts.targets] if verdicts else [],
            "signature": _signature(folder, bundle.spec.name),
        }
        click.echo(json.dumps(plain, indent=2))
        return
    passed = {verdict.name: verdict.passed for verdict in verdicts.artifacts} if verdicts else {}
    if verdicts:
        failed = failures(verdicts.artifacts, verdicts.apps, verdicts.targets)
        passed |= dict.fromkeys(failed, False)
    on_targets = verdicts.targets if verdicts else ()
    signature = _signature(folder, bundle.spec.name)
    click.echo("\n".join(_spec_lines(bundle.spec)))
    if signature:
        version = "" if signature["version"] is None else f" as version {signature['version']}"
        click.echo(f"signed    by key {signature['key']}{version}, {signature['problem'] or 'and is as it was signed'}")
    for artifact in bundle.manifest.artifacts:
        verdict = {True: "passed", False: "failed", None: "not judged here"}[passed.get(artifact.name)]
        delegated = "" if artifact.delegated is None else f", {artifact.delegated:.0%} delegated"
        click.echo(
            f"\n{artifact.name}  {artifact.bytes / 1000:.0f} KB, {verdict}\n"
            f"  runs on   {artifact.runtime} {artifact.runtime_version} or later, {artifact.unit}{delegated}\n"
            f"  input     {_tensor_line(artifact.input)}, packed as {artifact.input_layout}"
        )
        if note := plan_note(artifact):
            click.echo(f"  {'plan':<9} {note}")
        for warning in plan_warnings(artifact):
            click.echo(f"  {'plan':<9} warning: {warning}")
        for target in on_targets:
            if target.name == artifact.name:
                click.echo(f"  {target.unit:<9} {'passed' if target.passed else 'failed'} on {target.title}")
        if recipe and artifact.precision == "mixed":
            click.echo(f"  recipe    {printable(recipe.words)}")
        for tensor in artifact.outputs:
            click.echo(f"  {tensor.role:<9} {_tensor_line(tensor)}")
        if cost := costs[artifact.name]:
            click.echo(f"  costs     {_cost_line(cost)}")
        tools = dict(artifact.tools)
        if steps := tools.pop(CALIBRATION, ""):
            click.echo(f"  int8      {steps}")
        click.echo(f"  made by   {', '.join(f'{name} {version}' for name, version in tools.items())}")


def _signature(folder: Path, model: str) -> dict[str, Any] | None:
    """Who signed a bundle, as which version, and what is wrong with the signature; None for one without."""
    from samesight.contract.errors import SamesightError
    from samesight.contract.signature import PublicKey, check_model, check_signature, read_signature

    signature = read_signature(folder)
    if signature is None:
        return None
    key = PublicKey(signature.public_key).fingerprint
    try:
        statement = check_signature(folder, "it")
        check_model(statement, model, "it")
    except SamesightError as error:
        return {"key": key, "version": None, "problem": f"but not as it is now: {str(error).removeprefix('it: ')}"}
    return {"key": key, "version": statement.version, "problem": None}


def _read_run(path: Path) -> dict[str, Any]:
    from samesight.contract.errors import SamesightError
    from samesight.contract.files import read_plain
    from samesight.contract.limits import DOCUMENT_BYTES

    try:
        run: dict[str, Any] = json.loads(read_plain(path, DOCUMENT_BYTES))
        valid = isinstance(run["metrics"], dict) and {"source", "seed"} <= run["data"].keys()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        valid = False
    if not valid:
        raise SamesightError(f"{path}: damaged, or of another samesight; train the run again")
    return run


def _spec_lines(spec: Any) -> list[str]:
    input_, labels = spec.input, ", ".join(spec.labels[:12])
    lines = [
        f"{spec.name}: {spec.task}, {len(spec.labels)} labels ({labels}{', …' if len(spec.labels) > 12 else ''})",
        f"input     {input_.width} x {input_.height} {input_.channels}, {input_.framing.rule}, {input_.filter}",
        f"network   takes (value - {list(input_.mean)}) / {list(input_.std)} of values in {list(input_.value_range)}",
    ]
    if spec.detection:
        rule = spec.detection
        lines.append(
            f"boxes     {rule.boxes.coding} in {rule.boxes.unit}, score >= {rule.score_threshold:g}, "
            f"suppression {rule.suppression} at IoU {rule.iou_threshold:g}, at most {rule.max_detections}"
        )
    return lines


def _tensor_line(tensor: Any) -> str:
    scale = "" if tensor.scale is None else f", real = (q - {tensor.zero_point}) * {tensor.scale:.6g}"
    return f"{tensor.name} {tensor.dtype} {list(tensor.shape)}{f' {tensor.layout}' if tensor.layout else ''}{scale}"


def _cost_line(cost: Any) -> str:
    from samesight.conversion.report.costs import count
    from samesight.conversion.report.text import plural, size

    macs = "" if cost.macs is None else f"{count(cost.macs)} multiply-accumulates, "
    values = "" if cost.activation_bytes is None else f", values up to {size(cost.activation_bytes)}"
    parts = f" ({', '.join(f'{number} in {part}' for part, number in cost.parts.items())})" if cost.parts else ""
    operators = plural(sum(cost.operators.values()), "operator")
    return f"{macs}{count(cost.parameters)} parameters in {size(cost.weight_bytes)}{values}, {operators}{parts}"


def _figure(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
