"""The syntax of expressions: PostgreSQL's, read by sqlglot, with nothing known about functions.

Which of sqlglot's nodes have a meaning here is ``compiler``'s to say.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import ParseError, TokenError
from sqlglot.parsers.postgres import PostgresParser

from sync.rule.expression.value import Mistake


class _Parser(PostgresParser):
    """Keeps calls as they are written."""

    FUNCTIONS: ClassVar[dict[str, Any]] = {}
    FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {}
    NO_PAREN_FUNCTIONS: ClassVar[dict[Any, Any]] = {}


class DongboRule(Postgres):
    """PostgreSQL's syntax in which each call is of a function that ``function.FUNCTIONS`` knows or not."""

    Parser = _Parser


def parse(text: str) -> exp.Expr:
    """The tree of an expression; Mistake with the place where it breaks the syntax."""
    try:
        tree = DongboRule().parse(text)
    except ParseError as error:
        raise _syntax(text, error) from error
    except TokenError as error:
        raise Mistake("a quote or bracket is not closed.", "Close it: 'text', (…).") from error
    if len(tree) != 1 or tree[0] is None:
        raise Mistake("is not one expression.", "Write one condition, without a semicolon.")
    return tree[0]


def _syntax(text: str, error: ParseError) -> Mistake:
    found = error.errors[0] if error.errors else {}
    line, column = int(found.get("line") or 1), int(found.get("col") or 1)
    word = str(found.get("highlight") or "")
    start = sum(len(part) + 1 for part in text.split("\n")[: line - 1]) + column - max(len(word), 1)
    start = min(max(start, 0), len(text))
    near = f" at “{word}”" if word else ""
    return Mistake(f"breaks the syntax of SQL{near}.", "Write a condition such as: deaths <= victims_total.", start)


def start_of(node: exp.Expr) -> int:
    """The offset of a node in the text: that of the first name or literal in it."""
    starts = [int(part.meta["start"]) for part in node.walk() if "start" in part.meta]
    return min(starts, default=0)


def like_pattern(pattern: str) -> str:
    """The regular expression of a LIKE pattern: % is any text, _ any character."""
    parts = [".*" if char == "%" else "." if char == "_" else re.escape(char) for char in pattern]
    return f"(?s)^{''.join(parts)}$"
