"""Why an address can't be listened on, in one line with the remedy. Pure."""

from __future__ import annotations

import errno
import os
import socket

__all__ = ["cant_listen"]

_ANOTHER_PORT = "choose another --port, or 0 for any that is free"
_ANOTHER_HOST = "choose an address of this machine as --host, such as 127.0.0.1, or 0.0.0.0 for all of them"
_REMEDIES = {
    errno.EADDRINUSE: _ANOTHER_PORT,
    errno.EACCES: f"ports below 1024 may need an administrator: {_ANOTHER_PORT}",
    errno.EPERM: f"ports below 1024 may need an administrator: {_ANOTHER_PORT}",
    errno.EADDRNOTAVAIL: _ANOTHER_HOST,
    errno.EAFNOSUPPORT: _ANOTHER_HOST,
}


def cant_listen(host: str, port: int, error: OSError | UnicodeError) -> str:
    """What to tell about an error of binding and listening."""
    # A name that isn't resolved has a number of another kind, which sockets pass on in an error of the system's kind;
    # one that can't be a name is an error of encoding.
    if isinstance(error, UnicodeError | socket.gaierror) or (error.errno or 0) <= 0:
        return f"can't listen on {host}: the name is not known: {_ANOTHER_HOST}"
    # The system's own words: those of the error may hold Python's form of the address.
    number = error.errno or 0
    at = f"{host or 'all addresses'} port {port}"
    return f"can't listen on {at}: {os.strerror(number)}: {_REMEDIES.get(number, _ANOTHER_PORT)}"
