"""One night: a job, the command that renders it, and what must be true of every row in the morning."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from pipeline import Job, StateView
from pipeline.commands.look import status_json
from tests.emulator import Emulator
from tests.emulator.asking import png, wav

REPOSITORY = Path(__file__).resolve().parents[2]
HOOK = Path(__file__).resolve().parent / "hook"
KEY = "sk-night-0123456789abcdef-SECRET"
DEADLINE_S = 60.0

QUICK: Mapping[str, object] = {
    "retry.base_s": 0.05,
    "retry.max_s": 0.3,
    "retry.attempts": 40,
    "poll.interval_s": 0.1,
    "poll.strategy": "fixed",
    "reconcile.interval_s": 0.3,
    "reconcile.wait_s": 20,
    "api.timeout_s": 15,  # a busy machine must not make a lost answer of a late one
    "download.stall_timeout_s": 1,
    "inspect.enabled": False,  # a look at finished clips, which has tests of its own
}
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str
    took_s: float

    @property
    def text(self) -> str:
        """All that it said."""
        return f"{self.stdout}\n{self.stderr}"


class Running:
    """A command under way; ended by its process id when the ``with`` is left."""

    def __init__(
        self, command: Sequence[str], environ: Mapping[str, str], scratch: Path, cwd: Path, output: int | None = None
    ) -> None:
        self._files = [scratch.with_suffix(".stdout"), scratch.with_suffix(".stderr")]
        self._began = time.monotonic()
        # Files, not pipes: nobody has to read them while the test does something else.
        with self._files[0].open("wb") as out, self._files[1].open("wb") as err:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output or out,
                stderr=output or err,
                env=dict(environ),
                cwd=cwd,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    @property
    def stderr(self) -> str:
        """What it has said on standard error so far."""
        return self._files[1].read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> Ended:
        """SIGKILL."""
        self.process.kill()
        return self.wait()

    def wait(self, timeout_s: float = DEADLINE_S) -> Ended:
        """Its end; one that does not come is a failure that says what it said."""
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"not over after {timeout_s:g} s; it said: {self.stderr[-3000:]}") from None
        took_s = time.monotonic() - self._began
        out, err = (file.read_text(errors="replace") for file in self._files)
        return Ended(code, out, err, took_s)


class Night:
    """A job of ``rows`` rows with an OUT of its own, rendered by the emulator.

    Every row's prompt is unique to the night, so one emulator can serve many of them.
    """

    def __init__(
        self,
        folder: Path,
        emu: Emulator,
        rows: int | Iterable[str] = 3,
        *,
        seconds: float = 2.0,
        form: str = "yaml",
        model: str = "klingai/avatar-pro",
        out: Path | None = None,
        **settings: object,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.emu, self.model = folder, emu, model
        self.began = time.monotonic()
        self.tag = f"{folder.parent.name}/{folder.name}"
        self.out = out or folder / "out"
        self.job = folder / f"job.{form}"
        self.settings: dict[str, object] = {
            **QUICK, "api.provider": "aimlapi", "api.base_url": emu.base_url,
            **{name.replace("__", "."): value for name, value in settings.items()},
        }  # fmt: skip
        self.said: list[str] = []
        self.cache = ""  # the folder in which nights remember; empty: none does
        self._commands = 0
        (folder / "face.png").write_bytes(png())
        (folder / "voice.wav").write_bytes(wav(seconds))
        self.ids: list[str] = []
        self.write(rows if not isinstance(rows, int) else [f"r{number}" for number in range(1, rows + 1)])

    # --- the job ---------------------------------------------------------------------------------------------

    def prompt(self, row: str) -> str:
        """What tells the row's generations in the provider's ledger."""
        return f"{self.tag}:{row}"

    def write(self, ids: Iterable[str], changes: Mapping[str, Mapping[str, object]] | None = None) -> None:
        """Write the manifest anew; ``changes`` are fields of single rows."""
        self.ids = list(ids)
        rows = [
            {"id": row, "image": "face.png", "audio": "voice.wav", "prompt": self.prompt(row), "model": self.model}
            | dict((changes or {}).get(row, {}))
            for row in self.ids
        ]
        if self.job.suffix == ".csv":
            lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
            self.job.write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
        else:
            # JSON is YAML.
            self.job.write_text(json.dumps({"version": 1, "rows": rows}, indent=1))

    # --- the command -----------------------------------------------------------------------------------------

    def start(
        self,
        verb: str = "run",
        *words: str,
        key: str = KEY,
        hook: Json | None = None,
        output: int | None = None,
        **settings: object,
    ) -> Running:
        """Start the command.

        Args:
            hook: for `hook/sitecustomize.py` in its process.
            output: a descriptor for all that it says, instead of files.
        """
        self._commands += 1
        command, environ = self.command(verb, *words, key=key, hook=hook, **settings)
        return Running(command, environ, self.folder / f"command-{self._commands}", REPOSITORY, output)

    def command(
        self, verb: str, *words: str, key: str = KEY, hook: Json | None = None, **settings: object
    ) -> tuple[list[str], dict[str, str]]:
        """The words of a command, and its environment."""
        merged = self.settings | {name.replace("__", "."): value for name, value in settings.items()}
        command = [sys.executable, "-m", "pipeline", verb, str(self.job), *words, "--out", str(self.out)]
        for name, value in merged.items():
            command += ["--set", f"{name}={value}"]
        environ = {
            name: value for name, value in os.environ.items()
            if not name.startswith(("AVATAR_BATCH", "AIML")) and name not in {"http_proxy", "https_proxy", "all_proxy"}
        }  # fmt: skip
        environ |= {"AIMLAPI_API_KEY": key, "PYTHONPATH": str(REPOSITORY), "AVATAR_BATCH_CACHE_DIR": self.cache}
        if hook is not None:
            environ |= {"PYTHONPATH": f"{HOOK}{os.pathsep}{REPOSITORY}", "NIGHT_HOOK": json.dumps(hook)}
        return command, environ

    def run(
        self,
        verb: str = "run",
        *words: str,
        key: str = KEY,
        hook: Json | None = None,
        timeout_s: float = DEADLINE_S,
        **settings: object,
    ) -> Ended:
        """Run the command to its end."""
        with self.start(verb, *words, key=key, hook=hook, output=None, **settings) as running:
            ended = running.wait(timeout_s)
        self.said.append(ended.text)
        assert "Traceback" not in ended.text, ended.text
        assert "fault of this program" not in ended.text, ended.text
        return ended

    def status(self) -> Json:
        """What ``status --json`` writes; so many processes of their own would be most of the tests' time."""
        job = Job.at(self.job, out=self.out)
        with StateView(job.state_path) as view:
            answer: Json = json.loads("".join(status_json(job, view)))
        return answer

    def rows(self) -> dict[str, Json]:
        """The rows of ``status --json`` by their id."""
        return {clip["id"]: clip for clip in self.status()["clips"]}

    def states(self) -> dict[str, str]:
        """The status of every row."""
        return {row: told["status"] for row, told in self.rows().items()}

    def log(self) -> list[Json]:
        """The lines of ``run.log``."""
        file = self.out / "run.log"
        text = file.read_text() if file.exists() else ""
        # A kill may have cut the last line of its time.
        return [json.loads(line) for line in text.splitlines() if line.startswith("{") and line.endswith("}")]

    def run_began(self) -> float:
        """When the latest run began, by the clock of the provider's journal."""
        starts = [datetime.fromisoformat(line["at"]).timestamp() for line in self.log() if line["action"] == "start"]
        return starts[-1] - time.time() + time.monotonic()

    # --- the provider's side ---------------------------------------------------------------------------------

    def generations(self, row: str | None = None) -> list[Json]:
        """What the provider made for this job, or for one row of it."""
        wanted = {self.prompt(row)} if row else {self.prompt(one) for one in self.ids}
        return [one for one in self.emu.generations() if one["prompt"] in wanted]

    def journal(self, route: str | None = None) -> list[Json]:
        """Requests since this night began."""
        return [line for line in self.emu.journal(route) if line["at"] >= self.began]

    def wait_for(self, true: Callable[[], object], timeout_s: float = 30.0) -> None:
        """Poll until it holds."""
        deadline = time.monotonic() + timeout_s
        while not true():
            assert time.monotonic() < deadline, f"not so within {timeout_s:g} s"
            time.sleep(0.02)

    # --- the invariant ---------------------------------------------------------------------------------------

    def assert_paid_once(
        self, rows: Iterable[str] | None = None, *, in_error: int = 0, generations: int | None = None
    ) -> None:
        """Every row (or each of ``rows``) is done: one paid generation, its clip byte for byte, nothing left over.

        ``in_error``: generations of each row that ended in error before; ``generations``: of the whole job, if not
        one a row.
        """
        wanted = list(self.ids if rows is None else rows)
        told = self.rows()
        for row in wanted:
            made = self.generations(row)
            paid = [one for one in made if one["billed"]]
            assert len(paid) == 1, f"{row}: paid {len(paid)} times; {told[row]}"
            errors = [one for one in made if one["state"] == "error"]
            assert len(made) - len(errors) == 1, f"{row}: {len(made)} generations; {told[row]}"
            assert len(errors) == in_error, f"{row}: {len(errors)} generations in error"
            self._assert_clip(told[row], paid[0])
        assert not list(self.out.rglob("*.part"))
        if generations is not None:
            assert len(self.generations()) == generations
        self.assert_no_secret_left()

    def _assert_clip(self, told: Json, made: Json) -> None:
        assert told["status"] == "done", told
        assert told["error"] is None
        assert told["generation_id"].partition(":")[0] == made["id"].partition(":")[0]
        assert told["client_request_id"] == made["client_request_id"]
        content = Path(told["output"]).read_bytes()
        assert content == self.emu.expected_clip(made["id"]), f"{told['id']}: another clip than was made"
        assert told["bytes"] == len(content)
        assert Path(told["output"]).is_relative_to(self.out)

    def assert_no_secret_left(self, *more: str) -> None:
        """The key is in no file of OUT, in nothing the command said, and went to the API alone."""
        for secret in (KEY, *more):
            for file in self.out.rglob("*"):
                assert not file.is_file() or secret.encode() not in file.read_bytes(), f"the key is in {file.name}"
            assert not any(secret in text for text in self.said)
        for line in self.journal():
            assert line["listener"] == "api" or not line["authorization"], line

    def assert_spend_agrees(self) -> None:
        """``status --json`` and the provider's ledger name the same sum."""
        billed = sum(one["final_usd"] for one in self.generations() if one["billed"])
        assert abs(self.status()["spend"]["spent_usd"] - billed) < 1e-4
