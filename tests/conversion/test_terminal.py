"""What people see in the terminal, and Ctrl-C that a library swallows."""

import contextlib
import signal

import pytest

from conversion import interrupts
from conversion.terminal import columns_that_fit

ROWS = [("artifact", "SNR dB", "agree"), ("a.fp32.onnx", "120.0", "100.0%")]


@pytest.mark.parametrize(("width", "shown"), [(33, 3), (32, 3), (31, 2), (23, 2), (22, 1), (5, 1)])
def test_columns_are_left_out_whole_the_last_first(width, shown):
    assert list(columns_that_fit(ROWS, width)) == list(range(shown))


def test_an_interrupt_that_was_swallowed_is_not_lost():
    with interrupts.remembered():
        interrupts.check()
        with contextlib.suppress(BaseException):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
    with interrupts.remembered():
        interrupts.check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
