"""What nobody can read any more is dropped, and nothing else."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from pipeline.streams import unfailing


def test_what_can_be_written_is_written_at_once(tmp_path: Path) -> None:
    with (tmp_path / "said.txt").open("w", encoding="ascii", errors="backslashreplace") as file:
        stream = unfailing(file)

        print("one · ", file=stream)

        assert (tmp_path / "said.txt").read_text() == "one \\xb7 \n"
        assert (stream.fileno(), stream.encoding) == (file.fileno(), "ascii")


def test_a_pipe_without_a_reader_takes_all_that_is_said() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as file:
        stream = unfailing(file)

        print("x" * 1_000_000, file=stream, flush=True)
        stream.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_takes_it_too() -> None:
    with open("/dev/full", "w", encoding="utf-8") as file:
        print("any", file=unfailing(file), flush=True)


def test_a_stream_in_memory_stays_as_it_is() -> None:
    stream = io.StringIO()

    assert unfailing(stream) is stream
