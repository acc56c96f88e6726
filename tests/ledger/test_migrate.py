"""The schema is what the code expects, however often and from wherever it is brought there."""

from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context

import pytest
from sqlalchemy import text

from ledger import migrate
from ledger.database import Database
from tests.ledger.scene import Scene


def test_the_migrated_schema_is_the_one_in_code(scene: Scene) -> None:
    assert migrate.differences(scene.database) == []
    assert migrate.is_current(scene.database)


def test_an_empty_database_is_not_current(empty_url: str) -> None:
    database = Database(empty_url)

    is_current = migrate.is_current(database)

    assert not is_current
    assert migrate.differences(database) != []


def test_upgrading_again_changes_nothing(scene: Scene) -> None:
    scene.funded()

    migrate.upgrade(scene.database)

    assert scene.balance()["spendable_minor"] == 2000
    assert migrate.differences(scene.database) == []


def test_database_of_a_newer_version_is_left_as_it_is_and_told_of(scene: Scene) -> None:
    with scene.database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(migrate.NewerSchemaError, match="9999"):
        migrate.upgrade(scene.database)

    assert not migrate.is_current(scene.database)
    assert migrate.differences(scene.database) == []


def test_threads_that_upgrade_at_once_all_find_the_schema_in_place(empty_url: str) -> None:
    databases = [Database(empty_url) for _ in range(4)]

    with ThreadPoolExecutor(len(databases)) as pool:
        list(pool.map(migrate.upgrade, databases))

    assert all(migrate.is_current(database) for database in databases)


def test_two_processes_that_upgrade_at_once_both_end_well(empty_url: str) -> None:
    processes = get_context("spawn")
    workers = [processes.Process(target=_upgrade, args=(empty_url,)) for _ in range(2)]

    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)

    assert [worker.exitcode for worker in workers] == [0, 0]
    assert migrate.differences(Database(empty_url)) == []


def _upgrade(url: str) -> None:
    migrate.upgrade(Database(url))
