"""The labelled images on which a bundle is judged: its own test split made again, or other data."""

from collections.abc import Sequence

from samesight.contract.bundle import Bundle
from samesight.contract.errors import SamesightError
from samesight.conversion.parity.run import TestSplit, artifact_candidate, run_candidates
from samesight.conversion.runners import runner_of
from samesight.conversion.runners.isolated import Runtimes
from samesight.conversion.tasks import TASKS
from samesight.conversion.tasks.bootstrap import metric_value
from samesight.conversion.workflow.server_answers import (
    ServerAnswers,
    fingerprint_of,
    read_server_answers,
    server_answers,
)
from samesight.datasets import open_data
from samesight.datasets.damaged import readable
from samesight.datasets.example import LabelledImage


def find_test_split(bundle: Bundle, data: str | None = None) -> TestSplit | None:
    """The bundle's own test split, made again from its source and seed, or all images of other data.

    On other data the bundle's `.pt2`, which is the server model's program unchanged, computes the server's answers.

    Returns:
        None for a bundle that was made without test data.

    Raises:
        SamesightError: the data is not the test data of the conversion, or other data and no `.pt2`.
    """
    server, source = read_server_answers(bundle.folder), bundle.manifest.data
    if data is not None and (source is None or data != source.source):
        dataset = open_data(data, bundle.spec.task, source.seed if source else 0)
        if dataset.labels != bundle.spec.labels:
            raise SamesightError(f"{data}: its labels are not the model's ({', '.join(bundle.spec.labels[:5])} …)")
        examples = [*dataset.train, *dataset.validation, *dataset.test]
        return TestSplit(examples, _ask_server(bundle, examples), data)
    if server is None or source is None:
        return None
    test_examples = open_data(source.source, bundle.spec.task, source.seed).test
    if len(test_examples) > len(server.images):
        # A run that was trained with --skip-damaged left these out too; the fingerprint tells whether it did.
        test_examples = readable(test_examples)
    if len(test_examples) != len(server.images):
        raise SamesightError(
            f"{source.source}: has {len(test_examples)} test images, the server model answered {len(server.images)}; "
            "give the data that the run was trained on"
        )
    if fingerprint_of(test_examples) != server.fingerprint:
        raise SamesightError(
            f"{source.source}: its test images are not those that the server model answered (the data or the code that "
            "makes them was changed); convert again"
        )
    # Made once: each metric asks for the boxes of all images, and a scene would be drawn anew for each of them.
    return TestSplit(list(test_examples), server, source.source)


def _ask_server(bundle: Bundle, examples: Sequence[LabelledImage]) -> ServerAnswers:
    program = next((a for a in bundle.manifest.artifacts if a.format == "exported"), None)
    if program is None:
        raise SamesightError(
            f"{bundle.folder}: has no .pt2, through which the server model answers other data; convert --to pt2 too"
        )
    spec = TASKS[bundle.spec.task].ranking_spec(bundle.spec)
    candidate = artifact_candidate(Runtimes().load(runner_of(program.format), bundle.path(program), program))
    split = TestSplit(examples, server_answers(spec, 0.0, []), "")
    record = run_candidates({"server": candidate}, spec, [], split)["server"]
    if record.error:
        raise SamesightError(f"{program.name}: {record.error}; convert again")
    return server_answers(spec, metric_value(record.test, examples, spec), record.test)
