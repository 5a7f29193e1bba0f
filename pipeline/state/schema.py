"""The tables, and opening them: create whole or not at all, check before trust, migrate or refuse.

WAL with ``synchronous=FULL``: a commit that returned is on disk, also after a power cut (sqlite.org/wal.html,
sqlite.org/pragma.html#pragma_synchronous), and readers go on beside the one writer. WAL shares memory between
processes, so it needs a local disk.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

from pipeline.errors import StateRefused, UsageError
from pipeline.placing import flush
from pipeline.state import inspections, notes
from pipeline.state.refusal import damaged, refusal

__all__ = [
    "APPLICATION_ID", "SCHEMA_VERSION", "connect", "connect_reader", "create", "refuse_network_disk",
]  # fmt: skip

APPLICATION_ID = 0x41564254
"""``PRAGMA application_id`` of a state file: "AVBT"."""

SCHEMA_VERSION = 1

_NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "fuse.sshfs", "ncpfs", "davfs", "fuse.s3fs", "fuse.gcsfuse"}
)
_CHECK_WHOLE_BELOW_BYTES = 32 << 20

_TABLES = """
CREATE TABLE job (
    name TEXT PRIMARY KEY,
    value ANY NOT NULL
) WITHOUT ROWID, STRICT;

-- One row a row of the manifest. moved: a counter over all moves; the rows of a status are taken in its order.
CREATE TABLE clips (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL CHECK (status IN
        ('pending', 'submitting', 'rendering', 'downloading', 'done', 'failed', 'unconfirmed')),
    moved INTEGER NOT NULL,
    dropped INTEGER NOT NULL DEFAULT 0,       -- 1: no longer in the manifest
    image TEXT NOT NULL,
    audio TEXT NOT NULL,
    prompt TEXT NOT NULL,
    model TEXT NOT NULL,
    provider TEXT NOT NULL,
    options TEXT NOT NULL,                    -- JSON
    meta TEXT NOT NULL,                       -- JSON
    output TEXT NOT NULL,                     -- relative to OUT
    voice_s REAL,
    estimated_usd REAL,
    image_stamp TEXT NOT NULL,
    audio_stamp TEXT NOT NULL,
    fingerprint TEXT NOT NULL,                -- of the inputs as they are in the manifest now
    attempts INTEGER NOT NULL DEFAULT 0,
    attempt INTEGER REFERENCES attempts (n),  -- the current one
    error_code TEXT,
    error_message TEXT,
    video_url TEXT,
    part TEXT,                                -- JSON: what is known of a download under way
    clip_output TEXT,                         -- what stands in OUT: file, digest, size, length
    sha256 TEXT,
    bytes INTEGER,
    duration_s REAL,
    finished_at REAL
) STRICT;
CREATE INDEX clips_by_status ON clips (status, moved, dropped);

-- One row a submit whose request left or may have left. This is the job's ledger: nothing is ever deleted from it
-- but requests that the API surely did not take.
CREATE TABLE attempts (
    n INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL REFERENCES clips (seq),
    client_request_id TEXT NOT NULL UNIQUE,
    fate TEXT NOT NULL CHECK (fate IN
        ('sent', 'lost', 'accepted', 'completed', 'failed', 'refused', 'unconfirmed')),
    fingerprint TEXT NOT NULL,                -- of the inputs that it was made from
    model TEXT NOT NULL,
    voice_s REAL,
    reserved_usd REAL NOT NULL,
    cost_usd REAL,                            -- as the API says
    generation_id TEXT,
    submitted_at REAL NOT NULL,
    accepted_at REAL,
    ended_at REAL
) STRICT;
CREATE INDEX attempts_by_seq ON attempts (seq);
-- What is reserved or spent is summed at the start of a run.
CREATE INDEX attempts_by_fate ON attempts (fate, cost_usd, reserved_usd);

-- What pictures and voices were found to be, so that resuming does not decode them all again.
CREATE TABLE looks (
    path TEXT PRIMARY KEY,
    stamp TEXT NOT NULL,
    kind TEXT NOT NULL,
    facts TEXT NOT NULL                       -- JSON
) WITHOUT ROWID, STRICT;
"""


def create(path: Path) -> None:
    """Make an empty state file; it appears under its name whole or not at all.

    Raises:
        StateRefused: a state file was here, and only its log is left.
        OSError: OUT can't be written.
        sqlite3.OperationalError: OUT is full.
    """
    for suffix in ("-wal", "-journal"):
        if Path(f"{path}{suffix}").exists():
            # SQLite would replay the old log over the new file.
            raise StateRefused(
                f"{path} is gone, but its log {path.name}{suffix} is there. It knows what is paid for, so nothing starts anew "
                "over it: bring the file back, or move the log away and use another --out"
            )
    Path(f"{path}-shm").unlink(missing_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    # Prompts and ids are nobody else's business.
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(sqlite3.connect(draft, isolation_level=None)) as db:
        db.executescript(f"PRAGMA synchronous=FULL; BEGIN; {_TABLES} {inspections.TABLE} {notes.TABLE} COMMIT;")
        # Part of every client request id: the account's usage log tells this job's requests from all others by it.
        db.execute("INSERT INTO job VALUES ('tag', ?)", (_new_tag(),))
        db.execute(f"PRAGMA application_id={APPLICATION_ID}")
        db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    draft.rename(path)
    flush(path.parent)


def _new_tag() -> str:
    """Letters first: whatever keeps it, it is never taken for a number."""
    return f"t{secrets.token_hex(4)}"


def _mend_tag(db: sqlite3.Connection) -> None:
    """Early state files took a tag such as 65132e78 for a number: the API keeps no id with the plus sign of 6.5132e+82."""
    db.execute("UPDATE job SET value = ? WHERE name = 'tag' AND typeof(value) <> 'text'", (_new_tag(),))


def connect(path: Path) -> sqlite3.Connection:
    """Open a state file that exists, to write, after a look whether it is sound.

    Raises:
        StateRefused: it is damaged, not a state file, or of a version that this program doesn't know.
        DiskFull: the disk has no room for its log, or fails.
    """
    _refuse_truncated(path)
    db = _open(path, "mode=rw")
    try:
        _refuse_foreign(db, path)
        _refuse_damaged(db, path)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA foreign_keys=ON")
        db.execute(inspections.TABLE)
        db.execute(notes.TABLE)
        _mend_tag(db)
    except sqlite3.DatabaseError as error:
        db.close()
        raise refusal(path, error) from None
    except BaseException:
        db.close()
        raise
    return db


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open a state file that exists, to read, also beside a live run.

    It is opened as if to write where that can be, since the last of such connections folds the log into the file
    when it closes, and one that may only read would leave it lying about.

    Raises:
        StateRefused, DiskFull: as ``connect``.
    """
    _refuse_truncated(path)
    problem: object = ""
    # An immutable file has no log; one that has is never read without it.
    last_resort = () if _has_log(path) else ("immutable=1",)
    for how in ("mode=rw", "mode=ro", *last_resort):
        with ExitStack() as stack:
            try:
                db = stack.enter_context(closing(_open(path, how)))
                db.execute("PRAGMA query_only=ON")
                _refuse_foreign(db, path)
            except sqlite3.DatabaseError as error:
                problem = error
                continue
            stack.pop_all()
            return db
    raise refusal(path, problem)


def _open(path: Path, how: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?{how}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=10)


_looked_into: dict[tuple[int, int], int] = {}


def _refuse_truncated(path: Path) -> None:
    """SQLite takes an empty file for a new database; here it is one that lost its content."""
    try:
        head, size_bytes = _head_of(path)
    except OSError as error:
        raise StateRefused(f"{path} can't be opened ({error.strerror}): check its permissions") from None
    if len(head) < 100 or not head.startswith(b"SQLite format 3\0"):
        raise StateRefused(damaged(path, "it is cut short" if len(head) < 100 else "it isn't a database"))
    page_bytes = int.from_bytes(head[16:18], "big")
    page_bytes = 65536 if page_bytes == 1 else page_bytes
    pages = int.from_bytes(head[28:32], "big")
    # The page count of the header is only valid when both change counters agree (sqlite.org/fileformat.html).
    # With a log beside it nothing is missing: a kill amid a checkpoint leaves a new first page and the rest in the log.
    if head[24:28] == head[92:96] and size_bytes < pages * page_bytes and not _has_log(path):
        raise StateRefused(damaged(path, f"{pages * page_bytes - size_bytes:,} bytes are missing"))


def _head_of(path: Path) -> tuple[bytes, int]:
    """The file's first 100 bytes, and its size.

    The descriptor is never closed: POSIX drops all of a process's locks on a file when *any* of its descriptors of that
    file is closed, SQLite's among them, and a reader beside the run would then take the log for nobody's and delete it.
    """
    info = os.stat(path)
    key = (info.st_dev, info.st_ino)
    if key not in _looked_into:
        _looked_into[key] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return os.pread(_looked_into[key], 100, 0), info.st_size


def _has_log(path: Path) -> bool:
    try:
        return path.with_name(path.name + "-wal").stat().st_size > 0
    except OSError:
        return False


def _refuse_foreign(db: sqlite3.Connection, path: Path) -> None:
    (application_id,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if application_id != APPLICATION_ID:
        raise StateRefused(f"{path} isn't a state file of avatar-batch: choose another --out")
    if version != SCHEMA_VERSION:
        age = "a newer" if version > SCHEMA_VERSION else "an older"
        raise StateRefused(
            f"{path} was written by {age} avatar-batch (schema {version}, this one reads {SCHEMA_VERSION}): "
            "use that version, or another --out"
        )


def _refuse_damaged(db: sqlite3.Connection, path: Path) -> None:
    """A whole check of a small file takes a moment; that of a huge one would hold up every start."""
    if path.stat().st_size < _CHECK_WHOLE_BELOW_BYTES:
        (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise StateRefused(damaged(path, str(verdict).replace("\n", " ")))


def refuse_network_disk(folder: Path) -> None:
    """Refuse an OUT on a network mount, where WAL's shared memory does not hold.

    Raises:
        UsageError: it is one (Linux only: elsewhere it can't be told).
    """
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    best, kind = "", ""
    real = os.path.realpath(folder)
    for mount in mounts:
        fields, _, rest = mount.partition(" - ")
        point = fields.split(" ")[4].replace("\\040", " ")
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, rest.split(" ")[0]
    if kind in _NETWORK_FILE_SYSTEMS:
        raise UsageError(
            f"{folder} is on a network disk ({kind}), where the state file isn't safe: choose a local --out"
        )
