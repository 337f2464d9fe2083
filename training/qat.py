"""Quantization-aware training: a run's network fine-tuned as the int8 artifacts will compute it.

The phone-ready program of conversion is fine-tuned through PT2E fake quantization with the activation ranges that
calibration found, so that its weights settle on the int8 grid. Then both candidates are judged by what a phone would
run, the converted int8 program: PTQ (calibrated only) and QAT (fine-tuned). The better one by the validation metric
becomes a new run, whose `quantization.json` holds its ranges: conversion takes these instead of calibrating, and makes
the very program that was judged.
"""

import shutil
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.fx import GraphModule

from samesight.contract.errors import UsageError
from samesight.contract.spec import ModelSpec, read_spec
from samesight.conversion.preparation.prepare import Prepared, prepare
from samesight.conversion.quantization.quantize import Ranges, as_network, fine_tuned, prepare_qat, quantize, ranges_of
from samesight.conversion.sources.calibration import calibration_tensors, find_calibration_images
from samesight.conversion.sources.server_model import load_program
from samesight.datasets import open_data
from samesight.training.callbacks import Report
from samesight.training.checkpoint import read_checkpoint
from samesight.training.config import TrainingConfig, make_config, resolve
from samesight.training.dataset import FramedImages, make_loader
from samesight.training.lightning_module import MONITOR, Optimiser, TrainingModule
from samesight.training.models.network import Network
from samesight.training.run_folder import (
    CHECKPOINT,
    beginning,
    best_checkpoint,
    check_free,
    check_source,
    finish_run,
    partial_folder,
)
from samesight.training.tasks.table import TASKS
from samesight.training.train import TrainingSetup, data_record, fit, frame_parts, make_optimiser, plain_metrics
from samesight.training.trainer import interruptible, make_trainer, set_up

EPOCHS = 3
PATIENCE = 2
# Of the first training's learning rate: the weights only have to settle on the grid.
RATE_SHARE = 0.02
MOST_CALIBRATION_IMAGES = 2000  # as many as a run may have, see `TrainingConfig.calibration`
FIXED = ("data", "task", "model", "pretrained", "width", "height", "framing")
ALONE = {"devices": "1", "num_nodes": 1, "strategy": "auto"}


@dataclass(frozen=True)
class Int8Candidate:
    """A float program with its activation ranges, and the metrics of the int8 program that these two give."""

    prepared: Prepared
    ranges: Ranges
    validation: dict[str, float]
    test: dict[str, float]


class Pixels(nn.Module):
    """A phone-ready program as training calls a network: values 0..255 in, one tensor or a tuple out."""

    def __init__(self, program: GraphModule) -> None:
        super().__init__()
        self.program = program

    def forward(self, x: Tensor) -> Any:  # noqa: D102
        outputs = self.program(x)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)


def fine_tune(source: Path, report: Report = lambda line: print(line, file=sys.stderr), **options: object) -> Path:
    """Fine-tune a run for int8 and write a new run with the better of PTQ and QAT.

    Args:
        source: the run; its data, split, framing and options are used again.
        report: takes lines of progress.
        options: fields of `TrainingConfig` to change; `out` is the new run [SOURCE-qat].

    Returns:
        the new run folder; its `run.json` has a field `quantization` that says which won and by how much.

    Raises:
        UsageError: an option that the run decides, or the new run exists.
        SamesightError: the source is no run, or its network cannot be fine-tuned.
    """
    for name in FIXED:
        if name in options:
            raise UsageError(f"--{name} is decided by the run {source} that is fine-tuned; leave it out")
    for name in ALONE:
        if name in options:
            raise UsageError(f"--{name.replace('_', '-')}: fine-tuning for int8 works on one device; leave it out")
    first = check_source(source)
    if options.get("out") is None:
        options["out"] = source.resolve().with_name(f"{source.resolve().name}-qat")
    start = {
        "epochs": EPOCHS,
        "patience": PATIENCE,
        "learning_rate": float(first["learning_rate"]) * RATE_SHARE,
        "schedule": "cosine",
        "tuned_from": source.resolve(),
        "start_from": None,
        "freeze": 0,
        "backbone_rate": None,
    }
    config = make_config(**(first | start | ALONE | options))
    run = cast(Path, config.out)
    check_free(run)
    return tune(config, run, report, begun=False)


def tune(config: TrainingConfig, run: Path, report: Report, begun: bool) -> Path:
    """Fine-tune as the config says, or go on with it where it has `begun`."""
    source = cast(Path, config.tuned_from)
    set_up(config)
    spec = read_spec(source / "model.json")
    data = open_data(config.data, config.task, config.seed)
    resolved = resolve(config, data.task, data.side)
    trainer = make_trainer(config, resolved, partial_folder(run), report)
    images = frame_parts(data, config, resolved, spec.input, report)
    report(f"{source}: preparing the phone-ready program and calibrating it")
    images_of_run = find_calibration_images(source / "calibration", MOST_CALIBRATION_IMAGES)
    calibration = calibration_tensors(images_of_run, spec.input)
    prepared = prepare(load_program(source / "network.pt2"), spec, calibration)
    plain = quantize(prepared, calibration)
    prepared = plain.prepared  # the ranges are those of its weights
    module = Pixels(prepare_qat(prepared, plain.ranges))
    optimiser = make_optimiser(config, resolved, data, images)
    setup = TrainingSetup(
        config, resolved, data, spec, _module_of(module, spec, optimiser, config.seed, images), trainer, images
    )
    with nullcontext() if begun else beginning(run, config):
        judge = _judge_of(setup, run)
        ptq = Int8Candidate(prepared, plain.ranges, *judge(plain.folded))
        fit(setup, run)
        best = read_checkpoint(best_checkpoint(partial_folder(run)), f"delete {partial_folder(run)} and begin anew")
        setup.lightning_module.load_state_dict(best["state_dict"])
        tuned = fine_tuned(prepared, module.program.cpu())
        ranges = ranges_of(module.program)
        qat = Int8Candidate(tuned, ranges, *judge(quantize(tuned, None, ranges).folded))
        winner, name = (qat, "qat") if is_better(qat, ptq) else (ptq, "ptq")
        _report_winner(name, ptq, qat, report)
        return _write(setup, run, winner, judge, {"winner": name, "ptq": ptq, "qat": qat})


def is_better(one: Int8Candidate, other: Int8Candidate) -> bool:
    """By the validation metric of the int8 program; a classifier's equal accuracies are told apart by the loss."""
    return one.validation[MONITOR] > other.validation[MONITOR]


def _module_of(
    network: nn.Module, spec: ModelSpec, optimiser: Optimiser, seed: int, images: dict[str, FramedImages]
) -> TrainingModule:
    """The program behind the same loss and metrics; it takes pixels as they are, 0..255."""
    taken = spec.input.model_copy(
        update={"value_range": (0.0, 255.0), "mean": (0.0,) * len(spec.input.mean), "std": (1.0,) * len(spec.input.std)}
    )
    task = TASKS[spec.task]
    whole = Network(network, (0.0,) * 3, (1.0,) * 3, task.stride(spec))
    # The graph's reshapes are written for contiguous tensors.
    return task.module(whole, spec.model_copy(update={"input": taken}), optimiser, seed, images, False)


def _judge_of(setup: TrainingSetup, run: Path) -> Any:
    """A function that gives the validation and test metrics of a program that takes one image at a time."""
    from torchao.quantization.pt2e import allow_exported_model_train_eval

    def judge(program: GraphModule) -> tuple[dict[str, float], dict[str, float]]:
        network = Pixels(allow_exported_model_train_eval(program))
        optimiser = Optimiser(setup.resolved.learning_rate, 0.0, "constant")
        lightning_module = _module_of(network, setup.spec, optimiser, setup.config.seed, setup.images)
        validation, test = (
            make_loader(
                setup.images[part],
                TASKS[setup.resolved.task].collate,
                1,
                shuffle=False,
                processes=0,
                seed=setup.config.seed,
                single=True,
            )
            for part in ("validation", "test")
        )
        with interruptible(setup.trainer, run):
            return (
                dict(setup.trainer.validate(lightning_module, validation, verbose=False)[0]),
                dict(setup.trainer.test(lightning_module, test, verbose=False)[0]),
            )

    return judge


def _report_winner(name: str, ptq: Int8Candidate, qat: Int8Candidate, report: Report) -> None:
    for title, candidate in (("PTQ", ptq), ("QAT", qat)):
        figures = plain_metrics(candidate.validation, candidate.test)
        report(f"int8 {title}: " + "  ".join(f"{key} {value:.4f}" for key, value in figures.items()))
    report(f"{name.upper()} is better on the validation images and is kept")


def _write(setup: TrainingSetup, run: Path, winner: Int8Candidate, judge: Any, verdict: dict[str, Any]) -> Path:
    """Complete the new run: the winner's float network and ranges, and both candidates' metrics."""
    source, partial = cast(Path, setup.config.tuned_from), partial_folder(run)
    exported, spec = as_network(winner.prepared)
    torch.export.save(exported, partial / "network.pt2")
    (partial / "quantization.json").write_text(winner.ranges.to_json())
    shutil.copytree(source / "calibration", partial / "calibration", dirs_exist_ok=True)
    if verdict["winner"] == "ptq":
        shutil.copyfile(source / CHECKPOINT, partial / "checkpoints" / "best.ckpt")
    metrics = plain_metrics(*judge(winner.prepared.module))
    quantization = {
        "winner": verdict["winner"],
        "from": str(source),
        "int8": {name: plain_metrics(verdict[name].validation, verdict[name].test) for name in ("ptq", "qat")},
    }
    config = setup.config.model_dump(mode="json") | setup.resolved.model_dump(mode="json")
    return finish_run(partial, run, spec, config, data_record(setup), metrics, {"quantization": quantization})
