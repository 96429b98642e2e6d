"""From the text of an expression to a typed value, checked as a whole before any record is seen.

The subset of SQL that has a meaning: comparisons, AND, OR, NOT, IN, BETWEEN, LIKE, ~, IS NULL, IS DISTINCT FROM, CASE,
arithmetic, ||, DATE and INTERVAL literals, the functions of ``function``, look-ups of ``lookup`` and what ``golden``
asks of other datasets. Null is SQL's
null: a comparison with it is unknown, and a rule whose condition is unknown is kept, as with CHECK.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, cast

import polars as pl
from sqlglot import exp

from sync.rule.batch import Terms
from sync.rule.expression import golden, lookup
from sync.rule.expression.arithmetic import arithmetic, negative, offset
from sync.rule.expression.comparison import compare, distinct
from sync.rule.expression.function import FUNCTIONS, common, pattern_match
from sync.rule.expression.kind import Kind, dtype_of
from sync.rule.expression.syntax import like_pattern, parse, start_of
from sync.rule.expression.value import Build, Mistake, Scope, Table, Value, literal, strict, union

_COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
}  # fmt: skip
_ARITHMETIC: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}


def compile_expression(text: str, scope: Scope) -> Value:
    """The typed value of an expression; Mistake with its place where it has no meaning."""
    return _Compiler(scope).value(parse(text))


def compile_condition(text: str, scope: Scope) -> Value:
    """The value of a condition: an expression that is true, false or unknown; Mistake for any other."""
    value = compile_expression(text, scope)
    if value.kind is not Kind.TRUTH:
        raise Mistake(f"is {value.kind}, not a condition.", "Write what must hold: deaths <= victims_total.")
    return value


class _Compiler:
    """Compiles the nodes of one expression."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def value(self, node: exp.Expr) -> Value:
        """The value of any node that has a meaning."""
        for known, method, parts in _METHODS:
            # A part that is not asked for would change the meaning unseen (ESCAPE, SYMMETRIC, …).
            if isinstance(node, known) and all(name in parts for name, part in node.args.items() if part):
                value = method(self, node)
                value = self._negated(value) if node.args.get("negate") else value
                return replace(_folded(value), start=start_of(node))
        raise Mistake(f"{node.sql()[:40]} is not supported here.", "See docs/rules.md for what is.", start_of(node))

    def _condition(self, node: exp.Expr) -> Value:
        value = self.value(node)
        if value.kind not in (Kind.TRUTH, Kind.NOTHING):
            raise Mistake(f"found {value.kind}, not a condition.", "Compare it with something.", value.start)
        return value

    # -- names and literals

    def _column(self, node: exp.Column) -> Value:
        name, start = node.name, start_of(node)
        if node.table not in ("", "record"):
            raise Mistake(f"{node.sql()} names a table.", "Write the field alone, or record.field.", start)
        if name in self._scope.definitions and not node.table:
            return self._scope.definitions[name]
        kind = self._scope.fields.get(name)
        if kind is None:
            raise Mistake(f"the dataset has no field {name}.", _similar(name, self._scope), start)
        only = frozenset({name})
        needs = only if kind is Kind.TRUTH else frozenset[str]()
        return Value(kind, lambda _: pl.col(name), only, only, needs=needs, field=name)

    def _literal(self, node: exp.Literal) -> Value:
        if node.is_string:
            return literal(Kind.TEXT, node.name)
        if re.fullmatch(r"[0-9]+", node.name):
            return literal(Kind.INTEGER, int(node.name))
        try:
            number = Decimal(node.name)
        except ArithmeticError as error:
            raise Mistake(f"{node.name} is no number.", "Write 2 or 2.34.", start_of(node)) from error
        return literal(Kind.DECIMAL, number)

    def _boolean(self, node: exp.Boolean) -> Value:
        return literal(Kind.TRUTH, bool(node.this))

    def _null(self, _: exp.Null) -> Value:
        return Value(Kind.NOTHING, lambda _: pl.lit(None), constant=(None,))

    def _cast(self, node: exp.Cast) -> Value:
        """Only the literal DATE '2025-07-01'."""
        if not (node.to.is_type("date") and isinstance(node.this, exp.Literal) and node.this.is_string):
            raise Mistake(f"{node.sql()} is not supported.", "Write DATE '2025-07-01', number(…).", start_of(node))
        try:
            day = date.fromisoformat(node.this.name)
        except ValueError as error:
            raise Mistake(f"{node.this.name} is no date.", "Write DATE '2025-07-01'.", start_of(node)) from error
        return literal(Kind.DATE, day)

    def _interval(self, node: exp.Interval) -> Value:
        return literal(Kind.INTERVAL, offset(node))

    def _paren(self, node: exp.Paren) -> Value:
        return self.value(node.this)

    # -- conditions

    def _and(self, node: exp.And) -> Value:
        left, right = self._condition(node.left), self._condition(node.right)
        return Value(
            Kind.TRUTH,
            lambda terms: left.build(terms) & right.build(terms),
            union((left, right)),
            fails=lambda terms: left.bad(terms) | right.bad(terms),
            needs=left.needs & right.needs,
        )

    def _or(self, node: exp.Or) -> Value:
        left, right = self._condition(node.left), self._condition(node.right)
        return Value(
            Kind.TRUTH,
            lambda terms: left.build(terms) | right.build(terms),
            union((left, right)),
            fails=lambda terms: left.bad(terms) & right.bad(terms),
            needs=left.needs | right.needs,
        )

    def _not(self, node: exp.Not) -> Value:
        return self._negated(self._condition(node.this))

    def _negated(self, value: Value) -> Value:
        return Value(
            Kind.TRUTH, lambda terms: ~value.build(terms), value.fields, value.nulls, value.build, needs=value.nulls
        )

    def _comparison(self, node: exp.Binary) -> Value:
        self._known_codes(node.left, [node.right])
        self._known_codes(node.right, [node.left])
        return compare(_COMPARISONS[cast(Any, type(node))], self.value(node.left), self.value(node.right))

    def _known_codes(self, column: exp.Expr, others: Sequence[exp.Expr]) -> None:
        """A text that an enumerated field is compared with must be one of its codes."""
        codes = self._scope.codes.get(column.name) if isinstance(column, exp.Column) else None
        for other in others:
            if codes is not None and isinstance(other, exp.Literal) and other.is_string and other.name not in codes:
                known = ", ".join(codes)
                raise Mistake(f"{other.name} is no code of {column.name}.", f"Use one of {known}.", start_of(other))

    def _distinct(self, node: exp.Binary) -> Value:
        same = isinstance(node, exp.NullSafeEQ)
        self._known_codes(node.left, [node.right])
        return distinct(self.value(node.left), self.value(node.right), same=same)

    def _between(self, node: exp.Between) -> Value:
        value = self.value(node.this)
        low = compare(">=", value, self.value(node.args["low"]))
        high = compare("<=", value, self.value(node.args["high"]))
        return Value(
            Kind.TRUTH,
            lambda terms: low.build(terms) & high.build(terms),
            union((low, high)),
            value.nulls,
            lambda terms: low.bad(terms) | high.bad(terms),
            low.needs & high.needs,
        )

    def _is(self, node: exp.Is) -> Value:
        value, right = self.value(node.this), node.expression
        if isinstance(right, exp.Null):
            # It is false only where there is a value.
            return Value(Kind.TRUTH, lambda terms: value.build(terms).is_null(), value.fields, needs=value.nulls)
        if not isinstance(right, exp.Boolean) or value.kind is not Kind.TRUTH:
            raise Mistake(f"{node.sql()} is not supported.", "Write IS NULL, IS TRUE or IS FALSE.", start_of(node))
        wanted = bool(right.this)
        return Value(Kind.TRUTH, lambda terms: value.build(terms).eq_missing(wanted), value.fields)

    def _like(self, node: exp.Binary) -> Value:
        value, pattern = self.value(node.this), self.value(node.expression)
        if not pattern.constant or not isinstance(pattern.constant[0], str):
            raise Mistake("the pattern is no constant text.", "Write LIKE 'V.%'.", pattern.start)
        if isinstance(node, exp.RegexpLike):
            return self._matched(value, pattern)
        return self._matched(value, replace(pattern, constant=(like_pattern(pattern.constant[0]),)))

    def _matched(self, value: Value, pattern: Value) -> Value:
        if value.kind not in (Kind.TEXT, Kind.PARTIAL):
            raise Mistake(f"{value.kind} can't match a pattern.", "Use a text field.", value.start)
        return replace(pattern_match(value, pattern), needs=value.nulls)

    def _case(self, node: exp.Case) -> Value:
        subject = self.value(node.this) if node.this else None
        if subject:
            self._known_codes(node.this, [branch.this for branch in node.args["ifs"]])
        branches = []
        for branch in node.args["ifs"]:
            tested = self.value(branch.this) if subject else self._condition(branch.this)
            branches.append((compare("=", subject, tested) if subject else tested, self.value(branch.args["true"])))
        default = self.value(node.args["default"]) if node.args.get("default") else self._null(exp.Null())
        results = [result for _, result in branches] + [default]

        def build(terms: Terms) -> pl.Expr:
            chain: Any = pl
            for when, then in branches:
                chain = chain.when(when.build(terms)).then(then.build(terms))
            made: pl.Expr = chain.otherwise(default.build(terms))
            return made

        fields = union([*results, *(when for when, _ in branches)])
        return Value(common(results, "CASE"), build, fields)

    # -- sets, tables, functions

    def _in(self, node: exp.In) -> Value:
        value = self.value(node.this)
        query = node.args.get("query")
        if query is not None:
            return self._in_table(value, query.this if isinstance(query, exp.Subquery) else query)
        self._known_codes(node.this, node.expressions)
        members = [self.value(member) for member in node.expressions]
        for member in members:
            if member.constant is None or member.constant[0] is None:
                raise Mistake("IN takes constants.", "Write IN ('A', 'B') or compare with OR.", member.start)
        found = [member.constant[0] for member in members if member.constant]
        equal = [compare("=", value, member) for member in members]
        if value.kind is Kind.TEXT:
            build: Build = lambda terms: value.build(terms).is_in(found)  # noqa: E731
        else:
            build = lambda terms: pl.any_horizontal(each.build(terms) for each in equal)  # noqa: E731
        return Value(Kind.TRUTH, build, value.fields, value.nulls, needs=value.nulls)

    def _in_table(self, value: Value, query: exp.Expr) -> Value:
        table, keys, fixed = self._query(query)
        chosen = query.expressions
        if len(chosen) != 1 or not isinstance(chosen[0], exp.Column):
            raise Mistake("IN needs a query of one column.", "Write IN (SELECT code FROM ranks).", start_of(query))
        name = chosen[0].name
        lookup.column(table, name, start_of(chosen[0]))
        lookup.fits(table, name, value)
        pairs = [(name, value), *keys]
        if table.golden:
            return golden.member(self._scope, table, pairs, fixed, null=True)
        return lookup.member(table, pairs, {name: values[0] for name, values in fixed.items()}, null=True)

    def _exists(self, node: exp.Exists) -> Value:
        query = node.this.this if isinstance(node.this, exp.Subquery) else node.this
        table, keys, fixed = self._query(query)
        if not keys:
            raise Mistake("EXISTS compares no field.", "Write WHERE code = rank_code.", start_of(node))
        if table.golden:
            return golden.member(self._scope, table, keys, fixed, null=False)
        return lookup.member(table, keys, {name: values[0] for name, values in fixed.items()}, null=False)

    def _subquery(self, node: exp.Subquery) -> Value:
        """Only the number of golden records: (SELECT count(*) FROM golden.dataset WHERE …)."""
        query = node.this
        if not golden.counts(query):
            hint = "Write (SELECT count(*) FROM golden.dataset WHERE column = field), EXISTS (…) or IN (…)."
            raise Mistake(f"{node.sql()[:40]} is not supported here.", hint, start_of(node))
        table, keys, fixed = self._query(query)
        if not table.golden:
            raise Mistake("only golden records are counted.", "Write FROM golden.dataset.", start_of(node))
        if not keys:
            raise Mistake("the query compares no field.", "Write WHERE column = field.", start_of(node))
        return golden.number(self._scope, table, keys, fixed)

    def _query(self, query: exp.Expr) -> tuple[Table, list[tuple[str, Value]], dict[str, list[Value]]]:
        """Table, compared columns and columns with constants of SELECT … FROM table WHERE column = … AND …."""
        source = query.args.get("from_") or query.args.get("from")
        plain = {"expressions", "from", "from_", "where", "kind", "hint", "distinct", "limit"}
        extra = [key for key, value in query.args.items() if value and key not in plain]
        if not isinstance(query, exp.Select) or source is None or not isinstance(source.this, exp.Table) or extra:
            raise Mistake("only SELECT … FROM table WHERE … can stand here.", "See docs/rules.md.", start_of(query))
        table = self._table(source.this, start_of(source))
        keys: list[tuple[str, Value]] = []
        fixed: dict[str, list[Value]] = {}
        where = query.args.get("where")
        conditions = list(where.this.flatten()) if where and isinstance(where.this, exp.And) else []
        if where and not conditions:
            conditions = [where.this]
        for condition in conditions:
            name, values = self._restriction(table, condition)
            if values[0].constant is None:
                keys.append((name, values[0]))
            elif name in fixed:
                raise Mistake(f"{name} is restricted twice.", "Write it once.", start_of(condition))
            else:
                fixed[name] = values
        return table, keys, fixed

    def _table(self, node: exp.Table, start: int) -> Table:
        return golden.find(self._scope, node, start) if node.db else lookup.find(self._scope, node.name, start)

    def _restriction(self, table: Table, condition: exp.Expr) -> tuple[str, list[Value]]:
        """A column of the table and what it must equal: a value, or of golden records one of several constants."""
        equal = golden.alternatives(condition) if table.golden else [condition]
        found = [self._equality(table, one) for one in equal]
        for name, value in found if table.golden else ():
            golden.check_code(table, name, value)
        if len(found) > 1 and any(value.constant is None for _, value in found):
            raise Mistake("IN takes constants.", "Write IN ('A', 'B').", start_of(condition))
        return found[0][0], [value for _, value in found]

    def _equality(self, table: Table, condition: exp.Expr) -> tuple[str, Value]:
        """A column of the table and what it must equal."""
        if isinstance(condition, exp.EQ):
            for mine, other in ((condition.left, condition.right), (condition.right, condition.left)):
                if isinstance(mine, exp.Column) and mine.name in table.columns and mine.table in ("", table.name):
                    _check_unambiguous(other, table)
                    value = self.value(other)
                    lookup.fits(table, mine.name, value)
                    return mine.name, value
        columns = ", ".join(table.columns)
        raise Mistake(
            "a query's WHERE may only say that columns of its table equal something.",
            f"Write column = field AND …, with columns of {table.name}: {columns}.",
            start_of(condition),
        )

    def _call(self, node: exp.Anonymous) -> Value:
        name, start = node.name.lower(), start_of(node)
        if name not in FUNCTIONS and name != "lookup":
            raise Mistake(f"there is no function {node.name}.", _known_functions(name), start)
        arguments = [self.value(argument) for argument in node.expressions]
        if name == "lookup":
            return lookup.lookup(self._scope, arguments, start)
        value = FUNCTIONS[name].apply(arguments, start)
        return replace(value, needs=value.nulls) if value.kind is Kind.TRUTH else value

    # -- arithmetic

    def _arithmetic(self, node: exp.Binary) -> Value:
        return arithmetic(_ARITHMETIC[cast(Any, type(node))], self.value(node.left), self.value(node.right))

    def _negative(self, node: exp.Neg) -> Value:
        return negative(self.value(node.this))

    def _concatenation(self, node: exp.DPipe) -> Value:
        parts = [self.value(node.left), self.value(node.right)]
        for part in parts:
            if part.kind not in (Kind.TEXT, Kind.PARTIAL):
                raise Mistake(f"|| joins texts, not {part.kind}.", "Use text fields.", part.start)
        return Value(
            Kind.TEXT, lambda terms: parts[0].build(terms) + parts[1].build(terms), union(parts), strict(parts)
        )


def _check_unambiguous(node: exp.Expr, table: Table) -> None:
    """In a query, SQL would take a bare name for the table's column where it has one."""
    for column in node.find_all(exp.Column):
        if not column.table and column.name in table.columns:
            raise Mistake(
                f"{column.name} is a column of {table.name}.",
                f"Write record.{column.name} for the record's field.",
                start_of(column),
            )


def _folded(value: Value) -> Value:
    """What reads no field is computed once, not for each batch: today() - INTERVAL '92 days'."""
    if value.fields or value.constant is not None or value.kind is Kind.INTERVAL:
        return value
    build = value.build

    def once(terms: Terms) -> pl.Expr:
        made = pl.select(build(terms)).item()
        return pl.lit(None, dtype=dtype_of(value.kind)) if made is None else pl.lit(made)

    return replace(value, build=once, fails=None)


def _similar(name: str, scope: Scope) -> str:
    near = get_close_matches(name, [*scope.fields, *scope.definitions], n=3)
    return f"Did you mean {' or '.join(near)}?" if near else "Use a field of its schema; a text stands in 'quotes'."


def _known_functions(name: str) -> str:
    if name == "cast":
        return "Read digits by number(…), a day of a time by date(…); write a day as DATE '2025-07-01'."
    near = get_close_matches(name, FUNCTIONS, n=3) or sorted(FUNCTIONS)
    return f"Use {', '.join(near)}; `dongbo rule functions` lists all."


_Method = Callable[[_Compiler, Any], Value]
_PAIR = frozenset({"this", "expression"})
_NEGATABLE = _PAIR | {"negate"}
_METHODS: tuple[tuple[tuple[type[exp.Expr], ...], _Method, frozenset[str]], ...] = (
    ((exp.Column,), _Compiler._column, frozenset({"this", "table"})),
    ((exp.Literal,), _Compiler._literal, frozenset({"this", "is_string"})),
    ((exp.Boolean,), _Compiler._boolean, frozenset({"this"})),
    ((exp.Null,), _Compiler._null, frozenset()),
    ((exp.Cast,), _Compiler._cast, frozenset({"this", "to"})),
    ((exp.Interval,), _Compiler._interval, frozenset({"this", "unit"})),
    ((exp.Paren,), _Compiler._paren, frozenset({"this"})),
    ((exp.And,), _Compiler._and, _PAIR),
    ((exp.Or,), _Compiler._or, _PAIR),
    ((exp.Not,), _Compiler._not, frozenset({"this"})),
    ((exp.NullSafeEQ, exp.NullSafeNEQ), _Compiler._distinct, _PAIR),
    (tuple(_COMPARISONS), _Compiler._comparison, _PAIR),
    ((exp.Between,), _Compiler._between, frozenset({"this", "low", "high", "negate"})),
    ((exp.Is,), _Compiler._is, _NEGATABLE),
    ((exp.Like, exp.RegexpLike), _Compiler._like, _NEGATABLE),
    ((exp.Case,), _Compiler._case, frozenset({"this", "ifs", "default"})),
    ((exp.In,), _Compiler._in, frozenset({"this", "expressions", "query", "negate"})),
    ((exp.Exists,), _Compiler._exists, frozenset({"this"})),
    ((exp.Subquery,), _Compiler._subquery, frozenset({"this"})),
    ((exp.Anonymous,), _Compiler._call, frozenset({"this", "expressions"})),
    (tuple(_ARITHMETIC), _Compiler._arithmetic, _PAIR | {"typed", "safe"}),
    ((exp.Neg,), _Compiler._negative, frozenset({"this"})),
    ((exp.DPipe,), _Compiler._concatenation, _PAIR | {"safe"}),
)
"""What a node of the tree means, and which of its parts that takes into account."""
