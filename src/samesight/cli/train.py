"""`samesight train`: trains on images and writes a run."""

import json
import shlex
from pathlib import Path
from typing import Any, get_args

import click

from samesight.cli.options_file import take_file
from samesight.contract.tasks import Task

EPILOG = """\b
Examples:
  samesight train digits --out runs/digits
  samesight train scenes --out runs/scenes --epochs 20
  samesight train folder:photos --model timm:mobilenetv4_conv_small --pretrained
  samesight train coco:images,annotations.json --size 320x320
  samesight train digits --devices 4 --strategy ddp --precision bf16-mixed
  samesight train --config training.yaml --epochs 5
  samesight train --resume runs/digits
  samesight train folder:photos --from runs/digits --freeze 2
  samesight train --from runs/digits --qat --out runs/digits-qat

\b
Data: digits, scenes (scikit-learn's scanned digits, nothing is downloaded); folder:PATH (one folder per class, or
train, val and test folders of such); coco:IMAGES,ANNOTATIONS.json; mnist, fashion-mnist, cifar10 (downloaded).
A YAML file has the options of the command line as its keys: `data: folder:photos`, `epochs: 20`, `batch-size: 64`.
TensorBoard: `tensorboard --logdir RUN/logs`."""


def _size(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    width, _, height = value.lower().partition("x")
    if not (width.isdigit() and (height or width).isdigit()):
        raise click.BadParameter(f"{value!r} is no size; write 224 or 320x240 (width x height)")
    return int(width), int(height or width)


def print_loading() -> None:
    """Say that PyTorch and Lightning are being imported, because that takes several seconds."""
    from samesight.training.run_folder import is_rank_zero

    if is_rank_zero():
        click.echo("loading PyTorch and Lightning …", err=True)


@click.command(epilog=EPILOG)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    callback=take_file,
    is_eager=True,
    expose_value=False,
    metavar="FILE",
    help="Options from a YAML file; those of the command line win.",
)
@click.argument("data", required=False)
@click.option("--out", type=click.Path(path_type=Path), help="The run folder to write [runs/NAME]; it must not exist.")
@click.option("--task", type=click.Choice(get_args(Task)), help="[what the data is made for]")
@click.option(
    "--model",
    help="`default`, `silu` (a YOLO-like detector), or a library's backbone: `timm:NAME`, `torchvision:NAME`.",
)
@click.option("--pretrained", is_flag=True, default=None, help="Start such a backbone from its published weights.")
@click.option("--size", callback=_size, metavar="WxH", help="Of the network's input in pixels [by the data].")
@click.option("--framing", type=click.Choice(["stretch", "crop", "letterbox"]), help="[crop; letterbox for detection]")
@click.option("--epochs", type=int, help="Most passes over the training images.")
@click.option("--patience", type=int, help="Epochs without a better validation metric before stopping; 0: never.")
@click.option("--batch-size", type=int)
@click.option("--lr", "learning_rate", type=float, help="Highest learning rate.")
@click.option(
    "--freeze", type=int, metavar="EPOCHS", help="Let the head alone learn first, with --pretrained or --from."
)
@click.option("--backbone-lr", "backbone_rate", type=float, metavar="SHARE", help="Of the head's learning rate [0.1].")
@click.option("--schedule", type=click.Choice(["onecycle", "cosine", "constant"]))
@click.option("--weight-decay", type=float)
@click.option("--dropout", type=float)
@click.option("--augmentation", type=click.Choice(["none", "glyphs", "photos"]), help="[by the data]")
@click.option("--limit", type=int, help="Most training images, spread evenly, for a trial.")
@click.option("--class-weights", is_flag=True, default=None, help="Rare classes count as much in the loss as others.")
@click.option("--skip-damaged", is_flag=True, default=None, help="Leave out images that cannot be read.")
@click.option("--seed", type=int, help="The same seed gives the same weights on one kind of CPU [0].")
@click.option("--threads", type=int, help="CPU threads [1 for the default nets].")
@click.option("--loaders", type=int, help="Processes that prepare images.")
@click.option("--accelerator", help="cpu, gpu, mps … as Lightning's Trainer takes it.")
@click.option("--devices", help="How many, or which, e.g. 2 or 0,1.")
@click.option("--num-nodes", type=int)
@click.option("--strategy", help="ddp, fsdp … as Lightning's Trainer takes it.")
@click.option("--precision", help="32-true, bf16-mixed … as Lightning's Trainer takes it.")
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Go on with an interrupted training.")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Start from the weights of a run, with a new head for other labels; with --qat, the run to fine-tune.",
)
@click.option("--qat", is_flag=True, help="Fine-tune through fake quantization, and keep what is better in int8.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def train(
    data: str | None,
    resume: Path | None,
    source: Path | None,
    qat: bool,
    as_json: bool,
    size: tuple[int, int] | None,
    **options: Any,
) -> None:
    """Train a classifier or a detector on DATA and write a run: weights, contract, metrics, calibration images."""
    from samesight.contract.errors import SamesightError
    from samesight.training.run_folder import is_rank_zero

    settings = {name: value for name, value in options.items() if value is not None}
    if size:
        settings["width"], settings["height"] = size
    try:
        run = _train(data, resume, source, qat, settings)
    except SamesightError as error:
        if as_json and is_rank_zero() and (damaged := getattr(error, "images", None)):
            listed = [{"image": one.name, "reason": one.reason} for one in damaged]
            click.echo(json.dumps({"damaged": listed}, indent=2))
        raise
    if not is_rank_zero():
        return
    record = json.loads((run / "run.json").read_text())
    if as_json:
        click.echo(json.dumps({"run": str(run), "metrics": record["metrics"]}, indent=2))
        return
    for name, value in record["metrics"].items():
        click.echo(f"{name:<20} {value}")
    bundle = Path("bundles") / run.resolve().name
    click.echo(f"{run}: written; next: samesight convert {shlex.quote(str(run))} --out {shlex.quote(str(bundle))}")


def _train(data: str | None, resume: Path | None, source: Path | None, qat: bool, settings: dict[str, Any]) -> Path:
    """Train, go on with a training, or fine-tune, as the options say; the run."""
    from samesight.contract.errors import UsageError

    if resume:
        if data or source or qat or settings:
            raise UsageError("--resume goes on with the options of the interrupted run; leave the others out")
        from samesight.training.run_folder import read_interrupted

        read_interrupted(resume)
        print_loading()
        from samesight.training.train import resume as resume_training

        return resume_training(resume)
    if qat:
        if not source or data:
            raise UsageError("--qat goes with --from RUN and without DATA, which the run knows")
        from samesight.conversion.quiet import quiet
        from samesight.training.run_folder import check_source

        check_source(source)
        print_loading()
        with quiet():  # importing torchao warns of what nobody here can change
            from samesight.training.qat import fine_tune

        return fine_tune(source, **settings)
    if data is None:
        hint = "; to fine-tune the run for int8 instead, add --qat" if source else ""
        raise UsageError(
            f"name the DATA to train on: digits, scenes, folder:PATH or coco:IMAGES,ANNOTATIONS.json{hint}"
        )
    from samesight.training.config import make_config
    from samesight.training.run_folder import check_request

    if source:
        from samesight.training.transfer import start_options

        settings = start_options(source, settings)
    config = make_config(data=data, **settings)
    check_request(config)
    print_loading()
    from samesight.training.train import train as start_training

    return start_training(config)
