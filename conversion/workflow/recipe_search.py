"""Searches a recipe for a source: on its validation images, or on its calibration images where it has no labels."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from samesight.contract.errors import SamesightError
from samesight.contract.gates import GATES
from samesight.contract.image import Picture, load_picture
from samesight.contract.orientation import Orientation
from samesight.contract.preprocess import preprocess
from samesight.contract.spec import ModelSpec
from samesight.conversion.preparation.prepare import pixels_of
from samesight.conversion.quantization.quantize import Quantized
from samesight.conversion.quantization.recipe import Recipe
from samesight.conversion.quantization.search import Budget, Evidence, search
from samesight.conversion.workflow.mixing import MIXED
from samesight.conversion.workflow.search_job import SearchJob
from samesight.datasets import open_data
from samesight.datasets.damaged import readable

MOST_IMAGES = 400
UPRIGHT = Orientation(0, False)


def find_recipe(
    job: SearchJob, quantized: Quantized, calibration: Sequence[Path], on_step: Callable[[str], None]
) -> Recipe:
    """Search.

    Raises:
        SamesightError: no recipe meets the budget, or the validation images are not here.
    """
    evidence = _evidence(job, quantized.spec, calibration)
    return search(quantized, evidence, job.schemes, GATES[MIXED], Budget(job.max_drop, job.max_bytes), on_step)


def _evidence(job: SearchJob, spec: ModelSpec, calibration: Sequence[Path]) -> Evidence:
    if job.source is None:
        pictures = [load_picture(path, spec.input.background) for path in calibration]
        examples = []
    else:
        opened = open_data(job.source, spec.task, job.seed)
        if opened.labels != spec.labels:
            raise SamesightError(
                f"{job.source}: its classes are not the model's, so no search can be judged on it; "
                "convert where the data of the run is"
            )
        validation = readable(opened.validation) if job.skip_damaged else list(opened.validation)
        examples = validation[:: max(1, len(validation) // MOST_IMAGES)][:MOST_IMAGES]
        pictures = [Picture(example.pixels, UPRIGHT) for example in examples]
    inputs = [preprocess(picture, spec.input) for picture in pictures]
    return Evidence(
        pixels_of(np.stack([tensor for tensor, _ in inputs])), [geometry for _, geometry in inputs], examples
    )
