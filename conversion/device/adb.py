"""Runs adb, Android's debug bridge, and says in a sentence what it means when something fails.

adb's words are those of its own program: `adb.cpp` and `transport.cpp` of packages/modules/adb (AOSP), read out of adb
29.0.6 as Debian builds it, and seen there for phones that are missing, unknown, or go away in the middle of a command.
The states of `adb devices` are of `to_string(ConnectionState)` there, and of developer.android.com/tools/adb.
"""

import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from samesight.contract.errors import SamesightError, UsageError, first_line
from samesight.contract.text import one_line

SECONDS = 20.0
GET = "install Android's platform tools (Debian: adb), or set ANDROID_HOME to the SDK's folder"

# What adb says of the way to a phone, and what to do; the first row whose words are in its message holds.
FAULTS: tuple[tuple[str, str], ...] = (
    ("unauthorized", "does not trust this computer yet; unlock it and accept the question about USB debugging"),
    ("still authorizing", "is still asking about USB debugging; accept the question on its screen"),
    ("still connecting", "is still being connected; wait a moment"),
    ("device offline", "is offline; unplug it and plug it in again, or run `adb reconnect offline`"),
    (
        "no permissions",
        "may not be used by this user; add the udev rules of Android's platform tools, or use its group",
    ),
    ("insufficient permissions", "may not be used by this user; add the udev rules of Android's platform tools"),
)
# The phone, or the connection to it, ended meanwhile.
GONE = (
    "no devices/emulators found",
    "not found",
    "closed",
    "protocol fault",
    "couldn't read from device",
    "no response",
    "Connection reset",
    "Broken pipe",
    "disconnected",
)
CHATTER = ("* daemon not running", "* daemon started")
SERVER = ("cannot connect to daemon", "failed to start daemon", "daemon still not running")
# Of `adb devices`: every state that a phone cannot be used in.
STATES = {
    "offline": "is offline; unplug it and plug it in again, or run `adb reconnect offline`",
    "unauthorized": FAULTS[0][1],
    "authorizing": FAULTS[1][1],
    "connecting": FAULTS[2][1],
    "no permissions": FAULTS[4][1],
    "recovery": "is in its recovery; start Android on it (`adb reboot`)",
    "rescue": "is in its rescue mode; start Android on it (`adb reboot`)",
    "sideload": "is in its recovery; start Android on it (`adb reboot`)",
    "bootloader": "is in its boot loader; start Android on it (`fastboot reboot`)",
}


@dataclass(frozen=True)
class Answer:
    """How a program ended: its exit code and what it wrote."""

    code: int
    output: str
    errors: str


@dataclass(frozen=True)
class Listed:
    """A line of `adb devices -l`: its serial number, its state and its model, where adb knows it."""

    serial: str
    state: str
    model: str | None

    @property
    def ready(self) -> bool:
        """Whether commands can be given to it."""
        return self.state == "device"

    @property
    def problem(self) -> str | None:
        """A sentence about why it cannot be used, and what to do; None where it can."""
        if self.ready:
            return None
        other = f"is in state {self.state!r}; unplug it and plug it in again"
        return f"{self.serial}: the phone {STATES.get(self.state, other)}"


def find_adb() -> Path:
    """The program: on the path, or in the SDK that ANDROID_HOME or ANDROID_SDK_ROOT names.

    Raises:
        SamesightError: there is none, or none that this user may run.
    """
    if found := shutil.which("adb"):
        return Path(found)
    homes = [os.environ[name] for name in ("ANDROID_HOME", "ANDROID_SDK_ROOT") if os.environ.get(name)]
    places = [Path(home) / "platform-tools" / "adb" for home in homes]
    if program := next((place for place in places if os.access(place, os.X_OK) and place.is_file()), None):
        return program
    folders = (Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder)
    if unusable := next((place for place in [*places, *(one / "adb" for one in folders)] if place.is_file()), None):
        raise SamesightError(f"{unusable}: may not be run; chmod +x {unusable}")
    raise SamesightError(f"adb is not on the path; {GET}")


def version(program: Path) -> str:
    """The version that adb says it has.

    Raises:
        SamesightError: it does not run, or is no adb.
    """
    answer = run([str(program), "version"], SECONDS)
    named = re.search(r"^Version (\S+)", answer.output, re.M) or re.search(r"version (\S+)", answer.output)
    if answer.code or not named:
        raise SamesightError(f"{program}: is no adb ({_words(answer)}); {GET}")
    return named[1]


def run(command: Sequence[str], seconds: float, stdin: Path | None = None) -> Answer:
    """Run a program to its end, `stdin` being its input.

    Raises:
        SamesightError: it cannot be started, or did not end in time and was ended.
    """
    # Files: a server that adb leaves behind could keep a pipe open.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        with (stdin or Path(os.devnull)).open("rb") as given:
            try:
                process = subprocess.Popen(command, stdin=given, stdout=output, stderr=errors)
            except OSError as error:
                raise SamesightError(f"{command[0]}: cannot be run ({error.strerror}); {GET}") from None
        try:
            code = process.wait(seconds)
        except BaseException as ended:
            process.kill()
            process.wait()
            if not isinstance(ended, subprocess.TimeoutExpired):
                raise
            raise SamesightError(
                f"adb did not answer within {seconds:.0f} s; run `adb kill-server`, and plug the phone in again"
            ) from None
        output.seek(0)
        errors.seek(0)
        return Answer(code, output.read().decode(errors="replace"), errors.read().decode(errors="replace"))


def list_phones(program: Path) -> list[Listed]:
    """All that `adb devices -l` lists, in its order.

    Raises:
        SamesightError: adb's server does not run.
    """
    answer = run([str(program), "devices", "-l"], SECONDS)
    if answer.code:
        raise SamesightError(f"adb cannot list phones: {_words(answer)}; run `adb kill-server` and try again")
    listed = []
    lines = answer.output.splitlines()
    start = next((number for number, line in enumerate(lines) if line.startswith("List of devices")), len(lines) - 1)
    for line in lines[start + 1 :]:
        if parts := re.match(r"(\S+)\s+(no permissions|\S+)(.*)", line):
            model = re.search(r"\bmodel:(\S+)", parts[3])
            listed.append(Listed(parts[1], parts[2], model[1].replace("_", " ") if model else None))
    return listed


def choose(phones: Sequence[Listed], serial: str | None) -> Listed:
    """The phone with this serial number, or the only one.

    Raises:
        UsageError: several, and none is named; or none has this number.
        SamesightError: there is none, or it cannot be used now.
    """
    if serial is not None:
        chosen = next((phone for phone in phones if phone.serial == serial), None)
        if chosen is None:
            have = ", ".join(phone.serial for phone in phones) or "none"
            raise UsageError(f"--serial {serial}: adb knows no such phone; it has {have}")
    else:
        ready = [phone for phone in phones if phone.ready]
        candidates = ready or list(phones)
        if not candidates:
            raise SamesightError(
                "adb sees no phone; plug one in by USB, allow USB debugging in its developer options, and see "
                "`samesight device list`"
            )
        if len(candidates) > 1:
            have = ", ".join(phone.serial for phone in candidates)
            raise UsageError(f"several phones are connected ({have}); name one by --serial")
        chosen = candidates[0]
    if chosen.problem:
        raise SamesightError(chosen.problem)
    return chosen


@dataclass(frozen=True)
class Bridge:
    """The way to one phone: adb and the phone's serial number."""

    program: Path
    serial: str

    def shell(
        self, command: str, doing: str, seconds: float = SECONDS, stdin: Path | None = None, check: bool = True
    ) -> str:
        """What a command of the phone's shell writes, errors among it.

        The phone says itself how the command ended: adb's exit code is the shell's on new phones alone, and a phone
        that went away looks like a command that wrote little.

        `doing` is what people are told that was being done: "the phone went away while …". Without `check` the text
        is returned whatever the exit code is.

        Raises:
            SamesightError: the command failed, the phone went away, or nothing came in time.
        """
        end = f"samesight-{secrets.token_hex(8)}"
        answer = self._adb(["shell", "-T", f"({command}) 2>&1; echo {end}:$?"], doing, seconds, stdin)
        text, marker, code = answer.output.replace("\r\n", "\n").rpartition(f"{end}:")
        if not marker or not code.strip().isdigit():
            raise self._failed(answer, doing)
        if check and int(code):
            raise ShellError(self.serial, text.strip(), doing)
        return text

    def push(self, source: Path, target: str, doing: str, seconds: float) -> None:
        """Copy a file to the phone.

        Raises:
            SamesightError: as `shell`, or there is no room.
        """
        answer = self._adb(["push", str(source), target], doing, seconds)
        if answer.code:
            raise self._failed(answer, doing)

    def _adb(self, arguments: Sequence[str], doing: str, seconds: float, stdin: Path | None = None) -> Answer:
        try:
            return run([str(self.program), "-s", self.serial, *arguments], seconds, stdin)
        except SamesightError as error:
            raise SamesightError(f"{self.serial}: while {doing}: {error}") from None

    def _failed(self, answer: Answer, doing: str) -> SamesightError:
        words = _words(answer)
        if "No space left" in words:
            return no_room(self.serial, doing)
        if any(word in words for word in SERVER):
            return SamesightError(f"adb's server does not run ({words}); run `adb kill-server` and try again")
        for said, sentence in FAULTS:
            if said in words:
                return SamesightError(f"{self.serial}: the phone {sentence}, then run the command again")
        if not answer.errors.strip() or any(word in words for word in GONE):
            return SamesightError(
                f"{self.serial}: the phone went away while {doing}; plug it in, unlock it and run the command again"
            )
        return SamesightError(f"{self.serial}: adb failed while {doing}: {words}")


class ShellError(SamesightError):
    """A command of the phone's shell ended with another code than 0; `said` is what it wrote."""

    def __init__(self, serial: str, said: str, doing: str) -> None:
        self.said = said
        if "No space left" in said:
            sentence = str(no_room(serial, doing))
        else:
            sentence = f"{serial}: failed while {doing}: {one_line(said.splitlines()[-1]) if said else 'no message'}"
        super().__init__(sentence)


def no_room(serial: str, doing: str) -> SamesightError:
    """The sentence about a full phone."""
    return SamesightError(f"{serial}: the phone has no room while {doing}; make room on it and run the command again")


def _words(answer: Answer) -> str:
    """What adb said went wrong, as one line without its chatter about its own server."""
    lines = [line.strip() for line in (answer.errors or answer.output).splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(CHATTER)] or lines
    return first_line(RuntimeError(one_line(" ".join(said)))) if said else f"exit code {answer.code} and no message"
