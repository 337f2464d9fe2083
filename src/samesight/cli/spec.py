"""`samesight spec`: proposes the model.json of a network."""

import json
from pathlib import Path

import click

from samesight.cli.spec_questions import FRAMINGS, IMAGENET, ask, at_terminal, numbers_of, size_of

EPILOG = """\b
Examples:
  samesight spec timm:mobilenetv4_conv_small --out model.json
  samesight spec torchvision:retinanet_resnet50_fpn --size 320 --out model.json
  samesight spec my_models:classifier --labels labels.txt --mean imagenet --framing crop --out model.json
  samesight spec network.onnx --labels labels.txt --out model.json
  samesight spec network.pt2 --labels labels.txt --framing letterbox --out model.json

What the network shows is proposed, and what it cannot show is said: certain, likely, guess or unknown. Read those lines
before you convert. At a terminal it asks what only you can know (not with --yes or --json). docs/contract.md has the
meaning of every field.
Exit code 0: a spec was proposed. 1: the network cannot be run, or is of no task of ours. 2: the request was wrong."""


def _size(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, int] | None:
    return None if value is None else size_of(value)


def _numbers(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[float, ...] | None:
    is_std = parameter.name == "std"
    return None if value is None else numbers_of(value, IMAGENET[is_std], positive=is_std)


@click.command(epilog=EPILOG)
@click.argument("source", metavar="FILE.pt2|FILE.onnx|timm:NAME|torchvision:NAME|FOLDER|MODULE:FUNCTION")
@click.option("--out", type=click.Path(path_type=Path), help="The model.json to write; printed otherwise.")
@click.option("--labels", type=click.Path(path_type=Path), help="Names of the classes, one a line.")
@click.option("--size", callback=_size, metavar="WxH", help="The input's width and height, or one side of a square.")
@click.option("--mean", callback=_numbers, metavar="NUMBERS", help="As training had it, of values 0..1; or imagenet.")
@click.option("--std", callback=_numbers, metavar="NUMBERS", help="Likewise; --mean imagenet brings its own.")
@click.option("--framing", type=click.Choice(FRAMINGS), help="How images get to the size.")
@click.option("--name", metavar="NAME", help="The model's name in the spec.")
@click.option("--weights", type=click.Path(path_type=Path), help="Weights for a function or a named network.")
@click.option("--yes", is_flag=True, help="Ask nothing; take what is proposed.")
@click.option("--json", "as_json", is_flag=True, help="Print the spec and the remarks as JSON alone.")
def spec(
    source: str,
    out: Path | None,
    labels: Path | None,
    size: tuple[int, int] | None,
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
    framing: str | None,
    name: str | None,
    weights: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Look at a network, run it once, and propose its model.json, which `convert --spec` takes."""
    from typing import cast

    from samesight.contract.errors import UsageError
    from samesight.contract.files import write_atomically
    from samesight.conversion.sources.labels import read_labels
    from samesight.conversion.sources.library import spec_name
    from samesight.conversion.workflow.propose import FramingName, Known, propose_for

    if out and (out.is_dir() or not out.parent.is_dir()):
        wrong = "is a folder" if out.is_dir() else "its folder does not exist"
        raise UsageError(f"--out {out}: {wrong}; give the file to write")
    known = Known(
        size=size,
        labels=read_labels(labels) if labels else None,
        mean=mean,
        std=IMAGENET[1] if mean == IMAGENET[0] and std is None else std,
        framing=cast("FramingName | None", framing),
        name=spec_name(name) if name else None,
    )
    proposal = propose_for(source, known, weights)
    if at_terminal() and not (yes or as_json) and (answered := ask(proposal, known)) != known:
        proposal = propose_for(source, answered, weights)
    if out:
        write_atomically(out, proposal.spec.to_json().encode())
    if as_json:
        remarks = [vars(remark) for remark in proposal.remarks]
        click.echo(json.dumps({"spec": proposal.spec.model_dump(mode="json"), "remarks": remarks}, indent=2))
        return
    for remark in proposal.remarks:
        click.echo(f"{remark.sure:<8}{remark.field}: {remark.why}", err=True)
    click.echo(f"{out}: written" if out else proposal.spec.to_json(), nl=bool(out))
