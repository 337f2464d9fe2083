"""Has the app on a phone do what a person does by hand: open a packed bundle, run the self-test.

`am start` names an errand by a token; the app's Errand.kt does it and writes how it goes beside the pack, in a folder
of its own that adb reaches by `run-as`, in debug builds alone. A token is used once, so that no earlier results are
taken for those of this run.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from samesight.contract.errors import SamesightError, UsageError
from samesight.contract.files import file_sha256, write_atomically
from samesight.contract.text import one_line
from samesight.conversion.device.adb import SECONDS, Bridge, ShellError

PACKAGE = "samesight.app"
# Sample apps of other identifiers keep their classes' names.
ACTIVITY = "samesight.app.MainActivity"
FOLDER = "files/errands"
TOKEN, TESTS, MODEL = "samesight.errand", "samesight.test", "samesight.model"
# What a command may take that starts the app or reads what it wrote; and until the app says its first word.
START_SECONDS = 60.0
ANSWER_SECONDS = 60.0
POLL_SECONDS = 1.0
# Slower than any cable; what a transfer may take beside what every command may.
BYTES_PER_SECOND = 1e6


@dataclass(frozen=True)
class Errand:
    """One errand: the phone, the app's identifier and the errand's token."""

    bridge: Bridge
    package: str
    token: str

    def file(self, suffix: str) -> str:
        """A file of this errand, seen from the app's own folder."""
        return f"{FOLDER}/{self.token}.{suffix}"

    def as_app(self, command: str, doing: str, seconds: float = SECONDS, stdin: Path | None = None) -> str:
        """What a command writes that runs as the app and in its folder (errors as of `Bridge.shell`)."""
        return self.bridge.shell(f"run-as {self.package} sh -c '{command}'", doing, seconds, stdin)


def check_package(package: str) -> str:
    """The identifier of an app, which becomes part of commands.

    Raises:
        UsageError: it is none.
    """
    words = package.split(".")
    if len(words) < 2 or not all(word.isascii() and word.isidentifier() for word in words):
        raise UsageError(f"--app {package}: an app's identifier has words with dots between them: com.example.app")
    return package


def open_pack(bridge: Bridge, package: str, pack: Path) -> str:
    """Have the app take in a packed bundle; the name of its model.

    Raises:
        SamesightError: the phone went away, is full, or the app refuses the pack; nothing stays of it then.
    """
    with _errand(bridge, package) as errand:
        _send(errand, pack)
        _start(errand)
        return _wait(errand, "opened", START_SECONDS + pack.stat().st_size / BYTES_PER_SECOND, lambda done, total: None)


def self_test(
    bridge: Bridge,
    package: str,
    model: str,
    results: Path,
    seconds: float,
    pack: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Run the app's self-test of a model, of `pack` where one is given; writes `results`, whole or not at all.

    Raises:
        SamesightError: the phone went away or the app ended, refused, or took more than `seconds`.
    """
    with _errand(bridge, package) as errand:
        if pack:
            _send(errand, pack)
        _start(errand, model)
        _wait(errand, "tested", seconds, progress)
        _fetch(errand, results)


@contextmanager
def _errand(bridge: Bridge, package: str) -> Iterator[Errand]:
    """A new errand; its files on the phone are taken away after it, however it ends."""
    errand = Errand(bridge, package, secrets.token_hex(8))
    try:
        yield errand
    finally:
        # A phone that went away keeps them; the app removes them at the next errand.
        with suppress(SamesightError):
            errand.as_app(f"rm -f {errand.file('*')}", "taking files away")


def _send(errand: Errand, pack: Path) -> None:
    doing = "sending the bundle"
    size = pack.stat().st_size
    part = errand.file("part")
    seconds = SECONDS + size / BYTES_PER_SECOND
    errand.as_app(f"mkdir -p {FOLDER} && cat > {part}", doing, seconds, pack)
    said = errand.as_app(f"sha256sum {part}", doing, seconds).split()
    if not said or said[0] != file_sha256(pack):
        raise SamesightError(
            f"{errand.bridge.serial}: the bundle did not arrive whole; check the cable and the phone's room"
        )
    errand.as_app(f"mv {part} {errand.file('zip')}", doing)


def _start(errand: Errand, model: str | None = None) -> None:
    extras = f"--es {TOKEN} {errand.token}"
    if model is not None:
        extras += f" --ez {TESTS} true --es {MODEL} {_quoted(model)}"
    doing = "starting the app"
    text = errand.bridge.shell(f"am start -n {errand.package}/{ACTIVITY} {extras}", doing, START_SECONDS, check=False)
    # Old phones' `am` ends with 0 however it went.
    if problem := next((line for line in text.splitlines() if line.startswith(("Error", "Exception", "java."))), None):
        raise SamesightError(
            f"{errand.bridge.serial}: the app {errand.package} does not start ({one_line(problem)}); install it anew"
        )


def _wait(errand: Errand, word: str, seconds: float, progress: Callable[[int, int], None]) -> str:
    """What follows `word` in the app's last line; waits for it."""
    begun = time.monotonic()
    heard = False
    while True:
        said = _said(errand)
        first, _, rest = said.partition(" ")
        if first == word:
            return rest
        serial = errand.bridge.serial
        if first == "failed":
            raise SamesightError(f"{serial}: the app says: {one_line(rest)}")
        match rest.split(" ", 2):
            case [done, total, *_] if first == "running" and done.isdigit() and total.isdigit():
                heard = True
                progress(int(done), int(total))
        doing = f"while it ran {rest.split(' ', 2)[2]}" if heard and rest.count(" ") > 1 else "before it began"
        waited = time.monotonic() - begun
        if heard and not _alive(errand):
            if _said(errand) != said:
                continue
            raise SamesightError(
                f"{serial}: the app ended {doing}; `adb -s {serial} logcat -d -b crash` says why; run it again: "
                "what made the app crash is skipped then"
            )
        if not heard and waited > ANSWER_SECONDS:
            raise SamesightError(
                f"{serial}: the app does not answer; unlock the phone, or install the app of this version of samesight"
            )
        if waited > seconds:
            raise SamesightError(
                f"{serial}: the app did not end within {seconds:.0f} s ({doing}); give a longer --timeout"
            )
        time.sleep(POLL_SECONDS)


def _said(errand: Errand) -> str:
    said = errand.as_app(f"cat {errand.file('said')} 2>/dev/null; true", "waiting for the app")
    return said.strip("\n")


def _alive(errand: Errand) -> bool:
    return bool(errand.bridge.shell(f"pidof {errand.package}", "looking for the app", check=False).strip())


def _fetch(errand: Errand, results: Path) -> None:
    doing = "fetching the results"
    try:
        text = errand.as_app(f"cat {errand.file('json')}", doing, START_SECONDS)
        hashed = errand.as_app(f"sha256sum {errand.file('json')}", doing).split()
    except ShellError as error:
        raise SamesightError(f"{error}; run the self-test again") from None
    data = text.encode()
    if not hashed or hashed[0] != hashlib.sha256(data).hexdigest():
        raise SamesightError(f"{errand.bridge.serial}: the results did not arrive whole; run the self-test again")
    write_atomically(results, data)


def _quoted(text: str) -> str:
    """A word of a command of the phone's shell."""
    return "'" + text.replace("'", "'\\''") + "'"
