"""Ctrl-C waits for the message that is being handed over, and for nothing else."""

import os
import signal

import pytest

from producers.interrupts import Interrupts


def test_signal_between_messages_is_raised_at_once() -> None:
    with pytest.raises(KeyboardInterrupt):
        Interrupts().handle(signal.SIGINT, None)


def test_signal_within_a_message_is_raised_after_it_and_once() -> None:
    interrupts = Interrupts()
    interrupts.hold()
    interrupts.handle(signal.SIGTERM, None)
    interrupts.handle(signal.SIGTERM, None)
    with pytest.raises(KeyboardInterrupt):
        interrupts.release()
    interrupts.hold()
    interrupts.release()


def test_both_signals_are_taken_over() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        Interrupts().install()
        for number in before:
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), number)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
