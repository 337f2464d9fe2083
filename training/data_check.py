"""What is said about the data before a training: images left out, classes that are few, uneven or not tested."""

from collections.abc import Sequence

from samesight.contract.text import printable
from samesight.datasets.damaged import Damaged, DamagedImages
from samesight.datasets.example import Example
from samesight.datasets.notes import count, some
from samesight.training.callbacks import Report
from samesight.training.dataset import FramedImages

# A class with this many times the images of another one is worth a word.
UNEVEN = 3.0
MOST_COUNTS = 12


def limited(examples: Sequence[Example], limit: int | None) -> Sequence[Example]:
    """At most `limit` examples, spread evenly: in a folder's data those of one class stand together."""
    if limit is None or limit >= len(examples):
        return examples
    return [examples[i * len(examples) // limit] for i in range(limit)]


def check_damaged(images: dict[str, FramedImages], source: str, skip: bool, report: Report) -> None:
    """Name the images that cannot be read, and go on without them if that is asked for.

    Raises:
        DamagedImages: some cannot be read, and `skip` is not set; or a part has no other.
    """
    damaged: list[Damaged] = [one for part in images.values() for one in part.damaged]
    if not damaged:
        return
    if not skip:
        raise DamagedImages(
            source, damaged, "replace or remove what is damaged, or leave it out by --skip-damaged (--json lists all)"
        )
    empty = [name for name, part in images.items() if not part.examples]
    if empty:
        raise DamagedImages(source, damaged, f"nothing else is left of the part {' and '.join(empty)}")
    report(
        f"left out, damaged (--skip-damaged): {count(len(damaged), 'image')}, {some([one.name for one in damaged])}; "
        f"{len(images['train'].examples):,} remain to train on"
    )


def class_lines(images: dict[str, FramedImages], labels: Sequence[str], weighted: bool) -> list[str]:
    """How many images, or boxes, each class has to train on, and which classes that is too few for."""
    counts = images["train"].class_counts(len(labels))
    tested = images["test"].class_counts(len(labels))
    order = sorted(range(len(labels)), key=lambda index: -counts[index])
    most, least = order[0], order[-1]
    if len(labels) <= MOST_COUNTS:
        each = ", ".join(f"{label} {number:,}" for label, number in zip(labels, counts, strict=True))
    else:
        each = f"{counts[least]:,} ({labels[least]}) to {counts[most]:,} ({labels[most]})"
    lines = [f"to train on, by class: {printable(each)}"]
    if missing := [label for label, number in zip(labels, counts, strict=True) if not number]:
        lines.append(f"nothing to train on: {some(missing)}; these classes will not be learnt")
    fewest = min((number for number in counts if number), default=0)
    if fewest and counts[most] >= UNEVEN * fewest:
        advice = "they count alike in the loss (--class-weights)" if weighted else "--class-weights evens the loss"
        lines.append(f"the classes are uneven, {counts[most] / fewest:.0f} to 1; {advice}")
    if untested := [label for label, number in zip(labels, tested, strict=True) if not number]:
        lines.append(f"nothing to test: {some(untested)}; no metric says how well these classes are told apart")
    return lines


def balanced_weights(counts: Sequence[int]) -> tuple[float, ...]:
    """A factor for each class in the loss, so that all classes count alike: n / (classes · count).

    Classes without an image have 0. Source: scikit-learn's `class_weight="balanced"`, after G. King and L. Zeng,
    "Logistic Regression in Rare Events Data", Political Analysis 9 (2001).
    """
    present = sum(number > 0 for number in counts)
    return tuple(sum(counts) / (present * number) if number else 0.0 for number in counts)
