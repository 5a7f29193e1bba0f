"""`python -m tests.emulator`: one JSON line with the URLs, then serve until standard input closes."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import threading
from dataclasses import asdict
from pathlib import Path

from .clips import default_folder
from .plan import Plan
from .server import Server
from .world import World


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.emulator", description=__doc__)
    parser.add_argument("--db", type=Path, required=True, help="the world; made when missing")
    parser.add_argument("--plan", type=Path, help="JSON; left out: the plan that the world has, else a faultless one")
    parser.add_argument("--port", type=int, default=0, help="of the API; 0: any free one")
    parser.add_argument("--cdn-port", type=int, default=0)
    parser.add_argument("--elsewhere-port", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=default_folder(), help="folder for parts of clips")
    return parser.parse_args()


async def serve(options: argparse.Namespace) -> None:
    """Run until standard input ends or a signal comes."""
    plan = Plan.from_json(options.plan.read_text()) if options.plan else None
    server = Server(World(options.db, plan), options.cache)
    urls = await server.start((options.port, options.cdn_port, options.elsewhere_port))
    loop, over = asyncio.get_running_loop(), asyncio.Event()

    def until_end_of_input() -> None:
        while sys.stdin.buffer.read(4096):
            pass
        loop.call_soon_threadsafe(over.set)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    # A thread, since standard input may be something that the event loop cannot watch.
    threading.Thread(target=until_end_of_input, daemon=True).start()
    print(json.dumps({**asdict(urls), "pid": os.getpid()}), flush=True)
    await over.wait()
    await server.stop()


if __name__ == "__main__":
    # A client that goes away in the middle is this program's daily bread.
    logging.getLogger("aiohttp").setLevel(logging.ERROR)
    asyncio.run(serve(arguments()))
