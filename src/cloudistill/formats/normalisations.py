"""What a round trip through a format may change: the whole list. Everything else is carried or refused."""

from __future__ import annotations

from dataclasses import dataclass

OPENAI = "openai-chat"
BEDROCK = "bedrock-conversation"
GEMINI = "gemini-contents"
_EVERY = (OPENAI, BEDROCK, GEMINI)


@dataclass(frozen=True, slots=True)
class Normalisation:
    """One change: its name, what happens, and the formats it happens in."""

    name: str
    happens: str
    formats: tuple[str, ...] = _EVERY


NORMALISATIONS = (
    Normalisation(
        "null-members", "A member that is null, and an empty list of tools, calls or annotations, count as absent."
    ),
    Normalisation("ids", "The example's `id` is not written: no vendor's line has a place for it."),
    Normalisation("default-flags", "`weight` 1 and `strict` false are left out: they are the defaults."),
    Normalisation(
        "spelling",
        "Spacing, escapes and key order of JSON, in lines and in arguments, are not kept; 1 and 1.0 stay apart.",
    ),
    Normalisation("developer-role", "The role `developer` becomes `system`.", (OPENAI,)),
    Normalisation("text-parts", "The text parts of one OpenAI message are joined with a line end.", (OPENAI,)),
    Normalisation("text-blocks", "The text parts of one assistant turn are joined with a line end.", (BEDROCK, GEMINI)),
    Normalisation("parallel-default", "`parallel_tool_calls` true is left out: it is the default.", (BEDROCK, GEMINI)),
    Normalisation(
        "parallel-without-tools", "`parallel_tool_calls` is left out where no tool is offered.", (BEDROCK, GEMINI)
    ),
    Normalisation("call-ids", "Call ids become call_0, call_1, … by position; results follow.", (BEDROCK, GEMINI)),
    Normalisation("result-order", "Tool results are put into the order of their calls.", (BEDROCK, GEMINI)),
    Normalisation("text-beside-calls", "Empty assistant text beside calls counts as absent.", (BEDROCK, GEMINI)),
    Normalisation("empty-description", "An empty tool description counts as absent.", (BEDROCK, GEMINI)),
    Normalisation("no-parameters", "A tool without parameters takes an object without properties.", (BEDROCK,)),
    Normalisation("schema-version", "Any `schemaVersion` is read; `bedrock-conversation-2024` is written.", (BEDROCK,)),
    Normalisation("result-json", "A tool result that is a JSON block is read as its JSON text.", (BEDROCK,)),
    Normalisation(
        "result-object", "A function response other than {output: text} is read as its JSON text.", (GEMINI,)
    ),
    Normalisation(
        "snake-case", "Member names are read in camelCase and snake_case, and written in camelCase.", (GEMINI,)
    ),
    Normalisation(
        "instruction-role", "The role of `systemInstruction`, and a missing role elsewhere, are not kept.", (GEMINI,)
    ),
    Normalisation("absent-args", "A function call without `args` has empty arguments.", (GEMINI,)),
    Normalisation("schema-dialect", "`$schema` is dropped, and a schema `true` becomes {}.", (GEMINI,)),
    Normalisation(
        "schema-refs",
        "A local `$ref` is replaced by what it names; the title, description and default beside it win.",
        (GEMINI,),
    ),
    Normalisation("schema-const", "`const` becomes an `enum` of one.", (GEMINI,)),
    Normalisation(
        "schema-inferred-type",
        "A schema without a type gets the one its enum, properties or items imply; the parameters are an object.",
        (GEMINI,),
    ),
    Normalisation(
        "schema-null",
        "`nullable`, `anyOf` with null and a type list with null become [type, null]; an enum says null only then.",
        (GEMINI,),
    ),
    Normalisation(
        "schema-any-of",
        "A type list becomes `anyOf`, nested ones are flattened, null goes last, and what stands beside it moves into "
        "each member, which keeps its own title.",
        (GEMINI,),
    ),
    Normalisation(
        "schema-any",
        "A schema without any type is written as `anyOf` of every type, and read back as one without.",
        (GEMINI,),
    ),
)


def of(format_name: str) -> tuple[Normalisation, ...]:
    """The normalisations of one format."""
    return tuple(row for row in NORMALISATIONS if format_name in row.formats)
