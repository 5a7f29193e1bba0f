"""What is told of an address that can't be listened on."""

from __future__ import annotations

import errno
import socket

import pytest

from pipeline.listening import cant_listen


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EADDRINUSE, "(while attempting to bind on ('h', 80))"), " port 80: Address already in use: choose another --port"),
        (OSError(errno.EACCES, "x"), " port 80: Permission denied: ports below 1024 may need an administrator: choose another --port"),
        (OSError(errno.EADDRNOTAVAIL, "x"), "requested address: choose an address of this machine as --host"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "the name is not known: choose an address of this"),
        (OSError(-2, "Name or service not known (while attempting to bind)"), "the name is not known: choose an address of"),
        (UnicodeError("label empty or too long"), "the name is not known: choose an address of this machine as --host"),
        (OSError(errno.EMFILE, "x"), "Too many open files: choose another --port"),
    ],
)  # fmt: skip
def test_it_is_one_plain_line_with_the_remedy(error: OSError, said: str) -> None:
    told = cant_listen("nas", 80, error)

    assert told.startswith("can't listen on nas")
    assert said in told
    assert "attempting" not in told
