"""Scores an answer that must be one SQL statement, by the grammar of a dialect and the names of a schema.

Nothing is ever run against a database: the text is parsed by sqlglot. The sub-checks, each worth the same:

- *parses*: the answer, or what stands in the code fence around all of it, is exactly one statement of the dialect, and
  of a kind that sqlglot knows (it reads `VACUUM` or `SHOW` without understanding them: those do not count).
- *reads*, unless `read_only` is false: the statement is a query, and writes nothing.
- *tables* and *columns*, where `tables` gives the schema: the share of the tables and of the columns named that exist
  where they are looked for. A column without a table may be of any table in reach; what a sub-query or CTE hands on is
  known by its own columns. A statement that names none has them all. Capitals make no difference.

The score is the mean of the parts; an answer passes when all are 1. Limits: sqlglot is lenient, and accepts some of
what a database would refuse; types, and whether the query answers the question, are not judged. In a statement that
writes, columns are looked for in all tables that it names. An answer over 10,000 characters, or one nested deeper than
the parser can follow, does not parse.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any, Final

import sqlglot
from pydantic import field_validator
from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.optimizer.scope import Scope, traverse_scope

from learners.fences import unfenced
from storage.records.settings import Settings as BaseSettings
from storage.records.settings import setting

from . import Validated

MAX_CHARS: Final = 10_000

Schema = Mapping[str, frozenset[str]]
Names = frozenset[str] | None  # None: it may have any column

_CHANGES: Final = (exp.DML, exp.DDL, exp.Drop, exp.Alter, exp.TruncateTable)
_WRITES: Final = (*_CHANGES, exp.Into)


class Settings(BaseSettings):
    """Which SQL, and over which tables."""

    dialect: str = setting("", doc="One of sqlglot's dialects, such as postgres or sqlite; empty is its own mixture.")
    read_only: bool = setting(True, doc="Whether the statement must be a query that writes nothing.")
    tables: dict[str, tuple[str, ...]] = setting(
        {}, doc="The schema: tables, and the columns of each; none: unchecked."
    )

    @field_validator("dialect")
    @classmethod
    def _is_known(cls, dialect: str) -> str:
        if Dialect.get(dialect) is None:
            known = ", ".join(sorted(name for name in Dialect.classes if name))
            raise ValueError(f"sqlglot knows no dialect {dialect!r:.60}; it knows {known}")
        return dialect


def open(settings: Settings) -> Sql:
    """The validator with these settings."""
    logging.getLogger("sqlglot").disabled = True  # it would quote the answer
    return Sql(settings)


class Sql:
    """The validator. Stateless, so that threads may share it."""

    def __init__(self, settings: Settings) -> None:
        self._dialect, self._read_only = settings.dialect, settings.read_only
        self._schema = {
            table.casefold(): frozenset(column.casefold() for column in columns)
            for table, columns in settings.tables.items()
        }

    def validate(self, prompt: str, answer: str) -> Validated:
        """Judge `answer` by grammar and schema; the prompt plays no part. Never raises."""
        del prompt
        parts = self._parts(self._parse(answer))
        checks = {name: part == 1.0 for name, part in parts.items()}
        return Validated(sum(parts.values()) / len(parts), all(checks.values()), checks, parts)

    def _parse(self, answer: str) -> exp.Expr | None:
        text = unfenced(answer) if len(answer) <= MAX_CHARS else ""
        try:
            found = [statement for statement in sqlglot.parse(text, dialect=self._dialect) if statement is not None]
        except Exception:  # a parser of this size, given anything at all, has more ways to fail than it documents
            return None
        known = len(found) == 1 and isinstance(found[0], (exp.Query, *_CHANGES))
        return found[0] if known else None

    def _parts(self, statement: exp.Expr | None) -> dict[str, float]:
        parts = {"parses": float(statement is not None)}
        if self._read_only:
            parts["reads"] = float(statement is not None and _only_reads(statement))
        if self._schema:
            parts |= {"tables": 0.0, "columns": 0.0} if statement is None else self._names(statement)
        return parts

    def _names(self, statement: exp.Expr) -> dict[str, float]:
        try:
            return {
                "tables": _share(table in self._schema for table in _tables(statement)),
                "columns": _share(_columns(statement, self._schema)),
            }
        except Exception:  # as above: scopes of what only just parses
            return {"tables": 0.0, "columns": 0.0}


def _share(holds: Iterable[bool]) -> float:
    each = list(holds)
    return sum(each) / len(each) if each else 1.0


def _only_reads(statement: exp.Expr) -> bool:
    return isinstance(statement, exp.Query) and not any(isinstance(node, _WRITES) for node in statement.walk())


def _tables(statement: exp.Expr) -> Iterator[str]:
    """Names of tables, each time that one is named; those that the statement itself makes by WITH left out."""
    own = {cte.alias.casefold() for cte in statement.find_all(exp.CTE)}
    for table in statement.find_all(exp.Table):
        if isinstance(table.this, exp.Identifier) and table.name.casefold() not in own:
            yield table.name.casefold()


def _columns(statement: exp.Expr, schema: Schema) -> Iterator[bool]:
    """For each column that is named, whether it exists where it is looked for."""
    if not isinstance(statement, exp.Query):
        reached = frozenset().union(*(schema.get(table, frozenset()) for table in _tables(statement)))
        yield from (column.name.casefold() in reached for column in statement.find_all(exp.Column))
        return
    known: dict[int, Names] = {}
    seen: set[int] = set()
    for scope in traverse_scope(statement):  # the inner ones first; the outer name again what those look for in them
        known[id(scope)] = _handed_on(scope, schema, known)
        for column in scope.columns:
            if id(column) not in seen and not isinstance(column.this, exp.Star):
                seen.add(id(column))
                yield _exists(column, scope, schema, known)


def _exists(column: exp.Column, scope: Scope, schema: Schema, known: Mapping[int, Names]) -> bool:
    """In the scope, or in one around it; by its own alias too, which ORDER BY and HAVING may use."""
    name, table = column.name.casefold(), column.table.casefold()
    around: Scope | None = scope
    while around is not None:
        if not table and name in _own_names(around, known):
            return True
        for alias, source in around.sources.items():
            if table and alias.casefold() != table:
                continue
            names = _names_of(source, schema, known)
            if names is None or name in names:
                return True
        around = around.parent
    return False


def _own_names(scope: Scope, known: Mapping[int, Names]) -> Set[str]:
    """What ORDER BY and HAVING may call the columns that a query makes; of a UNION, those of its first part."""
    if scope.set_operation_scopes:
        return known.get(id(scope.set_operation_scopes[0])) or frozenset()
    expression: Any = scope.expression
    selects = expression.selects if isinstance(expression, exp.Query) else ()
    return {select.alias.casefold() for select in selects if isinstance(select, exp.Alias)}


def _names_of(source: Any, schema: Schema, known: Mapping[int, Names]) -> Names:
    if isinstance(source, Scope):
        return known.get(id(source))
    is_table = isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier)
    return schema.get(source.name.casefold(), frozenset()) if is_table and not source.args.get("pivots") else None


def _handed_on(scope: Scope, schema: Schema, known: Mapping[int, Names]) -> Names:
    """The columns that a scope gives to the one around it; a star gives all that it reaches."""
    if not isinstance(scope.expression, exp.Query):
        return None
    if scope.set_operation_scopes:
        return known.get(id(scope.set_operation_scopes[0]))
    found = {name.casefold() for name in scope.expression.named_selects}
    if scope.expression.is_star:
        for source in scope.sources.values():
            names = _names_of(source, schema, known)
            if names is None:
                return None
            found |= names
    return frozenset(found)
