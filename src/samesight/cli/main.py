"""The command line: `samesight VERB …`. Each verb's module is imported only when the verb is used."""

import importlib
import logging
import os
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import click

from samesight.cli.terminal import cleaned
from samesight.contract.errors import SamesightError
from samesight.contract.text import printable
from samesight.conversion.workflow import interrupts

VERBS: dict[str, tuple[str, str]] = {
    "train": ("samesight.cli.train", "Train a classifier or a detector: images become a run."),
    "spec": ("samesight.cli.spec", "Look at a network and propose its model.json."),
    "convert": ("samesight.cli.convert", "Convert a run to phone formats: a run becomes a bundle."),
    "verify": ("samesight.cli.verify", "Measure every artifact of a bundle against the server model."),
    "diagnose": ("samesight.cli.diagnose", "Say what is wrong in the code that gave these answers."),
    "predict": ("samesight.cli.predict", "Answer images with a bundle's artifact or a run."),
    "inspect": ("samesight.cli.inspect", "Show what a run or a bundle holds."),
    "bench": ("samesight.cli.bench", "Time the artifacts of a bundle on this CPU, as ratios."),
    "routes": ("samesight.cli.routes", "Compare other ways to TFLite: onnx-tf, onnx2tf and TensorFlow."),
    "coreml": ("samesight.cli.coreml", "Run a Core ML package without a Mac, and compare it with a run."),
    "report": ("samesight.cli.report", "Write one self-contained HTML page about a bundle."),
    "pack": ("samesight.cli.pack", "Make one file of a bundle for a phone to open, or unpack it."),
    "keys": ("samesight.cli.keys", "Make keys to sign packs with."),
    "install": ("samesight.cli.install", "Copy a bundle into an app's sources, or take it out again."),
    "app": ("samesight.cli.app", "Write a sample app as the beginning of your own."),
    "device": ("samesight.cli.device", "Push bundles to a phone, run the self-test there, time artifacts (adb)."),
    "setup": ("samesight.cli.setup", "Install a tool that no Python package brings, in a folder of its own."),
    "doctor": ("samesight.cli.doctor", "Show what is ready on this machine, and how to get what is not."),
    "zoo": ("samesight.cli.zoo", "Convert public architectures to every format, and show what came out."),
    "demo": ("samesight.cli.demo", "Train, convert and verify a classifier and a detector."),
}


class LazyGroup(click.Group):
    """A group whose verbs are listed from a table and imported when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order of the work."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the verb's module; its command has the verb's name."""
        if name not in VERBS:
            return None
        command = getattr(importlib.import_module(VERBS[name][0]), name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest verb in the message for one that does not exist."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], VERBS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; choose among {', '.join(VERBS)}"
            raise click.UsageError(f"no verb {args[0]!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of verbs, without importing any."""
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, line) for verb, (_, line) in VERBS.items()])


HELP = """Takes a PyTorch vision model to phones and proves that the phone gives the server's answers.

\b
samesight demo                                    everything once, on real data
samesight train digits --out runs/digits          images become a run
samesight convert runs/digits --out digits        a run becomes a bundle, verified
samesight report digits                           look at it
"""


@click.group(
    cls=LazyGroup,
    help=HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`samesight VERB --help` shows a verb's options with examples.",
)
@click.version_option(package_name="samesight")
@click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
@click.option("--stats", is_flag=True, help="Print wall time and peak memory when done.")
def cli(debug: bool, stats: bool) -> None:
    """The command line (see `HELP`)."""


def print_stats(started: float) -> None:
    """Wall seconds, and the peak resident memory of this process and of its largest child (Linux: KiB)."""
    import resource

    own_peak, children_peak = (
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    click.echo(
        f"{time.perf_counter() - started:.2f} s, peak memory {own_peak / 2**20:.2f} GiB here, "
        f"{children_peak / 2**20:.2f} GiB in the largest child process",
        err=True,
    )


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a failure is one sentence, and with --debug a traceback before it."""
    started = time.perf_counter()
    arguments = sys.argv[1:] if arguments is None else arguments
    leading = arguments[: next((i for i, argument in enumerate(arguments) if argument in VERBS), len(arguments))]
    with cleaned():
        code = _run(arguments, "--debug" in leading)
        if "--stats" in leading:
            print_stats(started)
    sys.exit(code)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Libraries' warnings, about their next versions as a rule, are not for people: neither raised nor logged ones."""
    last = logging.lastResort
    level = last.level if last else logging.WARNING
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if last:
            last.setLevel(logging.ERROR)
        try:
            yield
        finally:
            if last:
                last.setLevel(level)


def _run(arguments: list[str], debug: bool) -> int:
    """Run the command line and say what failed; the exit code."""
    try:
        with interrupts.remembered(), _without_warnings() if not (sys.warnoptions or debug) else nullcontext():
            code = _verb(arguments)
            interrupts.check()
    except (click.exceptions.Abort, KeyboardInterrupt):
        code = _fail("interrupted", 130)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        code = error.exit_code
    except click.UsageError as error:
        verb = error.ctx.command_path if error.ctx else "samesight"
        code = _fail(f"{error.format_message().rstrip('.')} (`{verb} --help` shows how)", error.exit_code)
    except click.ClickException as error:
        code = _fail(error.format_message(), error.exit_code)
    except SamesightError as error:
        code = _fail(str(error), error.exit_code, debug)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:
        code = _fail(f"{error.filename or 'the system'}: {error.strerror or error}", 1, debug)
    except Exception as error:
        sentence = f"unexpected {type(error).__name__}: {error} (a bug: `samesight --debug …` shows where)"
        code = _fail(sentence, 1, debug)
    return code


def _verb(arguments: list[str]) -> int:
    """Run the verb; its exit code, which some raise as SystemExit."""
    try:
        return cli.main(arguments, prog_name="samesight", standalone_mode=False) or 0
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)


def _fail(sentence: str, code: int, debug: bool = False) -> int:
    if debug:
        traceback.print_exc()
    click.echo(f"samesight: {printable(sentence)}", err=True)
    return code


if __name__ == "__main__":
    main()
