"""What `samesight spec` asks a person at a terminal: labels, normalisation and framing, where no option says them."""

import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from samesight.conversion.sources.proposal import Proposal
    from samesight.conversion.workflow.propose import FramingName, Known

T = TypeVar("T")
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
FRAMINGS = ("stretch", "crop", "letterbox")
LONGEST_SIDE = 8192


def size_of(text: str) -> tuple[int, int]:
    """`320` or `640x480` as width and height; BadParameter for anything else."""
    words = text.lower().split("x")
    if not all(word.isascii() and word.isdigit() and 0 < int(word) <= LONGEST_SIDE for word in words) or len(words) > 2:
        raise click.BadParameter(f"{text!r} is no size; give a side such as 320, or 640x480")
    return int(words[0]), int(words[-1])


def numbers_of(text: str, imagenet: tuple[float, ...], positive: bool = False) -> tuple[float, ...]:
    """Numbers separated by commas, or those of the word imagenet; BadParameter for anything else."""
    if text == "imagenet":
        return imagenet
    try:
        numbers = tuple(float(word) for word in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or not all(math.isfinite(number) for number in numbers):
        raise click.BadParameter(f"{text!r}: give a number per channel, as 0.5,0.5,0.5, or imagenet")
    if positive and min(numbers) <= 0:
        raise click.BadParameter(f"{text!r}: values are divided by these numbers; give some above 0")
    return numbers


def at_terminal() -> bool:
    """Whether a person can read questions and answer them."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(proposal: "Proposal", known: "Known") -> "Known":
    """What is known after a person has answered; an empty answer leaves a field as it was proposed.

    Args:
        proposal: by what is known so far; nothing is asked that it is certain of.
        known: the options.

    Raises:
        click.Abort: the person ended it by Ctrl-C or Ctrl-D.
    """
    try:
        return _asked(proposal, known)
    except click.Abort:
        click.echo(err=True)  # what is said next begins a line
        raise


def _asked(proposal: "Proposal", known: "Known") -> "Known":
    spec = proposal.spec
    fields = {remark.field for remark in proposal.remarks}
    channels = spec.input.channel_count
    if "input.width, height" in fields:
        size = f"{spec.input.width}x{spec.input.height}"
        known = replace(known, size=_prompt("Width and height of the input", size, size_of))
    if "labels" in fields:
        count = len(spec.labels)
        # A detector may have one channel more, for the background.
        counts = (count, count - 1) if spec.detection else (count,)
        text = (
            f"Names of the {count} classes: a file with one a line, or the names with commas between (empty: numbers)"
        )
        known = replace(known, labels=_prompt(text, "", lambda answer: _labels(answer, counts)) or None)
    if "input.mean, std" in fields:
        known = _normalisation(known, channels)
    if "input.framing, filter" in fields:
        text = "How do images get to that size: stretch, crop (their middle) or letterbox (all of it, with borders)"
        known = replace(known, framing=_prompt(text, "stretch", _framing))
    return known


def _normalisation(known: "Known", channels: int) -> "Known":
    def numbers(answer: str, place: int) -> tuple[float, ...]:
        values = numbers_of(answer, IMAGENET[place], positive=place == 1)
        if len(values) != channels:
            raise click.BadParameter(f"{answer!r}: the network takes {channels} channels; give a number for each")
        return values

    mean, std = known.mean, known.std
    if not mean:
        text = "Mean that the training subtracted, of values 0..1: a number per channel with commas, or imagenet"
        mean = _prompt(text, ",".join(["0"] * channels), lambda answer: numbers(answer, 0))
        std = std or (IMAGENET[1] if mean == IMAGENET[0] else None)
    if not std:
        text = "Deviation that the training divided by, likewise"
        std = _prompt(text, ",".join(["1"] * channels), lambda answer: numbers(answer, 1))
    return replace(known, mean=mean, std=std)


def _framing(answer: str) -> "FramingName":
    if answer not in FRAMINGS:
        raise click.BadParameter(f"{answer!r} is not one of {', '.join(FRAMINGS)}")
    return cast("FramingName", answer)


def _labels(answer: str, counts: tuple[int, ...]) -> tuple[str, ...]:
    from samesight.contract.errors import SamesightError
    from samesight.contract.text import label_problem
    from samesight.conversion.sources.labels import read_labels

    if not answer:
        return ()
    if _is_file(answer):
        try:
            labels = read_labels(Path(answer))
        except SamesightError as error:
            raise click.BadParameter(str(error)) from None
    else:
        labels = tuple(word.strip() for word in answer.split(","))
    if len(labels) not in counts:
        raise click.BadParameter(f"{answer!r}: neither a file nor the names of {counts[0]} classes")
    if problem := label_problem(labels):
        raise click.BadParameter(f"{answer!r}: {problem}")
    return labels


def _is_file(answer: str) -> bool:
    try:
        return Path(answer).is_file()
    except OSError:  # many names are longer than a file's name may be
        return False


def _prompt(text: str, default: str, parse: "Callable[[str], T]") -> T:
    while True:
        try:
            return click.prompt(text, default, show_default=bool(default), value_proc=parse, err=True)
        except UnicodeDecodeError:
            click.echo("Error: that is no text in UTF-8", err=True)
