"""``python -m unprompt.train RECIPE.yaml``: train a small tower and write it with its card."""

from __future__ import annotations

import argparse
import logging

from unprompt._cli.console import guarded, log_to_stderr, progress_on
from unprompt._cli.options import readable_path
from unprompt._registry.plugins import Registry
from unprompt.train.execute import CARD, execute
from unprompt.train.recipe import load_recipe


def main() -> None:
    """Parse the command line, train, and print the card."""
    parser = argparse.ArgumentParser(prog="python -m unprompt.train", description=__doc__)
    parser.add_argument("recipe", help="a recipe, such as experiments/train/clip-a.yaml")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=C", dest="overrides")
    arguments = parser.parse_args()
    log_to_stderr()
    logging.getLogger("unprompt").setLevel(logging.INFO)
    with guarded():
        registry = Registry()
        recipe = load_recipe(readable_path(arguments.recipe), registry, tuple(arguments.overrides))
        execute(recipe, registry, progress_on())
        text = (recipe.config.tower.path / CARD).read_text(encoding="utf-8")
        print(text)  # noqa: T201  # the command's result


if __name__ == "__main__":
    main()
