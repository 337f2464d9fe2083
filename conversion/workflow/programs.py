"""The programs that a worker makes its items from: prepared, quantized, mixed; each once, when it is first needed."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from samesight.conversion.precisions import PRECISIONS, PrecisionName
from samesight.conversion.qparams import UInt8
from samesight.conversion.quantization.recipe import FILE as RECIPE_FILE
from samesight.conversion.quantization.recipe import Recipe, read_recipe
from samesight.conversion.sources.calibration import calibration_tensors
from samesight.conversion.workflow.mixing import MIXED
from samesight.conversion.workflow.worker_protocol import Emit, Event, Job

if TYPE_CHECKING:
    from samesight.conversion.preparation.prepare import Prepared
    from samesight.conversion.quantization.quantize import Quantized

SAMPLES = 8


@dataclass
class Programs:
    """The programs that the items of one job are made from, each prepared when it is first needed."""

    job: Job
    emit: Emit

    @cached_property
    def prepared(self) -> "Prepared":
        """The prepared program, proven equal to the original."""
        from samesight.conversion.preparation.prepare import prepare
        from samesight.conversion.sources.server_model import load_program

        self.emit(Event(kind="step", text="preparing"))
        return prepare(load_program(Path(self.job.network)), self.job.spec, self.samples)

    @cached_property
    def quantized(self) -> "Quantized":
        """The one quantized program."""
        from samesight.conversion.quantization.quantize import quantize, read_ranges

        prepared = self.prepared
        self.emit(Event(kind="step", text="calibrating"))
        ranges = read_ranges(Path(self.job.ranges)) if self.job.ranges else None
        kept = Path(self.job.kept_calibration) if self.job.kept_calibration else None
        return quantize(prepared, None if ranges else self.inputs(), ranges, kept)

    @cached_property
    def mixed(self) -> "Quantized":
        """The quantized program of the recipe."""
        from samesight.conversion.quantization.layers import node_schemes
        from samesight.conversion.quantization.mixed import quantize_mixed

        schemes = node_schemes(self.recipe, self.prepared.module, RECIPE_FILE)
        images = self.inputs() if self.job.calibration else None
        return quantize_mixed(self.quantized, schemes, images)

    @cached_property
    def wide(self) -> "Quantized":
        """The quantized program with int16 activations."""
        from samesight.conversion.quantization.mixed import quantize_wide

        return quantize_wide(self.quantized, self.inputs() if self.job.calibration else None)

    @cached_property
    def recipe(self) -> Recipe:
        """That of mixed artifacts."""
        assert self.job.recipe is not None
        return read_recipe(Path(self.job.recipe))

    def quantized_at(self, precision: PrecisionName) -> "Quantized | None":
        """The quantized program of a precision; None for one that is lowered from the float program."""
        if not PRECISIONS[precision].calibrated:
            return None
        programs = {MIXED: lambda: self.mixed, "w8a16": lambda: self.wide}
        return programs[precision]() if precision in programs else self.quantized

    @cached_property
    def samples(self) -> UInt8 | None:
        """Some calibration inputs, to prove the prepared program and to run files on that were just made."""
        return self.inputs(SAMPLES) if self.job.calibration else None

    def inputs(self, count: int | None = None) -> UInt8:
        """The input tensors of the first `count` calibration images, or of all: uint8 [n, H, W, C]."""
        spec = self.job.spec.input
        return calibration_tensors([Path(path) for path in self.job.calibration[:count]], spec)
