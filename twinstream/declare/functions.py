"""What can be said of a user's function without calling it: what it means, which fields it reads, how it is written."""

import ast
import dis
import linecache
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import partial
from hashlib import sha256
from inspect import signature
from itertools import pairwise
from types import CodeType, FunctionType
from typing import Any, get_type_hints

import msgspec

from twinstream.core.validation import DefinitionError

_SHOWN_WHOLE = (int, float, str, bytes, range, Decimal, Fraction, date, time, timedelta, re.Pattern)
"""Values whose `repr` says all of them."""


def mark(function: FunctionType) -> str:
    """Eight hex digits that stand for what a function computes: its code, and the values and functions that it names.

    The result of the function is kept in state under a name with this mark in it. So a changed condition has another
    layout of the state, which is then rebuilt instead of mixing answers of two conditions. What a function reaches by
    other ways (an attribute of a module, a method of a class) is not in the mark.

    >>> mark(lambda login: not login.success) == mark(lambda login: not login.success)
    True
    >>> mark(lambda sale: sale.amount > 100) == mark(lambda sale: sale.amount > 200)
    False
    """
    return sha256(repr(_of_function(function, ())).encode()).hexdigest()[:8]


def type_hints(annotated: Any, *, with_checks: bool = False) -> dict[str, Any]:
    """The types that a function or a class is annotated with.

    Raises:
        DefinitionError: one of them is not known where it is written.
    """
    try:
        return get_type_hints(annotated, include_extras=with_checks)
    except NameError as unknown:
        raise DefinitionError(
            f"The types of {annotated.__name__} cannot be read: {unknown}. Import or define it at the top of its "
            "module, and not for type checkers only"
        ) from None


def check_fields_read(function: FunctionType, event: type[msgspec.Struct]) -> None:
    """Check that a function of an event reads fields that the event has, as far as it reads them by name.

    Raises:
        DefinitionError: it reads another one, or does not take one argument.
    """
    try:
        signature(function).bind(event)
    except TypeError:
        raise DefinitionError(
            f"{shown(function)} cannot be called with one argument. It is a function of one {event.__name__}"
        ) from None
    if not function.__code__.co_argcount:
        return  # it takes whatever it is given
    fields = event.__struct_fields__
    argument = function.__code__.co_varnames[0]
    steps = list(dis.get_instructions(function))
    if any(step.opname == "STORE_FAST" and step.argval == argument for step in steps):
        return  # from there on the name is of something else
    for loaded, read in pairwise(steps):
        of_argument = loaded.opname == "LOAD_FAST" and loaded.argval == argument
        if of_argument and read.opname in ("LOAD_ATTR", "LOAD_METHOD") and read.argval not in (*fields, *dir(event)):
            public = (name for name in dir(event) if name not in fields and not name.startswith("_"))
            raise DefinitionError(
                f"{shown(function)} reads the field {read.argval!r}, which {event.__name__} does not have. "
                f"It has: {', '.join((*fields, *public))}"
            )


def shown(function: FunctionType) -> str:
    """A function for a reader: a lambda as it is written, any other one by its name; both as Markdown code."""
    if function.__name__ != "<lambda>":
        return f"`{function.__name__}`"
    return f"`{_written(function.__code__) or 'lambda'}`"


def _written(code: CodeType) -> str | None:
    """The body of a lambda, from its file; None when that cannot be read."""
    places = [(line, start) for line, _, start, end in code.co_positions() if line and end]
    try:
        tree = ast.parse("".join(linecache.getlines(code.co_filename)))
    except (SyntaxError, ValueError):
        return None
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, ast.Lambda)]
    around = [body for body in bodies if all(_begin(body) <= place <= _end(body) for place in places)]
    return ast.unparse(max(around, key=_begin)) if places and around else None


def _begin(node: ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _end(node: ast.expr) -> tuple[int, int]:
    return node.end_lineno or 0, node.end_col_offset or 0


def _of_function(function: FunctionType, within: tuple[Any, ...]) -> Any:
    if function in within:
        return "itself"
    within = (*within, function)
    named = {name: function.__globals__[name] for name in _names(function.__code__) if name in function.__globals__}
    enclosed = [cell.cell_contents for cell in function.__closure__ or ()]
    parts = [function.__defaults__, function.__kwdefaults__, enclosed, named]
    return [_of_code(function.__code__, function.__doc__), *(_of(part, within) for part in parts)]


def _of_code(code: CodeType, doc: str | None = None) -> Any:
    constants = [_of(each, ()) for each in code.co_consts if doc is None or each is not doc]
    return [code.co_code, code.co_names, code.co_argcount, constants]


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _of(value: Any, within: tuple[Any, ...]) -> Any:
    """A value as something whose `repr` is the same in every process."""
    if isinstance(value, FunctionType):
        return _of_function(value, within)
    if isinstance(value, CodeType):
        return _of_code(value)
    if isinstance(value, dict):
        return ["dict", sorted((repr(_of(key, within)), _of(each, within)) for key, each in value.items())]
    if isinstance(value, set | frozenset):
        return ["set", sorted(repr(_of(each, within)) for each in value)]
    if isinstance(value, tuple | list):
        return [type(value).__name__, [_of(each, within) for each in value]]
    if value is None or isinstance(value, _SHOWN_WHOLE):
        return [type(value).__name__, repr(value)]
    if isinstance(value, Enum):
        return [type(value).__qualname__, value.name, _of(value.value, within)]
    if isinstance(value, partial):
        return ["partial", _of(value.func, within), _of(value.args, within), _of(value.keywords, within)]
    if is_dataclass(value) and not isinstance(value, type):
        return [type(value).__qualname__, [_of(getattr(value, each.name), within) for each in fields(value)]]
    if isinstance(value, msgspec.Struct):
        return [type(value).__qualname__, _of(msgspec.structs.astuple(value), within)]
    return getattr(value, "__qualname__", type(value).__qualname__)
