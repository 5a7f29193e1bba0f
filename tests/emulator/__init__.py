"""An independent emulator of the paid video API, with a fault plan.

It exists to judge the client from outside, so it shares no code with it: the wire is written down here a second time,
and a misunderstanding on one side shows up as a disagreement between the two.

    python -m tests.emulator --db world.db --plan plan.json --port 0

prints one JSON line with ``base_url``, ``cdn_url``, ``elsewhere_url`` and ``pid``, and ends when its standard input
does. From a test, use the synchronous handle::

    with Emulator(tmp_path, Plan(render_s=0.2, rules=[Rule("submit", Action("do_then_drop"), nth=[1])])) as emu:
        ...
        assert emu.ledger()["totals"]["generations"] == 1

`plan` says what can be asked for, `faults` decides when it happens, `world` is the truth that the tests compare with.
"""

from .control import Emulator
from .plan import Action, BadClip, Cdn, Plan, Rule
from .recipes import chaos

__all__ = ["Action", "BadClip", "Cdn", "Emulator", "Plan", "Rule", "chaos"]
