"""Submits that made nothing are sent again: refused, cut before the end, or never let in."""

from __future__ import annotations

import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image

from tests.emulator import Action, Emulator, Plan, Rule
from tests.emulator.plan import Envelope

from .conftest import Nights
from .night import Night

ENVELOPES: tuple[Envelope, ...] = ("problem", "legacy", "html")


def test_refusals_of_the_moment_are_sent_again(emu: Emulator, nights: Nights) -> None:
    troubles = [Action("status", status=status, envelope=envelope) for status in (500, 503) for envelope in ENVELOPES]
    troubles += [Action("status", status=429), Action("redirect", status=307), Action("status", status=404)]
    rules = [Rule("submit", action, nth=[number]) for number, action in enumerate(troubles, 1)]
    emu.set_plan(Plan(render_s=0.1, rules=rules))
    night = nights(emu, 6)
    ended = night.run()
    assert ended.code == 0, ended.text
    night.assert_paid_once(generations=6)
    assert not night.journal("elsewhere")  # neither the key nor the order follows a redirect


def test_a_row_that_the_server_always_fails_fails_alone(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1, rules=[Rule("submit", Action("status", status=500), limit=3)]))
    night = nights(emu, 1, retry__attempts=3)
    ended = night.run()
    assert ended.code == 1, ended.text
    assert night.rows()["r1"]["error"]["code"] == "server"
    assert night.run().code == 1
    assert len(night.journal("submit")) == 3
    assert night.run("retry").code == 0
    night.assert_paid_once(generations=1)


def heavy(night: Night) -> None:
    """Give the job a picture that no socket buffer swallows: a few MB of noise."""
    side = 1200
    picture = Image.frombytes("RGB", (side, side), os.urandom(side * side * 3))
    picture.save(night.folder / "face.png", compress_level=0)


def test_a_request_cut_in_the_middle_is_sent_again(emu: Emulator, nights: Nights) -> None:
    emu.set_plan(Plan(render_s=0.1, rules=[Rule("submit", Action("drop_mid_body"), nth=[1])]))
    night = nights(emu, 1, api__timeout_s=20)
    heavy(night)
    # With a small send buffer the client knows that the last byte never left.
    ended = night.run(hook={"sndbuf": [32768]})
    assert ended.code == 0, ended.text
    assert len(night.journal("submit")) == 2
    assert not night.journal("logs")
    night.assert_paid_once(generations=1)


def test_a_request_that_an_interrupt_cuts_in_the_middle_is_not_looked_for(emu: Emulator, nights: Nights) -> None:
    asked, over = threading.Event(), threading.Event()

    class Deaf(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503)
            self.end_headers()

        def do_POST(self) -> None:
            asked.set()
            over.wait(60)  # and reads no more of it

        def log_message(self, *_: object) -> None: ...

    night = nights(emu, 1, api__timeout_s=60)
    heavy(night)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Deaf)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        base_url = f"http://127.0.0.1:{server.server_port}"
        with night.start(hook={"sndbuf": [32768]}, api__base_url=base_url) as running:
            night.wait_for(asked.is_set)
            running.send(signal.SIGINT)
            assert running.wait().code == 130
    finally:
        over.set()
        server.shutdown()
        server.server_close()
    assert night.states() == {"r1": "pending"}
    assert night.rows()["r1"]["attempts"] == 0
    assert night.run().code == 0
    assert not night.journal("logs")
    night.assert_paid_once(generations=1)


def test_a_small_request_that_may_have_arrived_is_not_sent_again(emu: Emulator, nights: Nights) -> None:
    # All of it was handed to the network before the cut: nobody can tell this from a lost answer.
    emu.set_plan(Plan(render_s=0.1, rules=[Rule("submit", Action("drop_mid_body"), nth=[1])]))
    night = nights(emu, 2, reconcile__wait_s=1)
    ended = night.run()
    assert ended.code == 1
    assert sorted(night.states().values()) == ["done", "unconfirmed"]
    assert len(night.journal("submit")) == 2


def test_a_dead_network_is_waited_for(own_emu: Emulator, nights: Nights) -> None:
    night = nights(own_emu, 4, retry__attempts=300)
    own_emu.kill()
    with night.start("run", "--verbose") as running:
        night.wait_for(lambda: "can't be reached" in running.stderr)
        own_emu.restart()
        assert running.wait().code == 0
    night.assert_paid_once(generations=4)


def test_a_network_that_stays_dead_ends_the_run_and_keeps_the_rows(own_emu: Emulator, nights: Nights) -> None:
    night = nights(own_emu, 3, retry__attempts=4)
    own_emu.kill()
    ended = night.run(timeout_s=30)
    assert ended.code == 3, ended.text
    assert set(night.states().values()) == {"pending"}
    own_emu.restart()
    assert night.run().code == 0
    night.assert_paid_once(generations=3)
