"""How many prompts readers of embedded metadata get exactly: ours, and sd-parsers beside it.

The folder holds image files and `expected.json`: file -> `prompt` (null where there is none) and
`software`. White space at line ends does not count. sd-parsers (`pip install sd-parsers`, measured
with 0.6) is skipped where it is not installed; it looks for stealth data, too. All files are read
in one process, as a program would.

    python experiments/benchmarks/metadata_readers.py FOLDER
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from unprompt_metadata.dialects import read_prompt
from unprompt_metadata.files import read_texts
from unprompt_metadata.prompts import ReadPrompt

Reader = Callable[[Path], str | None]
COLUMNS = ("exact", "missed", "wrong", "abstained", "failed")


def main() -> None:
    """Print a table of readers, and one of generators for ours."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    readers: dict[str, Reader] = {"embedded-metadata": _ours}
    if find_spec("sd_parsers"):
        readers["sd-parsers"] = _sd_parsers()
    print(
        f"{len(expected)} files, {sum(e['prompt'] is not None for e in expected.values())} prompts"
    )
    print(f"{'reader':20}" + "".join(f"{name:>11}" for name in (*COLUMNS, "ms a file")))
    for name, reader in readers.items():
        start = time.perf_counter()
        verdicts = {file: _verdict(reader, folder / file, expected[file]) for file in expected}
        cost = 1000 * (time.perf_counter() - start) / len(expected)
        counts = Counter(verdicts.values())
        print(f"{name:20}" + "".join(f"{counts[c]:11}" for c in COLUMNS) + f"{cost:11.1f}")
        for file, verdict in verdicts.items():
            if verdict not in ("exact", "abstained"):
                print(f"    {verdict}: {file} ({expected[file]['software']})")


def _verdict(reader: Reader, path: Path, expected: dict[str, Any]) -> str:
    try:
        prompt = reader(path)
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is a verdict
        print(f"    {path.name}: {type(error).__name__}: {error}")
        return "failed"
    wanted = expected["prompt"]
    if not prompt:
        return "missed" if wanted else "abstained"
    return "exact" if wanted and _lines(prompt) == _lines(wanted) else "wrong"


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().split("\n")]


def _ours(path: Path) -> str | None:
    answer = read_prompt(read_texts(path))
    return answer.prompt if isinstance(answer, ReadPrompt) else None


def _sd_parsers() -> Reader:
    eager = import_module("sd_parsers.extractors").Eagerness.EAGER
    manager = import_module("sd_parsers").ParserManager(eagerness=eager)

    def read(path: Path) -> str | None:
        info = manager.parse(path)
        prompt = info.full_prompt if info else None
        return str(prompt[0]) if isinstance(prompt, list) else prompt

    return read


if __name__ == "__main__":
    main()
