"""What a terminal shows of progress, and where lines of a log go meanwhile."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

WORK = """
import logging, sys, time
from unprompt._cli.console import log_to_stderr, progress_on

log_to_stderr()
logging.getLogger("unprompt").setLevel(logging.INFO)
for i in progress_on()(range(40), what="toy: images", total=40):
    time.sleep(0.02)
    if i == 20:
        logging.getLogger("unprompt.toy").info("toy: step 3 of 6")
print("the end")
"""


def on_a_terminal(source: str) -> str:
    """What a program writes to stderr, a terminal of 100 columns."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "NO_COLOR": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", source], stderr=theirs, stdout=subprocess.PIPE, env=environment
    ) as process:
        os.close(theirs)
        written = b""
        try:
            while part := os.read(ours, 4096):
                written += part
        except OSError:  # as Linux says that nobody writes any more
            pass
        assert process.stdout is not None
        assert process.stdout.read() == b"the end\n"
    os.close(ours)
    return written.decode()


def test_a_terminal_shows_count_rate_and_remaining_time() -> None:
    written = on_a_terminal(WORK)
    rows = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written))
    bars = [row for row in rows if row.startswith("toy: images")]
    assert any(re.search(r" \d+/40 +[\d.]+/s +0:00:0\d", row) for row in bars), rows
    assert "toy: step 3 of 6" in [row.strip() for row in rows]  # a line of its own
