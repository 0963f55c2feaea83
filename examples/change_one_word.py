"""The same lessons on any platform: the word on the command line is all that changes.

    python examples/change_one_word.py lessons.jsonl openai|bedrock|vertex

Run it again with the same lessons: it finds the student and pays nothing. Without an account, start
`cloudistill emulate --env-file vendors.env --speed 600` first and source the file.
"""

import sys

from cloudistill import Dataset, chat, distill

STUDENTS = {
    "openai": "openai:gpt-4.1-mini-2025-04-14",
    "bedrock": "bedrock:amazon.nova-micro-v1:0:128k",
    "vertex": "vertex:gemini-3.1-flash-lite",
}


def main(lessons: str, platform: str) -> None:
    run = distill(
        lessons,
        student=STUDENTS[platform],
        name=f"example-{platform}",
        pace=1.0,
        notify=lambda event: print(f"  {event.step}: {event.message}"),
    )
    print(f"{run.status}: {run.model}")
    lesson = next(row.example for row in Dataset(lessons).rows() if row.example)
    answer = chat(str(run.model), messages=lesson.prompt, tools=lesson.tools)
    print(answer.content or "", *(f"{call.name}({call.arguments})" for call in answer.tool_calls))


if __name__ == "__main__":
    main(*sys.argv[1:])
