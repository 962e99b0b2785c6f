import signal
import subprocess
import sys

from sterna.server.commands.signals import ended_by_sigterm

LOADING = """
import signal
from sterna.server.commands.signals import ended_by_sigterm
with ended_by_sigterm():
    signal.raise_signal(signal.SIGTERM)
"""


def test_sigterm_ends_what_is_not_up_yet_even_as_process_1() -> None:
    """Process 1 ends by its own exit only: a code of its own, not the signal's."""
    ran = subprocess.run([sys.executable, "-c", LOADING], check=False)
    assert ran.returncode == 128 + signal.SIGTERM


def test_the_handler_before_is_restored() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with ended_by_sigterm():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
