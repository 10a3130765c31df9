"""What the migrations make is what `tables.py` says, and a migration that fails leaves nothing."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text

from storage import buffer, failures, migrations, tunings, updates
from storage.dialects import sqlite
from storage.records import Message, codec
from storage.records.prompts import prompt_key
from storage.store import Store
from storage.tables import metadata
from tests.storage.makers import example

SCHEMA = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE '%alembic%' AND sql IS NOT NULL"


def shapes(tx: Connection) -> dict[tuple[str, str], str]:
    """Each table and index in SQL, without regard to layout or to the order of a table's lines."""
    found = {}
    for kind, name, sql in tx.execute(text(SCHEMA)):
        lines = " ".join(sql.replace('"', "").split()).replace(", ", ",").split(",") if kind == "table" else [sql]
        found[kind, name] = "\n".join(sorted(line.strip(" ()") for line in lines))
    return found


def test_alembic_finds_no_difference_between_tables_and_migrations(store: Store) -> None:
    def differences(tx: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(tx, opts={"compare_type": True}), metadata))

    assert store.read(differences) == []


def test_tables_and_migrations_make_the_same_sql_partial_indexes_too(store: Store) -> None:
    engine = create_engine("sqlite://")
    with engine.begin() as tx:
        metadata.create_all(tx)
        from_tables = shapes(tx)
    engine.dispose()
    assert store.read(shapes) == from_tables


def test_head_is_the_newest_revision(store: Store) -> None:
    def heads(tx: Connection) -> list[str]:
        return ScriptDirectory.from_config(migrations.config_for(tx)).get_heads()

    assert store.read(heads) == [migrations.HEAD]
    assert store.read(migrations.revision_of) == migrations.HEAD


def test_a_migration_that_fails_half_way_leaves_nothing(url: str) -> None:
    path = sqlite.path_of(url)
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE updates (x)")  # in the way of the last tables
    raw.close()
    with pytest.raises(Exception, match="updates"):
        Store.open(url)
    with sqlite3.connect(path) as raw:
        assert [name for (name,) in raw.execute("SELECT name FROM sqlite_master")] == ["updates"]
    raw.close()


def test_opening_an_up_to_date_store_does_not_import_alembic(url: str, store: Store) -> None:
    store.close()
    script = (
        "import sys\n"
        "from storage.store import Store\n"
        f"Store.open({url!r}).close()\n"
        "sys.exit(any(name.split('.')[0] == 'alembic' for name in sys.modules))\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == 0


def test_migrations_are_packages_so_that_an_installation_carries_them() -> None:
    folder = Path(migrations.__file__).parent
    assert (folder / "versions" / "__init__.py").is_file()
    assert (folder / "env.py").is_file()


def test_a_store_of_the_first_schema_is_brought_up_to_date_with_what_it_holds(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as tx:
        command.upgrade(migrations.config_for(tx), "0001")
        tx.execute(text("INSERT INTO example (task, interaction_id, rev) VALUES ('erd', 'kept', 1)"))
    engine.dispose()
    with Store.open(url) as store:
        assert store.read(migrations.revision_of) == migrations.HEAD
        assert store.read(lambda tx: tx.execute(text("SELECT interaction_id FROM example")).scalars().all()) == ["kept"]
        assert store.read(lambda tx: failures.list_failures(tx, "erd")) == []


def test_a_gate_of_before_there_were_prompt_keys_gets_them(url: str) -> None:
    record = codec.to_json(example("old", messages=(Message("user", "Draw a shop"),))).decode()
    row = "INSERT INTO example (task, interaction_id, rev, revision, labelled, joined, withdrawn, fold, record) VALUES "
    engine = create_engine(url)
    with engine.begin() as tx:
        command.upgrade(migrations.config_for(tx), "0005")
        for fold, name in (("gate", "old"), ("gate", "same"), ("train", "other")):
            values = {"name": name, "fold": fold, "record": record}
            tx.execute(text(f"{row}('erd', :name, 1, 1, 1, 1, 0, :fold, :record)"), values)
        tx.execute(text(f"{row}('erd', 'empty', 1, NULL, NULL, NULL, NULL, 'gate', NULL)"))
    engine.dispose()
    with Store.open(url) as store:
        assert store.read(lambda tx: buffer.gate_prompts(tx, "erd", labelled=True)) == 1
        keys = store.read(lambda tx: tx.execute(text("SELECT prompt_key FROM example ORDER BY id")).scalars().all())
        key = prompt_key((Message("user", "draw a SHOP"),))
        assert keys == [key, key, None, None]


def test_scores_and_studies_of_before_there_were_yardsticks_stay_and_theirs_is_not_known(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as tx:
        command.upgrade(migrations.config_for(tx), "0006")
        tx.execute(
            text(
                "INSERT INTO adapter (name, task, version, base_hash, created_at, state, files, manifest) "
                "VALUES ('erd@v0', 'erd', 0, 'base', 0, 'champion', '{}', '{}')"
            )
        )
        tx.execute(text("INSERT INTO score VALUES ('erd@v0', 'validator', 0.5, 60, 0)"))
        tx.execute(
            text("INSERT INTO study VALUES (1, 'erd', 'sft', 'base', 'open', 24, 5, 0, 30, '[]', '{}', 'due', 0, 0)")
        )
    engine.dispose()
    with Store.open(url) as store:
        (kept,) = store.read(lambda tx: updates.scores(tx, "erd"))
        assert (kept.value, kept.count, kept.yardstick) == (0.5, 60, None)
        study = store.read(lambda tx: tunings.open_study_of(tx, "erd"))
        assert study is not None
        assert (study.done, study.yardstick) == (5, None)
        newer = replace(kept, value=0.6, yardstick="a")
        store.write(lambda tx: updates.save_scores(tx, [newer]))
        assert store.read(lambda tx: updates.scores(tx, "erd")) == [newer]
