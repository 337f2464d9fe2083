"""The task metric of a model on labelled images, and the confidence interval of one model's loss against another."""

from collections.abc import Sequence

import numpy as np

from samesight.contract.spec import ModelSpec
from samesight.conversion.tasks import TASKS
from samesight.conversion.tasks.interface import Answers, Float64
from samesight.datasets.example import LabelledImage

SAMPLES = 1000
# Of n images of which none shows a loss, up to this many times 1 / n of others may (95 %).
RULE_OF_THREE = 3.0


def metric_value(predictions: Answers, examples: Sequence[LabelledImage], spec: ModelSpec) -> float:
    """The task metric, 0..1, of answers given under the task's `ranking_spec`."""
    return float(TASKS[spec.task].metric(predictions, examples, spec)(np.ones((1, len(examples))))[0])


def sampled_metric(predictions: Answers, examples: Sequence[LabelledImage], spec: ModelSpec) -> tuple[float, Float64]:
    """`metric_value`, and the same on bootstrap samples of the images [samples]."""
    weighted = TASKS[spec.task].metric(predictions, examples, spec)
    return float(weighted(np.ones((1, len(examples))))[0]), weighted(sample_weights(len(examples)))


def sample_weights(count: int, seed: int = 0) -> Float64:
    """How often each of `count` images is in each of 1000 samples drawn with replacement, [samples, images].

    The difference of two models' metrics on the same samples gives the paired percentile interval.
    Source: B. Efron and R. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    random = np.random.default_rng(seed)
    return random.multinomial(count, np.full(count, 1.0 / count), size=SAMPLES).astype(np.float64)


def interval(server: Float64, artifact: Float64, images: int) -> tuple[float, float]:
    """95 % interval of the artifact's loss, from both models' metrics on the same samples of `images` images.

    The bootstrap only knows what it saw: where no sample loses anything, its upper bound would be 0 however few the
    images are. By the rule of three, something that happened to none of n happens to at most 3 / n of all (95 %,
    from (1 - p)^n = 0.05), so that as much is added to the upper bound. For the mean average precision, to which an
    image may give more or less than 1 / n, this is an estimate.
    Source: J. A. Hanley and A. Lippman-Hand, "If nothing goes wrong, is everything all right?", JAMA 249 (1983), 1743.
    """
    drops = server - artifact
    low, high = np.percentile(drops, [2.5, 97.5])
    if no_loss_seen(drops):
        high += RULE_OF_THREE / images
    return float(low), float(min(high, 1.0))


def no_loss_seen(drops: Float64) -> bool:
    """Whether no sample of the images loses anything, but for the rounding of float64."""
    return bool(drops.max() <= 1e-12)
