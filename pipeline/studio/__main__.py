"""``python -m pipeline.studio``: the studio in a process of its own."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from pipeline.models import Catalogue, builtin_catalogue, extended_catalogue
from pipeline.studio.options import StudioOptions
from pipeline.studio.server import serve

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Read the command line and serve; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.studio",
        description="Serve the generation API on this machine. The first line on standard output is its base URL.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=_port, default=0, help="port of the API (0: any free one)")
    parser.add_argument("--cdn-port", type=_port, default=0, help="port that clips are served from (0: any free one)")
    parser.add_argument("--dir", type=Path, required=True, help="its queue, media and clips; made if missing")
    parser.add_argument("--key", help="bearer key that every API request must carry (none: any will do)")
    parser.add_argument("--workers", type=_not_negative(int), default=0, help="render processes (0: one a core)")
    parser.add_argument("--quality", choices=("preview", "draft"), default="preview", help="draft costs less CPU")
    parser.add_argument("--strict", action="store_true", help="no face found in a picture is a generation error")
    parser.add_argument("--exit-with-stdin", action="store_true", help="stop when standard input ends")
    parser.add_argument(
        "--link-ttl-s", type=_not_negative(float), default=3600.0, help="seconds a clip's link is valid (%(default)g)"
    )
    parser.add_argument(
        "--keep-s", type=_not_negative(float), default=86400.0, help="seconds a finished clip is kept (%(default)g)"
    )
    parser.add_argument(
        "--balance-usd", type=_not_negative(float), help="pretend money, never topped up (default: 1000, topped up)"
    )
    parser.add_argument("--models", type=Path, help="changes to the model catalogue, a JSON file")
    parser.add_argument("--verbose", action="store_true", help="log what happens, not only what goes wrong")
    given = parser.parse_args(arguments)
    return serve(
        StudioOptions(
            directory=given.dir,
            host=given.host,
            port=given.port,
            cdn_port=given.cdn_port,
            key=given.key,
            workers=given.workers,
            quality=given.quality,
            strict=given.strict,
            exit_with_stdin=given.exit_with_stdin,
            link_ttl_s=given.link_ttl_s,
            keep_s=given.keep_s,
            balance_usd=given.balance_usd,
            verbose=given.verbose,
            models=_catalogue(given.models),
        )
    )


def _catalogue(changes: Path | None) -> Catalogue:
    return extended_catalogue(msgspec.json.decode(changes.read_bytes())) if changes else builtin_catalogue()


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port: 0 to 65535")
    return port


def _not_negative(kind: Callable[[str], float]) -> Callable[[str], float]:
    def convert(text: str) -> float:
        number = kind(text)
        if not number >= 0 or number == float("inf"):
            raise argparse.ArgumentTypeError(f"{text} is not a number of 0 or more")
        return number

    convert.__name__ = kind.__name__
    return convert


if __name__ == "__main__":
    sys.exit(main())
