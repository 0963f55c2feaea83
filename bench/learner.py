"""What training and asking the emulators' learner costs: rows, CPU seconds of training, milliseconds an answer."""

from __future__ import annotations

import json
import resource
import runpy
import time

from _common import REAL, ROOT

from cloudistill.emulators import chat_lines
from cloudistill.emulators.learner import Untrained, fit
from cloudistill.emulators.lesson import Lesson

TESTS = runpy.run_path(str(ROOT / "tests" / "emulators" / "test_learner.py"))


def measure(name: str, lessons: list[Lesson], held_out: list[Lesson]) -> None:
    start = time.process_time()
    student = fit(lessons)
    trained = time.process_time()
    for lesson in held_out:
        student.answer(lesson.question)
    answer = (time.process_time() - trained) / len(held_out) * 1e3
    tools, calls = TESTS["accuracy"](student, held_out)
    base = TESTS["accuracy"](Untrained(), held_out)[0]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{name:<14} {len(lessons):>5} rows {trained - start:6.2f} CPU s {answer:5.2f} ms an answer "
        f"tools {tools:.2f} (base {base:.2f}) calls {calls:.2f} peak {peak:.0f} MiB"
    )


def main() -> None:
    held_out = TESTS["desk"](300, seed=99)
    for rows in (50, 200, 400, 2_000):
        measure("support desk", TESTS["desk"](rows, seed=1), held_out)
    if REAL.exists():
        rows = [json.loads(line) for line in REAL.read_text("utf-8").splitlines()]
        lessons = [lesson for row in rows for lesson in chat_lines.lessons(row)]
        measure("real, held out", [lesson for i, lesson in enumerate(lessons) if i % 5], lessons[::5])
        measure("real, seen", lessons, lessons[::5])


if __name__ == "__main__":
    main()
