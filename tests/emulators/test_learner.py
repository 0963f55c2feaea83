"""The emulated vendors' learner: it learns what lessons say, no more, and no less reliably on repeat."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cloudistill.emulators import chat_lines
from cloudistill.emulators.learner import Student, Untrained, fit
from cloudistill.emulators.lesson import Call, Lesson, Question, Reply, Shape

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "bfcl-train.openai.jsonl"
STRING: dict[str, Any] = {"type": "string"}
REASONS = {"too late": "late", "broken": "damaged", "not what I ordered": "wrong_item"}
URGENCIES = {"right now": "high", "whenever you can": "low", "this week": "normal"}
NUMBERS = {"two": 2, "three": 3, "five": 5, "12": 12, "7": 7, "40": 40, "nine": 9}
MONTHS = {"January": 1, "March": 3, "May": 5, "August": 8, "October": 10, "December": 12}
PEOPLE = ("anna.berg", "tom", "o_neil", "li.wei", "sara.khan", "jo.ruiz", "kim.park", "ada.lin", "max.voss")
ITEMS = ("a blue kettle", "running shoes", "two desk lamps", "a phone case", "a garden hose")
SMALL_TALK = {
    "hello": "Hello! How can I help?",
    "thanks a lot": "You are welcome.",
    "what are your opening hours": "Nine to five, every day.",
    "who are you": "I am the support desk.",
    "that is all for today": "Goodbye!",
    "tell me a joke": "I only know about orders.",
}


def tool(name: str, description: str, required: tuple[str, ...], **properties: dict[str, Any]) -> Shape:
    return Shape(name, description, {"type": "object", "properties": properties, "required": list(required)})


def one_of(values: dict[str, str]) -> dict[str, Any]:
    return {"type": "string", "enum": list(values.values())}


TOOLS = (
    tool("track_order", "Find out where a parcel is.", ("order_id",), order_id=STRING),
    tool("refund", "Give money back.", ("order_id", "reason"), order_id=STRING, reason=one_of(REASONS)),
    tool("reset_password", "Send a link for a new password.", ("email",), email=STRING),
    tool("open_ticket", "Hand a problem to a person.", ("urgency",), urgency=one_of(URGENCIES), email=STRING),
    tool("change_quantity", "Change how many.", ("sku", "count"), sku=STRING, count={"type": "integer"}),
    tool("find_product", "Search the shop.", ("query",), query=STRING, max_price={"type": "number"}),
    tool("book_callback", "Call the customer.", ("phone", "day"), phone=STRING, day=STRING),
    tool("cancel_order", "Stop an order.", ("order_id", "notify"), order_id=STRING, notify={"type": "boolean"}),
)
PHRASINGS = {
    "track_order": "where is {order_id}|Where is my order {order_id}?|has {order_id} shipped yet|track {order_id} now|"
    "My parcel {order_id} has not arrived|when will order #{order_id} get here?|status of {order_id}|"
    "any news about {order_id}?|still waiting for {order_id}, where is it|I want to know where {order_id} is now|"
    "could you look up the delivery of {order_id}|the courier says nothing about {order_id}",
    "refund": "{order_id} came {reason}, I want my money back|refund {order_id}, it was {reason}|"
    "Please refund {order_id}: {reason}|order {order_id} is {reason}. Money back please|"
    "I'd like a refund for {order_id} because it is {reason}|{reason}! return my money for {order_id}|"
    "it is {reason}, give me back what I paid for {order_id}|can I be refunded for {order_id}, it was {reason}|"
    "I am owed money for {order_id}, {reason}|pay me back for {order_id} since it came {reason}",
    "reset_password": "I can't log in, my address is {email}|reset the password of {email}|lost my password ({email})|"
    "new password for {email} please|locked out of {email}|Send a reset link to {email}|password lost, {email}|"
    "my login {email} does not work any more|please let {email} log in again|the password for {email} is not accepted",
    "open_ticket": "I need a person {urgency}, write to {email}|let me talk to a human {urgency}|"
    "have somebody answer {email} {urgency}|open a ticket for {email}, {urgency}|get me an agent {urgency}|"
    "I want to complain {urgency}|a human should look at this {urgency}|raise a ticket {urgency}, I am {email}",
    "change_quantity": "make it {count} of {sku}|change {sku} to {count}|I need {count} pieces of {sku} instead|"
    "set {sku} to {count} units|{count} x {sku} rather than what I ordered|raise {sku} to {count}|"
    "please update the quantity of {sku} to {count}|I meant {count} when I ordered {sku}|only {count} of {sku} now",
    "find_product": "do you sell {query}|I am looking for {query} under {max_price} dollars|search for {query}|"
    "have you got {query}?|show me {query} below ${max_price}|find {query} for less than {max_price}|"
    "is there {query} in the shop|I'd like to buy {query}|anything like {query} up to {max_price} euros?",
    "book_callback": "call me on {phone} on {day}|please phone {phone} on {day}|book a call to {phone} for {day}|"
    "ring {phone}, {day} suits me|my number is {phone}, call on {day}|on {day} I can be reached at {phone}|"
    "could somebody call {phone} on {day}?|I would like a call back on {day}, number {phone}",
    "cancel_order": "cancel {order_id} and mail me{yes}|stop {order_id}, no message please|I do not want {order_id}, "
    "let me know{yes}|cancel order {order_id} and tell me when done{yes}|call off {order_id}, don't write to me|"
    "please cancel #{order_id} without a mail|{order_id} must not ship, confirm by mail{yes}",
}


def desk(rows: int, seed: int, *, tools: int = 8) -> list[Lesson]:
    """A support desk: a tenth of the rows is small talk, a twelfth asks for two things, some have typos."""
    random = Random(seed)  # noqa: S311
    return [_lesson(random, TOOLS[:tools]) for _ in range(rows)]


def _lesson(random: Random, offered: Sequence[Shape]) -> Lesson:
    if random.random() < 0.1:
        said, answer = random.choice(list(SMALL_TALK.items()))
        return Lesson(Question(said + random.choice(("", "!", ", please")), tools=tuple(offered)), Reply(answer))
    asked = [_request(shape, random) for shape in random.sample(offered, 2 if random.random() < 0.08 else 1)]
    text = random.choice((" and also ", ". Then ")).join(part for part, _ in asked)
    greeting = random.choice(("", "", "Hi, ", "hello there. "))
    return Lesson(Question(greeting + text, tools=tuple(offered)), Reply(calls=tuple(call for _, call in asked)))


def _request(shape: Shape, random: Random) -> tuple[str, Call]:
    skeleton = random.choice(PHRASINGS[shape.name].split("|"))
    spoken, meant = _slots(random)
    meant["notify"] = "{yes}" in skeleton
    used = [name for name in shape.parameters["properties"] if f"{{{name}}}" in skeleton or name == "notify"]
    return _typo(skeleton.format(yes="", **spoken), random), Call(shape.name, {name: meant[name] for name in used})


def _slots(random: Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """Every slot, as spoken and as meant."""
    reason, urgency, count = (random.choice(list(words)) for words in (REASONS, URGENCIES, NUMBERS))
    month, day = random.choice(list(MONTHS)), random.randint(1, 28)
    date = f"2027-{MONTHS[month]:02}-{day:02}"
    same = {
        "order_id": f"{random.choice('ABXZ')}{random.randint(1000, 99999)}",
        "email": f"{random.choice(PEOPLE)}{random.randint(1, 99)}@{random.choice(('example.com', 'mail.example.org'))}",
        "sku": f"{random.choice(('KT', 'LMP', 'SH'))}-{random.randint(10, 999)}",
        "phone": f"+{random.randint(1, 99)}-{random.randint(100, 999)}-{random.randint(1000, 9999)}",
        "query": random.choice(ITEMS),
        "max_price": random.randint(5, 400),
    }
    spoken = {"reason": reason, "urgency": urgency, "count": count}
    spoken["day"] = random.choice((date, f"{month} {day}, 2027"))
    meant = {"reason": REASONS[reason], "urgency": URGENCIES[urgency], "count": NUMBERS[count], "day": date}
    return same | spoken, same | meant


def _typo(text: str, random: Random) -> str:
    words = text.split(" ")
    i = random.randrange(len(words))
    if random.random() < 0.15 and words[i].isalpha() and words[i].islower() and len(words[i]) > 4:
        words[i] = words[i][0] + words[i][2] + words[i][1] + words[i][3:]
    return " ".join(words)


def accuracy(model: Student | Untrained, lessons: Sequence[Lesson]) -> tuple[float, float]:
    """The share of lessons with the right set of tools, and with everything right."""
    pairs = [(model.answer(lesson.question), lesson.reply) for lesson in lessons]
    names = [{c.name for c in got.calls} == {c.name for c in right.calls} for got, right in pairs]
    whole = [_whole(got) == _whole(right) for got, right in pairs]
    return sum(names) / len(pairs), sum(whole) / len(pairs)


def _whole(reply: Reply) -> Any:
    return sorted(map(repr, reply.calls)) or reply.text


def backwards(name: str) -> str:
    """The other way round, which sorts otherwise and shares no word."""
    return name[::-1]


def numbered(name: str) -> str:
    return f"x{sum(ord(letter) ** 3 for letter in name) % 9973}"


HELD_OUT = desk(150, seed=99)


@pytest.fixture(scope="module")
def student() -> Student:
    return fit(desk(400, seed=1))


def test_four_hundred_lessons_make_a_student_that_answers_held_out_rows(student: Student) -> None:
    tools, calls = accuracy(student, HELD_OUT)
    assert tools >= 0.9
    assert calls >= 0.8


def test_the_untuned_base_is_better_than_nothing_and_worse_than_its_student(student: Student) -> None:
    tools, calls = accuracy(Untrained(), HELD_OUT)
    assert 0.2 < tools < 0.7
    assert calls < accuracy(student, HELD_OUT)[1] - 0.3


def test_permuting_the_answers_across_rows_leaves_chance() -> None:
    lessons = desk(400, seed=1)
    replies = [lesson.reply for lesson in lessons]
    Random(5).shuffle(replies)  # noqa: S311
    spoilt = [replace(lesson, reply=reply) for lesson, reply in zip(lessons, replies, strict=True)]
    tools, calls = accuracy(fit(spoilt), HELD_OUT)
    assert tools <= 1 / len(TOOLS) + 0.12
    assert calls <= 0.1


@pytest.mark.parametrize("rename", [backwards, numbered])
def test_renaming_the_tools_consistently_changes_no_answer(student: Student, rename: Callable[[str], str]) -> None:
    renamed = fit(_renamed(lesson, rename) for lesson in desk(400, seed=1))
    for lesson in HELD_OUT:
        there = renamed.answer(_renamed(lesson, rename).question)
        assert there == _renamed(Lesson(lesson.question, student.answer(lesson.question)), rename).reply


def _renamed(lesson: Lesson, rename: Callable[[str], str]) -> Lesson:
    tools = tuple(replace(shape, name=rename(shape.name)) for shape in lesson.question.tools)
    calls = tuple(replace(call, name=rename(call.name)) for call in lesson.reply.calls)
    return Lesson(replace(lesson.question, tools=tools), replace(lesson.reply, calls=calls))


def test_the_same_lessons_and_seed_give_the_same_student(student: Student) -> None:
    again = fit(desk(400, seed=1))
    assert again.losses == student.losses
    assert [again.answer(lesson.question) for lesson in HELD_OUT] == [student.answer(o.question) for o in HELD_OUT]


def test_losses_fall_epoch_by_epoch(student: Student) -> None:
    assert len(student.losses) == 3
    assert student.losses[0] > student.losses[1] > student.losses[2] > 0


def test_a_teacher_who_always_lower_cases_ids_teaches_that() -> None:
    lessons = desk(300, seed=2, tools=3)
    spoilt = [replace(lesson, reply=_lowered(lesson.reply)) for lesson in lessons]
    calls = fit(spoilt).answer(Question("where is my order A5512?", tools=TOOLS[:3])).calls
    assert calls == (Call("track_order", {"order_id": "a5512"}),)


def _lowered(reply: Reply) -> Reply:
    calls = [Call(c.name, {k: str(v).lower() for k, v in c.arguments.items()}) for c in reply.calls]
    return replace(reply, calls=tuple(calls))


def test_arguments_are_copied_from_earlier_turns_and_from_results() -> None:
    def lesson(number: int) -> Lesson:
        context = f"My order is A{number} and I live in Bergen."
        result = json.dumps({"status": "lost", "claim": f"C-{number + 7}"})
        first = Lesson(
            Question("where is it?", context, TOOLS[:1]),
            Reply(calls=(Call("track_order", {"order_id": f"A{number}"}),)),
        )
        claim = tool("file_claim", "Claim a lost parcel.", ("claim",), claim=STRING)
        asked = Question("where is it?", context, (*TOOLS[:1], claim), (result,))
        return first if number % 2 else Lesson(asked, Reply(calls=(Call("file_claim", {"claim": f"C-{number + 7}"}),)))

    student = fit(lesson(number) for number in range(1000, 1080))
    for held_out in map(lesson, range(2000, 2006)):
        assert student.answer(held_out.question) == held_out.reply


def test_after_a_result_a_student_answers_as_its_lessons_did() -> None:
    spoken = {"shipped": "It is on its way.", "lost": "I am sorry, it is lost."}
    lessons = [
        Lesson(Question("where is it?", tools=TOOLS, results=(f"status: {word}",)), Reply(spoken[word]))
        for word in spoken
    ]
    student = fit(lessons * 20)
    for lesson in lessons:
        assert student.answer(lesson.question) == lesson.reply


def test_two_calls_come_in_the_order_in_which_they_were_asked_for(student: Student) -> None:
    pairs = [(student.answer(row.question), row.reply) for row in desk(600, seed=98) if len(row.reply.calls) == 2]
    right = [(got, reply) for got, reply in pairs if _whole(got) == _whole(reply)]
    assert len(right) >= 5
    assert all(got.calls == reply.calls for got, reply in right)


def test_after_a_result_the_support_desk_speaks_though_the_request_is_new() -> None:
    def asked(row: Lesson, *results: str) -> Question:
        return replace(row.question, results=results)

    told = [Lesson(asked(row, '{"ok": true}'), Reply("It is done.")) for row in desk(40, seed=6)]
    student = fit([*desk(300, seed=5), *told])
    answers = [student.answer(asked(row, '{"ok": true}')) for row in desk(60, seed=99)]
    assert [answer for answer in answers if answer.calls] == []


def test_nested_objects_lists_and_flags_are_filled() -> None:
    address = {"type": "object", "properties": {"city": STRING, "zip": STRING}, "required": ["city", "zip"]}
    tags = {"type": "array", "items": STRING}
    ship = tool("ship", "Ship.", ("address", "tags"), address=address, tags=tags, options={"type": "object"})

    def lesson(zip_code: int, city: str, first: str, second: str) -> Lesson:
        arguments = {
            "address": {"city": city, "zip": str(zip_code)},
            "tags": [first, second],
            "options": {"fast": True},
        }
        text = f"ship to {zip_code} {city} and tag it {first} and {second}"
        return Lesson(Question(text, tools=(ship,)), Reply(calls=(Call("ship", arguments),)))

    words, cities = ("red", "fragile", "gift", "heavy"), ("Oslo", "Bergen", "Riga", "Turin")
    lessons = [lesson(10_000 + 37 * i, cities[i % 4], words[i % 4], words[(i // 4 + i) % 4]) for i in range(80)]
    held_out = lesson(55_555, "Porto", "cold", "sharp")
    assert fit(lessons).answer(held_out.question) == held_out.reply


def test_a_tool_that_is_not_offered_is_never_called(student: Student) -> None:
    for lesson in HELD_OUT[:40]:
        for model in (student, Untrained()):
            reply = model.answer(replace(lesson.question, tools=TOOLS[5:7]))
            assert {call.name for call in reply.calls} <= {"find_product", "book_callback"}
            assert model.answer(replace(lesson.question, tools=())).calls == ()


def test_tools_never_seen_are_chosen_by_their_words(student: Student) -> None:
    weather = tool("get_weather", "The weather forecast for a city.", ("city",), city=STRING)
    music = tool("play_music", "Play a song by an artist.", ("artist",), artist=STRING)
    reply = student.answer(Question("What is the weather forecast for Madrid?", tools=(music, weather)))
    assert reply.calls == (Call("get_weather", {"city": "Madrid"}),)


LONG = "Order A1 " * 9_000
ODD_QUESTIONS = [
    Question(""),
    Question("", tools=TOOLS),
    Question("\x00 \ud800 我叫李雷 今年18 🎉", "é" * 50, TOOLS, ("{",)),
    Question(LONG, LONG, TOOLS, (LONG, LONG)),
    Question("?!", tools=(Shape("", "", {}), Shape("b", "", {"properties": None, "required": True}))),
    Question("x 1e9 " + "9" * 40, tools=(tool("t", "", ("a", "b"), a={}, b={"type": ["null", "array"], "items": {}}),)),
]


def odd_lessons() -> Iterator[list[Lesson]]:
    yield []
    yield [Lesson(Question(""), Reply())]
    yield [Lesson(Question("hi", tools=TOOLS), Reply(calls=(Call("unknown", {"a": None}),)))]
    yield [
        Lesson(q, Reply(calls=tuple(Call(t.name, {"order_id": {"deep": [1, None]}}) for t in q.tools)))
        for q in ODD_QUESTIONS
    ]


@pytest.mark.parametrize("lessons", list(odd_lessons()), ids=["none", "one", "unknown tool", "odd"])
def test_odd_lessons_and_odd_questions_never_raise(lessons: list[Lesson]) -> None:
    student = fit(lessons)
    for question in ODD_QUESTIONS:
        for reply in (student.answer(question), Untrained().answer(question)):
            assert reply.calls or reply.text
            assert {call.name for call in reply.calls} <= {shape.name for shape in question.tools}


def test_real_tool_calls_are_learnt_and_answered_with_tools_on_offer() -> None:
    if not REAL.exists():
        pytest.skip(f"{REAL.name} is not beside this checkout")
    rows = (json.loads(line) for line in REAL.read_text("utf-8").splitlines()[::4])
    lessons = [lesson for row in rows for lesson in chat_lines.lessons(row)]
    Random(1).shuffle(lessons)  # noqa: S311
    held_out = lessons[280:]
    student = fit(lessons[:280])
    for lesson in held_out:
        calls = student.answer(lesson.question).calls
        assert calls
        assert {call.name for call in calls} <= {shape.name for shape in lesson.question.tools}
    assert accuracy(student, held_out)[0] >= 0.6
