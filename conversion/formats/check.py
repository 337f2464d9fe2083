"""What was just written is run by its own runtime: a file that phones cannot run is refused where it is made.

An int8 file is also held against the quantized program that it was made from. Converters quantize on their own what the
program leaves open, and some do it wrongly: where the file departs, the first operator that does is named.
"""

import numpy as np

from samesight.contract.errors import SamesightError
from samesight.conversion.formats import Format
from samesight.conversion.formats.interface import Lowered, Lowering
from samesight.conversion.formats.refusal import refusal
from samesight.conversion.qparams import Float32, UInt8
from samesight.conversion.quiet import mute
from samesight.conversion.runners import runner_of
from samesight.conversion.snr import ratios

IMAGES = 8
LAYER_IMAGES = 2
SUSPICIOUS_DB = 15.0
"""An int8 file that follows its program is above this; deep networks whose ties add up may be below."""
WRONG_DB = 25.0
"""A float output behind the last quantized value is this near, about zero, however little it changes."""
SAME_STEPS, DEPARTED_STEPS = 0.5, 3.0
"""Mean distances, in steps, of a value that follows the program (ties), and of one that does not."""


def check_file(form: Format, lowered: Lowered, job: Lowering, images: UInt8 | None) -> None:
    """Run a file that was just made; `images` are calibration inputs, uint8 [n, H, W, C].

    Formats whose runtime is not here, or is emulated, are left to `verify`.

    Raises:
        SamesightError: its runtime refuses it, or an int8 file departs from its program at one operator.
    """
    runner = runner_of(form.name)
    if not runner.timed or runner.missing():
        return
    spec = job.spec.input
    samples = np.zeros((1, spec.height, spec.width, spec.channel_count), np.uint8) if images is None else images
    try:
        with mute():
            run = runner.load(lowered.path, lowered)
            outputs = [run(sample) for sample in samples[: IMAGES if job.integer else 1]]
    except Exception as error:  # runtimes raise anything
        raise refusal(f"{form.title}'s runtime", job.prepared.exported, error) from error
    if job.integer and images is not None:
        expected = _program_outputs(job, images[:IMAGES])
        actual = [np.concatenate([output[role] for output in outputs]) for role in job.spec.roles]
        figures = [ratios(*pair) for pair in zip(expected, actual, strict=True)]
        if min(about_mean for about_mean, _ in figures) < SUSPICIOUS_DB:
            _refuse_departure(form, job, images[:LAYER_IMAGES], min(about_zero for _, about_zero in figures))


def _program_outputs(job: Lowering, images: UInt8) -> list[Float32]:
    import torch

    from samesight.conversion.preparation.prepare import pixels_of

    assert job.quantized is not None
    with torch.no_grad():
        outputs = [job.quantized.folded(pixels_of(image[None])) for image in images]
    return [np.concatenate([each[position].numpy() for each in outputs]) for position in range(len(job.spec.roles))]


def _refuse_departure(form: Format, job: Lowering, images: UInt8, ratio: float) -> None:
    """Find where the file departs, value by value.

    Raises:
        SamesightError: naming the operator; if none stands out, nothing is raised and `verify` judges.
    """
    from samesight.conversion.formats.int8_layers import departures
    from samesight.conversion.preparation.graph import module_of, operator_name

    assert job.quantized is not None
    kind = form.suffix[1:]
    found = departures(job.prepared, job.quantized, images, ("torch", kind))
    means = [departure.mean["torch", kind] for departure in found]
    first = next((position for position, mean in enumerate(means) if mean > SAME_STEPS), None)
    if first is None and ratio < WRONG_DB:
        output = next(iter(reversed(job.prepared.module.graph.nodes))).args[0][0]
        where = f"{operator_name(output)} in {module_of(output)}, or what stands before it"
    elif first is not None and means[first] > DEPARTED_STEPS:
        where = f"{found[first].tap.operator} in {found[first].tap.module}"
    else:
        return
    raise SamesightError(
        f"{form.title} computes {where} otherwise than the int8 program ({ratio:.1f} dB); "
        f"write that module with other operators, or leave {form.suffix} out of int8 with --to or --precision"
    )
