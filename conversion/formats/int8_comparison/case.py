"""What is compared: a trained network with its calibration images, and what its answers are judged on."""

import copy
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from samesight.contract.answers import Answer, answers
from samesight.contract.errors import UsageError
from samesight.contract.gates import GATES
from samesight.contract.image import Picture
from samesight.contract.preprocess import preprocess
from samesight.contract.spec import ModelSpec, Role, read_spec
from samesight.conversion.preparation.prepare import Prepared, pixels_of, prepare
from samesight.conversion.qparams import UInt8
from samesight.conversion.quantization.quantize import Quantized, quantize
from samesight.conversion.quantization.search import Evidence
from samesight.conversion.quiet import quiet
from samesight.conversion.snr import role_figures
from samesight.conversion.sources.calibration import calibration_tensors, find_calibration_images
from samesight.conversion.sources.server_model import load_program
from samesight.conversion.sources.source import open_source
from samesight.conversion.tasks import TASKS
from samesight.conversion.tasks.agreement import Agreement
from samesight.conversion.tasks.bootstrap import metric_value
from samesight.datasets import open_data
from samesight.datasets.example import LabelledImage

Array = npt.NDArray[Any]
Program = Callable[[UInt8], list[Array]]
"""Takes images, uint8 [n,H,W,C]; returns one array [n, ...] per role."""


@dataclass(frozen=True, eq=False)
class Figures:
    """How near a program is to the float program on the test images.

    Attributes:
        decibels: signal-to-noise ratio of the output that is nearest to noise.
        equal: share of answers that are the float program's, by the task's rule and the overlap of int8's gate.
        lost: points (0..100) of the task's metric that the float program has more.
        noises: float64 [roles, images], the mean squared error of each output of each image.
        signals: float64 [roles], the mean energy of the float program's outputs about each channel's mean.
    """

    decibels: float
    equal: float
    lost: float
    noises: Array
    signals: Array


@dataclass(frozen=True, eq=False)
class Case:
    """One network.

    Attributes:
        name: of its run.
        prepared: the float program.
        calibration: uint8 [n,H,W,C], the contract's input tensors.
        validation: what a search for a recipe may look at.
        test: what judges.
        tensors: uint8 [n,H,W,C], the test images.
    """

    name: str
    prepared: Prepared
    calibration: UInt8
    validation: Evidence
    test: Evidence
    tensors: UInt8

    @property
    def spec(self) -> ModelSpec:
        """Of the model."""
        return self.prepared.spec

    @cached_property
    def quantized(self) -> Quantized:
        """What samesight makes of it."""
        return quantize(self.prepared, self.calibration)

    @cached_property
    def onnx(self) -> bytes:
        """The ONNX file of the float program; its input `image` is float32 [1,C,H,W], values 0..255."""
        with tempfile.TemporaryDirectory() as folder, quiet():
            path = Path(folder, "float.onnx")
            torch.onnx.export(
                copy.deepcopy(self.prepared.exported),
                (self.prepared.example,),
                path,
                input_names=["image"],
                dynamo=True,
                external_data=False,
            )
            return path.read_bytes()

    @cached_property
    def expected(self) -> dict[Role, Array]:
        """The float program's outputs."""
        return self._by_role(of_torch(self.prepared.module)(self.tensors))

    def judge(self, program: Program) -> Figures:
        """Run a program on the test images."""
        actual = self._by_role(program(self.tensors))
        task, spec = TASKS[self.spec.task], self.spec
        ratios = [
            role_figures(role, list(self.expected[role][:, None]), list(actual[role][:, None])).snr_db
            for role in spec.roles
        ]
        expected_answers, actual_answers = self._answers(self.expected), self._answers(actual)
        agreement = Agreement(spec.task, GATES["int8"].iou)
        for one, other in zip(expected_answers, actual_answers, strict=True):
            agreement.add(task.shown_answers(one, spec), task.shown_answers(other, spec))
        metrics = [
            metric_value(each, self.test.examples, task.ranking_spec(spec))
            for each in (expected_answers, actual_answers)
        ]
        return Figures(
            min((ratio for ratio in ratios if ratio is not None), default=math.inf),
            1.0 if agreement.share is None else agreement.share,
            100 * (metrics[0] - metrics[1]),
            np.stack([_by_image((actual[role] - self.expected[role]) ** 2) for role in spec.roles]),
            np.array([_about_channels(self.expected[role]) for role in spec.roles]),
        )

    def _by_role(self, outputs: list[Array]) -> dict[Role, Array]:
        return dict(zip(self.spec.roles, outputs, strict=True))

    def _answers(self, outputs: dict[Role, Array]) -> list[list[Answer]]:
        spec = TASKS[self.spec.task].ranking_spec(self.spec)
        return [
            answers({role: np.ascontiguousarray(values[n : n + 1]) for role, values in outputs.items()}, spec, geometry)
            for n, geometry in enumerate(self.test.geometries)
        ]


def _by_image(values: Array) -> Array:
    return values.reshape(len(values), -1).mean(1, dtype=np.float64)


def _about_channels(values: Array) -> float:
    channels = values.reshape(-1, values.shape[-1])
    return float(((channels - channels.mean(0, dtype=np.float64)) ** 2).mean())


def of_torch(module: torch.nn.Module) -> Program:
    """A program that torch runs, image by image."""

    def run(images: UInt8) -> list[Array]:
        with torch.no_grad():
            parts = [module(pixels_of(image[None])) for image in images]
        return [torch.cat(role).numpy() for role in zip(*parts, strict=True)]

    return run


def open_case(run: Path, most: int) -> Case:
    """A run of `samesight train` with at most so many of its validation and of its test images.

    Raises:
        SamesightError: it is none, or its data is not here.
    """
    data = open_source(str(run)).data
    if data is None:
        raise UsageError(f"{run}: its data is not known; give a run of samesight train")
    spec = read_spec(run / "model.json")
    calibration = calibration_tensors(find_calibration_images(run / "calibration"), spec.input)
    prepared = prepare(load_program(run / "network.pt2"), spec)
    opened = open_data(data.source, spec.task, data.seed)
    validation, _ = _evidence(opened.validation, spec, most)
    test, tensors = _evidence(opened.test, spec, most)
    return Case(run.name, prepared, calibration, validation, test, tensors)


def _evidence(part: Sequence[LabelledImage], spec: ModelSpec, most: int) -> tuple[Evidence, UInt8]:
    examples = [part[number] for number in range(min(most, len(part)))]
    inputs = [preprocess(Picture(np.asarray(example.pixels)), spec.input) for example in examples]
    tensors = np.stack([tensor for tensor, _ in inputs])
    return Evidence(pixels_of(tensors), [geometry for _, geometry in inputs], examples), tensors
