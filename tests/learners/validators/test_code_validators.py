"""The rules of `python_syntax` and `sql`: what parses, what it must hold, and what no text may do to them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from learners.validators import Validated, open_validator

SHOP = {"Customers": ["id", "name"], "orders": ["id", "customer_id", "total"]}


def python(answer: str, *defines: str) -> Validated:
    return open_validator("python_syntax", {"defines": list(defines)}).validate("", answer)


def sql(answer: str, **settings: Any) -> Validated:
    return open_validator("sql", {"dialect": "postgres", "tables": SHOP, **settings}).validate("", answer)


def failed(found: Validated) -> list[str]:
    return [name for name, holds in found.checks.items() if not holds]


@pytest.mark.parametrize(
    ("answer", "fails"),
    [
        ("x = 1", []),
        ("print('hi')", []),
        ("```python\ndef f(x):\n    return x\n```", []),
        ("def f(:", ["parses", "statements", "whole"]),
        ("Yes", ["statements"]),
        ('"""A docstring."""', ["statements"]),
        ("# only a comment", ["statements"]),
        ("def f():\n    pass", ["whole"]),
        ("async def f():\n    ...", ["whole"]),
        ("def f():\n    '''Says much.'''", ["whole"]),
        ("class Empty(Exception):\n    pass", []),
        ("@overload\ndef f(x: int) -> int: ...", []),
        ("@abc.abstractmethod\ndef f(self): ...", []),
        ("x = 1  # TODO: more", ["whole"]),
        ("x = 'TODO'", []),
        ("re.compile('\\d')", []),
    ],
)
def test_python_must_parse_do_something_and_be_whole(answer: str, fails: list[str]) -> None:
    assert failed(python(answer)) == fails


def test_the_names_that_were_asked_for_must_be_defined_at_the_top() -> None:
    code = "import os\nX, (y, z) = 1, (2, 3)\nn: int = 4\nclass C:\n    def inner(self): return 1\ndef f(): return C"
    assert failed(python(code, "X", "z", "n", "C", "f")) == []
    assert failed(python(code, "inner", "os", "g")) == ["defines:inner", "defines:os", "defines:g"]
    assert python(code, "f", "g").score == pytest.approx(4 / 5)
    with pytest.raises(ValidationError, match="can be no name"):
        open_validator("python_syntax", {"defines": ["no name"]})


def test_nothing_of_the_code_is_executed(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    assert python(f"open({str(mark)!r}, 'w').write('here')").passed
    assert not mark.exists()


@pytest.mark.parametrize(
    "text",
    [
        "(" * 49_000,
        "-" * 49_000 + "1",
        "a" + ".b" * 24_000,
        "+".join("1" * 20_000),
        "lambda:" * 7_000 + "1",
        "\x00" * 1000,
        "x = '\ud800'",
        "".join(f"{' ' * depth}if 1:\n" for depth in range(200)),
        "{[(" * 60,
        "x = 1\n" * 50_000,
    ],
    ids=["brackets", "minus", "attributes", "plus", "lambdas", "NUL", "surrogate", "indents", "nest", "long"],
)
def test_python_that_would_break_a_parser_does_not_parse(text: str) -> None:
    assert python(text).score == 0.0


def test_what_python_warns_of_is_neither_said_nor_held_against_the_answer(capfd: pytest.CaptureFixture[str]) -> None:
    for how in ("error", "always"):
        with warnings.catch_warnings():
            warnings.simplefilter(how)
            assert python("x = '\\d' is 1").passed
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "query",
    [
        "SELECT name FROM customers;",
        "select Name from CUSTOMERS",
        "SELECT c.name, SUM(o.total) t FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY 1 ORDER BY t",
        "WITH big AS (SELECT customer_id i, total FROM orders WHERE total > 9) SELECT i, big.total FROM big",
        "SELECT * FROM (SELECT * FROM orders) o WHERE o.total > 1",
        "SELECT name FROM customers c WHERE EXISTS (SELECT 1 FROM orders WHERE customer_id = c.id AND name <> '')",
        "SELECT id FROM customers UNION SELECT customer_id FROM orders ORDER BY id",
        "SELECT u.id FROM (SELECT id FROM customers UNION ALL SELECT id FROM orders) u",
        "SELECT count(*) FROM orders",
        "SELECT lower(name) n FROM customers GROUP BY n HAVING n > 'a'",
        "SELECT x.anything FROM generate_series(1, 3) AS x",
        "SELECT 1",
    ],
)
def test_a_query_over_what_there_is_passes(query: str) -> None:
    assert failed(sql(query)) == []


@pytest.mark.parametrize(
    ("query", "fails"),
    [
        ("SELEC name FROM customers", ["parses", "reads", "tables", "columns"]),
        ("SELECT name FROM customers; SELECT 1", ["parses", "reads", "tables", "columns"]),
        ("VACUUM", ["parses", "reads", "tables", "columns"]),
        ("Yes.", ["parses", "reads", "tables", "columns"]),
        ("DELETE FROM customers", ["reads"]),
        ("CREATE TABLE orders AS SELECT id FROM customers", ["reads"]),
        ("SELECT id INTO orders FROM customers", ["reads"]),
        ("WITH gone AS (DELETE FROM orders RETURNING id) SELECT * FROM gone", ["reads"]),
        ("SELECT nme FROM customers", ["columns"]),
        ("SELECT o.total FROM customers o", ["columns"]),
        ("SELECT total FROM customers", ["columns"]),
        ("WITH a AS (SELECT id FROM orders) SELECT total FROM a", ["columns"]),
        ("SELECT * FROM clients", ["tables"]),
        ("SELECT x.total FROM orders o", ["columns"]),
    ],
)
def test_a_query_that_is_none_writes_or_names_what_is_not_there_fails(query: str, fails: list[str]) -> None:
    assert failed(sql(query)) == fails


def test_tables_and_columns_score_the_share_that_exists() -> None:
    found = sql("SELECT name, age, total FROM customers, orders, invoices")
    assert found.parts["tables"] == pytest.approx(2 / 3)
    assert found.parts["columns"] == pytest.approx(2 / 3)
    assert found.score == pytest.approx((1 + 1 + 2 / 3 + 2 / 3) / 4)


def test_writing_is_judged_where_it_is_allowed() -> None:
    assert sql("UPDATE customers SET name = 'x' WHERE id = 1", read_only=False).passed
    assert failed(sql("UPDATE customers SET nme = 'x'", read_only=False)) == ["columns"]


def test_the_dialect_decides_what_parses() -> None:
    backticks = "SELECT `name` FROM `customers`"
    assert not sql(backticks).checks["parses"]
    assert sql(backticks, dialect="mysql").passed
    with pytest.raises(ValidationError, match=r"no dialect 'sqll'; it knows .*sqlite"):
        open_validator("sql", {"dialect": "sqll"})


@pytest.mark.parametrize(
    "text",
    [
        "SELECT " + "(" * 9_000,
        "SELECT " + "NOT " * 4_000 + "1",
        "SELECT * FROM " + "(SELECT * FROM " * 300 + "orders" + ")" * 300,
        ";" * 9_000,
        "\x00" * 1000,
        "'" * 9_999,
        "SELECT 1," * 30_000,
    ],
    ids=["brackets", "not", "nested", "empty", "NUL", "quote", "long"],
)
def test_sql_that_would_break_a_parser_does_not_parse(text: str) -> None:
    assert sql(text).score == 0.0


def test_stars_over_stars_cost_no_more_than_their_length() -> None:
    """Each level doubles the columns of the one before: written out they would be more than there are atoms."""
    levels = ", ".join(f"t{i} AS (SELECT * FROM t{i - 1} a, t{i - 1} b)" for i in range(1, 100))
    assert sql(f"WITH t0 AS (SELECT * FROM orders), {levels} SELECT total FROM t99").passed


def test_what_sqlglot_does_not_understand_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    sql("SHOW my_secret")
    assert "my_secret" not in caplog.text
