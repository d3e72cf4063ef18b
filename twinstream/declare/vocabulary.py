"""The vocabulary as a table of Markdown: part of docs/define-features.md, made from the words and their examples."""

import ast
import doctest
from collections.abc import Callable
from typing import Any

from twinstream.core.validation import DefinitionError, value_type
from twinstream.declare.aggregated import Aggregated
from twinstream.declare.examples import SALES, answer
from twinstream.declare.words import VOCABULARY

TYPES = {"names": "list of texts"}


def table() -> str:
    """A row for each word: what it answers, type and unit, and its examples over the sales."""
    lines = ["| word | what it answers | type | unit | over the sales |", "|---|---|---|---|---|"]
    return "\n".join([*lines, *(_row(word) for word in VOCABULARY)])


def sales() -> str:
    """The sales that the examples are over."""
    lines = ["| " + " | ".join(SALES[0]) + " |", "|" + "---|" * len(SALES[0])]
    return "\n".join([*lines, *("| " + " | ".join(map(_written, sale.values())) + " |" for sale in SALES)])


def _row(word: Callable[..., Aggregated[Any]]) -> str:
    about = (word.__doc__ or "").split("\n\n")[0]
    examples = _examples(word)
    shown = [f"`{declared}` is {_written(answer(aggregated))}" for declared, aggregated in examples]
    _, first = examples[0]
    cells = [f"`{word.__name__}`", " ".join(about.split()), _type(first), first.unit, "<br>".join(shown)]
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _examples(word: Callable[..., Aggregated[Any]]) -> list[tuple[str, Aggregated[Any]]]:
    """The declarations in the last example of a word's docstring, as they are written and as they are."""
    *before, last = doctest.DocTestParser().get_examples(word.__doc__ or "")
    names: dict[str, Any] = {"__name__": word.__module__, word.__name__: word}
    for each in before:
        exec(each.source, names)
    asked = ast.parse(last.source, mode="eval").body
    calls = asked.elts if isinstance(asked, ast.Tuple) else [asked]
    declared = [ast.unparse(call.args[0]) for call in calls if isinstance(call, ast.Call)]
    return [(text, eval(text, names)) for text in declared]


def _type(aggregated: Aggregated[Any]) -> str:
    try:
        kind, nullable = value_type(aggregated.word, aggregated.returns)
    except DefinitionError:
        return "mapping"
    return TYPES.get(kind, kind) + (" or null" if nullable else "")


def _written(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
