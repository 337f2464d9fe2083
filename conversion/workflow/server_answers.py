"""server.json: the server model's answers on every image of the test split, and its metric there.

With it, `verify` compares artifacts image by image (agreement, paired bootstrap) without loading the server model.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from samesight.contract.answers import Answer
from samesight.contract.documents import Document, Strict, read_document
from samesight.contract.limits import TEST_ANSWERS_BYTES
from samesight.contract.spec import ModelSpec
from samesight.conversion.tasks import TASKS
from samesight.datasets.example import LabelledImage

FILE = "server.json"


class _Answer(Strict):
    index: int
    score: float
    box: tuple[float, float, float, float] | None = None


class ServerAnswers(Document):
    """Answers per test image in the order of the split, reduced by `TaskParity.stored_answers`.

    `fingerprint` shows whether a split that was made again has the same images, see `fingerprint_of`.
    """

    schema_version: Literal[1] = 1
    metric_name: str
    metric: float
    fingerprint: str
    images: tuple[tuple[_Answer, ...], ...]

    def answers(self, labels: Sequence[str]) -> list[list[Answer]]:
        """The answers with their labels."""
        return [[Answer(labels[a.index], a.index, a.score, a.box) for a in image] for image in self.images]


def server_answers(
    spec: ModelSpec, metric: float, images: Sequence[Sequence[Answer]], fingerprint: str = ""
) -> ServerAnswers:
    """Make the document, with each image's answers reduced by `TaskParity.stored_answers`."""
    task = TASKS[spec.task]
    stored_answers = [task.stored_answers(image) for image in images]
    return ServerAnswers(
        metric_name=task.metric_name,
        metric=metric,
        fingerprint=fingerprint,
        images=tuple(
            tuple(_Answer(index=a.index, score=a.score, box=a.box) for a in image) for image in stored_answers
        ),
    )


def fingerprint_of(examples: Sequence[LabelledImage]) -> str:
    """SHA-256 over the size and pixels of at most 16 examples, evenly spread."""
    digest = hashlib.sha256(str(len(examples)).encode())
    count = min(16, len(examples))
    for number in range(count):
        pixels = examples[number * len(examples) // count].pixels
        digest.update(str(pixels.shape).encode() + pixels.tobytes())
    return digest.hexdigest()


def read_server_answers(bundle: Path) -> ServerAnswers | None:
    """Read `server.json`; None for a bundle that was made without test data."""
    return read_document(ServerAnswers, bundle / FILE, TEST_ANSWERS_BYTES) if (bundle / FILE).exists() else None
