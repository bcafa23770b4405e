"""A plugin that closes stderr does not silence the command."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """\
import sys
from unprompt._registry.stdout import stdout_to_stderr
with stdout_to_stderr():
    sys.stdout.close()
print("still here", file=sys.stderr)
print("and the result")
"""


def test_both_streams_are_there_after_a_call_that_closed_one() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "and the result\n", "still here\n")
