"""``serve`` and ``frames``."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

import click
from PIL import Image

from pipeline.counted import counted
from pipeline.errors import UsageError, one_line
from pipeline.studio.options import StudioOptions
from pipeline.studio.render.contact_sheet import contact_sheet
from pipeline.studio.server import serve as serve_studio

__all__ = ["frames", "serve"]


@click.command()
@click.argument("clip", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "-o",
    "--output",
    help="The picture to write.",
    default=Path("sheet.png"),
    show_default=True,
    type=click.Path(path_type=Path),
)
@click.option("--columns", default=4, show_default=True, type=click.IntRange(1, 20), help="Frames beside each other.")
@click.option("--rows", default=3, show_default=True, type=click.IntRange(1, 50), help="Frames below each other.")
def frames(clip: Path, output: Path, columns: int, rows: int) -> None:
    """Draw a contact sheet of a clip's frames, each with its time.

    Next: open the picture, sheet.png unless -o names another.
    """
    Image.init()
    if Image.EXTENSION.get(output.suffix.lower()) not in Image.SAVE:
        raise _unwritable(output, "no such kind of picture")
    try:
        count = contact_sheet(clip, output, columns=columns, rows=rows)
    except ValueError as error:
        raise UsageError(f"{one_line(str(error))}: name a clip that plays") from None
    except OSError as error:
        raise _unwritable(output, error.strerror or str(error)) from None
    click.echo(f"{counted(count, 'frame')}: {output}")


def _unwritable(output: Path, why: str) -> UsageError:
    return UsageError(one_line(f"{output} can't be written ({why}): choose another -o (.png, .jpg)"))


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="0: any free one.")
@click.option("--dir", "directory", default=Path("out/studio"), show_default=True, type=click.Path(path_type=Path),
              help="Its queue and clips; a studio started there again goes on with them.")  # fmt: skip
@click.option("--key", help="The bearer key that every request must carry [none: any will do].")
@click.option("--workers", default=0, type=click.IntRange(0, 1024), help="Render processes [0: one a core].")
@click.option("--quality", default="preview", type=click.Choice(["preview", "draft"]), help="draft costs less CPU.")
@click.option("--strict", is_flag=True, help="A picture without a face is an error.")
@click.option("--verbose", is_flag=True, help="Log what happens, not only what goes wrong.")
def serve(directory: Path, **options: Any) -> NoReturn:
    """The studio alone: the same HTTP API, rendered on this machine.

    Its first line on standard output is its base URL. Point a run at it with
    --set api.provider=aimlapi --set api.base_url=URL (and any key in AIMLAPI_API_KEY).
    """
    # The default handler: the studio's own shutdown takes SIGTERM from here on.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.exit(serve_studio(StudioOptions(directory=directory, **options)))
