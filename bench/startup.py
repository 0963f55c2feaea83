"""What `import cloudistill` and `cloudistill --help` cost against `import openai`: CPU time of fresh processes."""

from __future__ import annotations

import subprocess
import sys

from _common import Verdict, children_seconds, interleaved

IMPORT_LIMIT, HELP_LIMIT = 0.35, 0.6
ROUNDS = 7


def fresh(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)  # noqa: S603


def main() -> None:
    verdict = Verdict()
    commands = (("-c", "pass"), ("-c", "import openai"), ("-c", "import cloudistill"), ("-m", "cloudistill", "--help"))
    tasks = [lambda command=command: fresh(*command) for command in commands]
    for task in tasks:
        task()  # compiles what is not compiled yet
    python, openai, package, help_text = interleaved(ROUNDS, *tasks, clock=children_seconds)
    print(f"CPU ms beyond Python's own {python * 1e3:.0f}: openai {(openai - python) * 1e3:.0f}, ", end="")
    print(f"cloudistill {(package - python) * 1e3:.0f}, --help {(help_text - python) * 1e3:.0f}")
    verdict.at_most("import cloudistill, of import openai", (package - python) / (openai - python), IMPORT_LIMIT)
    verdict.at_most("cloudistill --help, of import openai", (help_text - python) / (openai - python), HELP_LIMIT)
    verdict.leave()


if __name__ == "__main__":
    main()
