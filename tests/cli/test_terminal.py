"""Names in files reach a terminal without control characters, whoever prints them."""

import io
import logging
import sys

import pytest
from rich.console import Console

from samesight.cli.tables import verdict_table
from samesight.cli.terminal import CleanStream, cell, cleaned, raw_stderr
from samesight.contract.text import printable
from samesight.contract.verdicts import Verdict, Verdicts
from support.bundles import SPEC

EVIL = "cat\x1b]0;TITLE\x07\x1b[2J\x9b2J\u202egnp\u2028"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("stück 犬 🐕", "stück 犬 🐕"),
        ("a\n\tb", "a\n\tb"),
        (EVIL, r"cat\x1b]0;TITLE\x07\x1b[2J\x9b2J\u202egnp\u2028"),
        ("\r\x00\x7f\ud800", r"\r\x00\x7f\ud800"),
    ],
)
def test_printable(text, shown):
    assert printable(text) == shown


def test_all_that_is_printed_goes_through_one_place(capsys):
    with cleaned():
        print(EVIL)
        print(EVIL, file=sys.stderr)
        sys.stdout.writelines([EVIL, "\n"])
        handler = logging.StreamHandler()
        handler.emit(logging.makeLogRecord({"msg": EVIL}))
    captured = capsys.readouterr()
    for text in captured:
        assert text == f"{printable(EVIL)}\n" * 2


def test_a_librarys_progress_bar_still_goes_back_to_the_start():
    stream = io.StringIO()
    assert CleanStream(stream).write("\r50 %") == 5 and stream.getvalue() == "\r50 %"


def test_rich_keeps_its_own_colours(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with cleaned():
        console = Console(file=raw_stderr(), force_terminal=True, color_system="standard", highlight=False)
        console.print(f"[red]{cell('[b]' + EVIL)}[/]")
    assert stream.getvalue() == f"\x1b[31m[b]{printable(EVIL)}\x1b[0m\n"


def test_the_table_of_verdicts_is_clean(capsys):
    about = {"format": "onnx", "precision": "fp32", "unit": "cpu", "runner": "onnxruntime", "cases": 1, "bytes": 1}
    verdict = Verdict(**about, name=f"[bold]{EVIL}", passed=False, reason=f"it did not run: [/] {EVIL}")
    verdict_table(Verdicts(manifest_sha256="0" * 64, passed=False, artifacts=(verdict,)), SPEC)
    printed = capsys.readouterr().out
    assert not set(printed) & {"\x1b", "\x07", "\x9b", "\u202e", "\u2028"}
    assert r"[bold]cat\x1b]0;" in printed and r"it did not run: [/] cat\x1b]0;TITLE" in printed


def test_an_error_names_a_file_without_its_control_characters(samesight_here, tmp_path):
    done = samesight_here("inspect", tmp_path / EVIL)
    assert done.returncode == 1 and r"cat\x1b]0;TITLE\x07\x1b[2J" in done.stderr
    assert not set(done.stdout + done.stderr) & {"\x1b", "\x07", "\x9b", "\u202e"}


def test_debug_shows_a_clean_traceback_before_the_sentence(samesight_here, tmp_path):
    done = samesight_here("--debug", "inspect", tmp_path / EVIL)
    assert done.returncode == 1 and done.stderr.startswith("Traceback (most recent call last):")
    assert done.stderr.splitlines()[-1].startswith(f"samesight: {tmp_path}")
    assert not set(done.stderr) & {"\x1b", "\x07", "\x9b", "\u202e"}
