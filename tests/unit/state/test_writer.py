"""The one thread that writes: groups, atoms, durability, and a full disk."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.errors import AvatarBatchError, DiskFull, StateBroken
from pipeline.state.schema import connect
from pipeline.state.writer import MAX_GROUP, Writer


@pytest.fixture
async def writer(path: Path) -> AsyncIterator[Writer]:
    one = Writer(connect(path), str(path))
    yield one
    await one.close()


def insert(name: str, facts: str = "") -> Callable[[sqlite3.Connection], str]:
    def job(db: sqlite3.Connection) -> str:
        db.execute("INSERT INTO looks VALUES (?, '', '', ?)", (name, facts))
        return name

    return job


def stored(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        return [name for (name,) in db.execute("SELECT path FROM looks")]


async def test_what_was_awaited_is_there_for_all(writer: Writer, path: Path) -> None:
    result = await writer.do(insert("a"))

    assert result == "a"
    assert stored(path) == ["a"]


async def test_jobs_that_come_together_share_a_commit(writer: Writer, path: Path) -> None:
    statements: list[str] = []
    await writer.do(lambda db: db.set_trace_callback(statements.append))

    await asyncio.gather(*(writer.do(insert(f"{number:04}")) for number in range(200)))

    commits = statements.count("COMMIT")
    assert len(stored(path)) == 200
    assert commits < 100, "200 jobs took as many flushes"
    assert commits >= 200 // MAX_GROUP


async def test_jobs_run_in_the_order_in_which_they_came(writer: Writer) -> None:
    order: list[int] = []

    await asyncio.gather(*(writer.do(lambda _, number=number: order.append(number)) for number in range(100)))  # type: ignore[misc]

    assert order == list(range(100))


async def test_a_failing_job_harms_no_other_and_leaves_nothing(writer: Writer, path: Path) -> None:
    def half(db: sqlite3.Connection) -> None:
        insert("half")(db)
        raise ValueError("second half")

    jobs: list[Callable[[sqlite3.Connection], object]] = [insert("a"), half, insert("b"), insert("a")]
    results = await asyncio.gather(*(writer.do(job) for job in jobs), return_exceptions=True)

    assert results[0] == "a"
    assert isinstance(results[1], ValueError)
    assert results[2] == "b"
    assert isinstance(results[3], sqlite3.IntegrityError)
    assert sorted(stored(path)) == ["a", "b"]


async def test_a_waiter_that_is_cancelled_takes_nothing_back(writer: Writer, path: Path) -> None:
    waiting = asyncio.create_task(writer.do(insert("a")))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    await writer.do(insert("b"))

    assert stored(path) == ["a", "b"]


async def test_what_fails_when_nobody_waits_for_it_any_more_is_no_news(writer: Writer) -> None:
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    begun, go = threading.Event(), threading.Event()

    def full(_: sqlite3.Connection) -> None:
        begun.set()
        assert go.wait(10)
        raise sqlite_error(sqlite3.OperationalError, "database or disk is full", sqlite3.SQLITE_FULL)

    waiting = asyncio.create_task(writer.do(full))
    assert await asyncio.to_thread(begun.wait, 10)
    waiting.cancel()
    await asyncio.wait([waiting])
    del waiting
    go.set()
    await writer.do(insert("b"))
    gc.collect()

    assert told == []


async def test_a_full_disk_fails_the_whole_group_and_nothing_of_it_stays(writer: Writer, path: Path) -> None:
    (pages,) = await writer.do(lambda db: db.execute("PRAGMA page_count").fetchone())
    await writer.do(lambda db: db.execute(f"PRAGMA max_page_count={pages + 2}").fetchone())

    results = await asyncio.gather(
        writer.do(insert("small")), writer.do(insert("large", "x" * 100_000)), return_exceptions=True
    )

    assert isinstance(results[1], DiskFull)
    assert "Free space, then run again" in str(results[1])
    assert (results[0] == "small") == ("small" in stored(path)), "what was said to be written is"
    assert "large" not in stored(path)

    await writer.do(lambda db: db.execute("PRAGMA max_page_count=1000000").fetchone())
    await writer.do(insert("later", "x" * 100_000))
    assert "later" in stored(path)


def sqlite_error(kind: type[sqlite3.Error], text: str, code: int) -> sqlite3.Error:
    error = kind(text)
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (sqlite_error(sqlite3.OperationalError, "database or disk is full", sqlite3.SQLITE_FULL), DiskFull),
        (sqlite_error(sqlite3.OperationalError, "disk I/O error", sqlite3.SQLITE_IOERR), DiskFull),
        (sqlite_error(sqlite3.OperationalError, "disk I/O error", sqlite3.SQLITE_IOERR_WRITE), DiskFull),
        (
            sqlite_error(sqlite3.OperationalError, "attempt to write a readonly database", sqlite3.SQLITE_READONLY),
            DiskFull,
        ),
        (sqlite_error(sqlite3.DatabaseError, "database disk image is malformed", sqlite3.SQLITE_CORRUPT), StateBroken),
        (MemoryError(), StateBroken),
    ],
)
async def test_trouble_of_the_disk_or_the_file_has_its_remedy(
    writer: Writer, path: Path, error: Exception, remedy: type[AvatarBatchError]
) -> None:
    def job(db: sqlite3.Connection) -> None:
        insert("a")(db)
        raise error

    with pytest.raises(remedy, match=str(path)):
        await writer.do(job)

    assert stored(path) == []
    await writer.do(insert("b"))
    assert stored(path) == ["b"]


async def test_what_nobody_waits_for_is_written_in_its_turn(writer: Writer, path: Path) -> None:
    def bad(db: sqlite3.Connection) -> None:
        raise ValueError

    writer.post(insert("a"))
    writer.post(bad)

    await writer.do(insert("b"))

    assert stored(path) == ["a", "b"]


async def test_closing_finishes_what_was_asked_for_and_leaves_one_file(path: Path) -> None:
    writer = Writer(connect(path), str(path))
    waiting = [asyncio.ensure_future(writer.do(insert(f"{number:04}"))) for number in range(50)]
    await asyncio.sleep(0)

    await writer.close()

    await asyncio.gather(*waiting)
    assert len(stored(path)) == 50
    assert [file.name for file in path.parent.iterdir()] == ["state.db"]


async def test_after_closing_nothing_hangs(path: Path) -> None:
    writer = Writer(connect(path), str(path))
    await writer.close()

    with pytest.raises(RuntimeError, match="is closed"):
        await asyncio.wait_for(writer.do(insert("late")), 5)
    assert stored(path) == []
