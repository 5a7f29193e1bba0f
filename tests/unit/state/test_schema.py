"""Making and opening a state file: whole, or refused with a way out; never replaced."""

from __future__ import annotations

import re
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.api.ids import new_client_request_id
from pipeline.errors import DiskFull, StateRefused, UsageError
from pipeline.state.schema import APPLICATION_ID, SCHEMA_VERSION, connect, connect_reader, create, refuse_network_disk
from tests.unit.making import rows_named
from tests.unit.state.conftest import take

OPEN = pytest.mark.parametrize("opened", [connect, connect_reader])


def test_a_new_state_file_is_whole_and_private(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["state.db"]
    with closing(connect(path)) as db:
        assert db.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA synchronous").fetchone() == (2,), "a commit that returned must be on disk"
        assert db.execute("PRAGMA foreign_keys").fetchone() == (1,)


def test_what_an_interrupted_making_left_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "state.db.new").write_bytes(b"half of it")

    create(tmp_path / "state.db")

    connect(tmp_path / "state.db").close()
    assert not (tmp_path / "state.db.new").exists()


def test_each_job_has_a_tag_of_its_own(tmp_path: Path) -> None:
    tags = set()
    for name in ("a", "b"):
        create(tmp_path / name)
        with closing(connect_reader(tmp_path / name)) as db:
            tags |= set(db.execute("SELECT value FROM job WHERE name = 'tag'"))

    assert len(tags) == 2


def other_database(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE clips(x)")


def with_pragma(pragma: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with closing(sqlite3.connect(path)) as db:
            db.execute(f"PRAGMA {pragma}")

    return change


def cut(share: float) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "it is cut short"),
    "fifty bytes": (lambda path: path.write_bytes(path.read_bytes()[:50]), "it is cut short"),
    "half": (cut(0.5), "bytes are missing"),
    "one byte short": (lambda path: path.write_bytes(path.read_bytes()[:-1]), "bytes are missing"),
    "text": (lambda path: path.write_text("hello " * 1000), "it isn't a database"),
    "zeros": (lambda path: path.write_bytes(bytes(20_000)), "it isn't a database"),
    "gone": (lambda path: path.unlink(), "can't be opened"),
    "another program's": (other_database, "isn't a state file of avatar-batch: choose another --out"),
    "another application id": (with_pragma("application_id=7"), "isn't a state file of avatar-batch"),
    "a newer version": (
        with_pragma(f"user_version={SCHEMA_VERSION + 1}"),
        f"was written by a newer avatar-batch (schema {SCHEMA_VERSION + 1}",
    ),
    "an older version": (with_pragma("user_version=0"), "was written by an older avatar-batch (schema 0"),
}


@OPEN
@pytest.mark.parametrize(("change", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_sound_state_file_is_refused_and_left_as_it_is(
    path: Path, change: Callable[[Path], object], words: str, opened: Callable[[Path], sqlite3.Connection]
) -> None:
    change(path)
    before = path.read_bytes() if path.exists() else None

    with pytest.raises(StateRefused) as caught:
        opened(path)

    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (path.read_bytes() if path.exists() else None) == before


def test_a_damaged_page_is_found_before_anything_is_written(path: Path) -> None:
    take(path, rows_named([f"row-{number}" for number in range(200)]))
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 5] = b"\xa5" * 8192
    path.write_bytes(content)

    with pytest.raises(StateRefused, match=r"sqlite3 .* \.recover"):
        connect(path)


def checkpoint_cut_after_its_first_page(path: Path, folder: Path) -> Path:
    """What a kill leaves amid a checkpoint: the log is whole, of the file only the first page is new.

    SQLite copies pages in their order, and the first says how many there are.
    """
    with closing(connect(path)) as db:
        db.execute("PRAGMA wal_autocheckpoint=0")
        db.executemany(
            "INSERT INTO looks VALUES (?, 's', 'k', ?)", [(f"p{number}", "x" * 200) for number in range(500)]
        )
        log = path.with_name("state.db-wal").read_bytes()
        file = bytearray(path.read_bytes())
    page_bytes = struct.unpack(">I", log[8:12])[0]
    frames = range(32, len(log), 24 + page_bytes)
    first_page = [at for at in frames if struct.unpack(">I", log[at : at + 4])[0] == 1][-1]
    file[:page_bytes] = log[first_page + 24 : first_page + 24 + page_bytes]
    (folder / "state.db").write_bytes(file)
    (folder / "state.db-wal").write_bytes(log)
    return folder / "state.db"


@OPEN
def test_a_kill_amid_a_checkpoint_loses_nothing(
    path: Path, tmp_path: Path, opened: Callable[[Path], sqlite3.Connection]
) -> None:
    (tmp_path / "killed").mkdir()
    killed = checkpoint_cut_after_its_first_page(path, tmp_path / "killed")

    with closing(opened(killed)) as db:
        assert db.execute("SELECT count(*) FROM looks").fetchone() == (500,)


def test_a_log_without_its_file_is_neither_lost_nor_mixed_into_a_new_one(path: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    log = tmp_path / "new" / "state.db-wal"
    with closing(connect(path)) as db:
        db.execute("INSERT INTO looks VALUES ('p', 's', 'k', 'f')")
        log.write_bytes(path.with_name("state.db-wal").read_bytes())
    before = log.read_bytes()

    with pytest.raises(StateRefused, match=r"state\.db-wal"):
        create(tmp_path / "new" / "state.db")

    assert [file.name for file in log.parent.iterdir()] == ["state.db-wal"]
    assert log.read_bytes() == before


@OPEN
@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_FULL])
def test_a_full_or_failing_disk_is_not_taken_for_a_damaged_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, opened: Callable[[Path], sqlite3.Connection], code: int
) -> None:
    def fails(*_: object, **__: object) -> sqlite3.Connection:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = code
        raise error

    monkeypatch.setattr("pipeline.state.schema._refuse_foreign", fails)
    with pytest.raises(DiskFull, match="free space"):
        opened(path)


def test_a_reader_needs_no_room_beside_a_file_whose_log_is_empty(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.with_name("state.db-wal").touch()  # as a run leaves it that found no room to begin
    really = sqlite3.connect

    def no_room(address: str, **options: object) -> sqlite3.Connection:
        if "immutable" not in address:
            raise sqlite3.OperationalError("disk I/O error")
        return really(address, **options)  # type: ignore[call-overload, no-any-return]  # as they came

    monkeypatch.setattr("pipeline.state.schema.sqlite3.connect", no_room)
    with closing(connect_reader(path)) as db:
        assert db.execute("SELECT count(*) FROM clips").fetchone() == (0,)


def test_a_reader_sees_what_is_committed_and_writes_nothing(path: Path) -> None:
    with closing(connect(path)) as writer, closing(connect_reader(path)) as reader:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("INSERT INTO looks VALUES ('p', 's', 'k', 'f')")
        assert reader.execute("SELECT count(*) FROM looks").fetchone() == (0,)
        writer.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM looks").fetchone() == (1,)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.execute("DELETE FROM looks")


def test_one_file_is_left_when_all_have_gone(path: Path) -> None:
    writer, reader = connect(path), connect_reader(path)
    writer.execute("INSERT INTO looks VALUES ('p', 's', 'k', 'f')")
    writer.close()
    reader.close()

    assert [file.name for file in path.parent.iterdir()] == ["state.db"]


MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
36 22 0:44 / /mnt/share rw,relatime shared:2 - {kind} host:/export rw
37 36 0:45 / /mnt/share/local\\040disk rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(("kind", "folder", "refused"), [
    ("nfs4", "/mnt/share/out", True), ("cifs", "/mnt/share", True), ("fuse.sshfs", "/mnt/share/a/b", True), ("ext4", "/mnt/share/out", False),
    ("nfs4", "/mnt/shared/out", False), ("nfs4", "/mnt/share/local disk/out", False), ("nfs4", "/home/me/out", False),
])  # fmt: skip
def test_a_network_disk_is_refused(monkeypatch: pytest.MonkeyPatch, kind: str, folder: str, refused: bool) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: MOUNTS.format(kind=kind))

    if refused:
        with pytest.raises(UsageError, match=rf"is on a network disk \({kind}\).*choose a local --out"):
            refuse_network_disk(Path(folder))
    else:
        refuse_network_disk(Path(folder))


def test_where_mounts_can_not_be_told_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_proc(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", no_proc)

    refuse_network_disk(Path("/anywhere"))


KEPT_BY_THE_API = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def tag_of(path: Path) -> object:
    with closing(connect(path)) as db:
        (tag,) = db.execute("SELECT value FROM job WHERE name = 'tag'").fetchone()
    return tag


@pytest.mark.parametrize("token", ["65132e78", "01234567", "12345678", "1e999999", "deadbeef"])
def test_a_jobs_tag_is_never_taken_for_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda _: token)
    create(tmp_path / "state.db")

    tag = tag_of(tmp_path / "state.db")

    assert isinstance(tag, str)
    assert token in tag
    assert KEPT_BY_THE_API.fullmatch(new_client_request_id(tag))


@pytest.mark.parametrize("value", ["65132e78", "01234567"])
def test_a_tag_that_was_taken_for_a_number_is_made_anew_once(tmp_path: Path, value: str) -> None:
    path = tmp_path / "state.db"
    create(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript("DROP TABLE job; CREATE TABLE job (name TEXT PRIMARY KEY, value ANY NOT NULL) WITHOUT ROWID")
        db.execute("INSERT INTO job VALUES ('tag', ?)", (value,))
        assert db.execute("SELECT typeof(value) FROM job").fetchone() != ("text",)

    tag = tag_of(path)

    assert isinstance(tag, str)
    assert KEPT_BY_THE_API.fullmatch(new_client_request_id(tag))
    assert tag_of(path) == tag
