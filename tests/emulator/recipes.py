"""A ready-made plan: a fault on every kind of request, each bounded, so that a perfect client still finishes."""

from __future__ import annotations

import random

from .plan import Action, BadClip, Cdn, Plan, Route, Rule


def chaos(seed: int, *, unmade: bool = False, intensity: float = 1.0) -> Plan:
    """Faults everywhere, decided by `seed`.

    Every generation whose answer is lost does exist and reaches the usage log a second after it completed, so every row
    can end as done, rendered and paid for once. With `unmade`, some submits are lost *before* anything was made: no
    client can tell them from the others, so their rows rightly end as unconfirmed. `intensity` scales the
    probabilities.
    """
    dice = random.Random(seed)

    def often(low: float, high: float) -> float:
        return min(0.9, dice.uniform(low, high) * intensity)

    def by_chance(route: Route, action: Action, low: float, high: float, limit: int) -> Rule:
        return Rule(route, action, probability=often(low, high), limit=limit)

    rules = [
        by_chance("submit", Action("do_then_drop"), 0.03, 0.10, 6),
        by_chance("submit", Action("do_then_status", status=502), 0.03, 0.08, 4),
        by_chance("submit", Action("do_then_status", status=504), 0.03, 0.08, 4),
        by_chance("submit", Action("do_then_hang", seconds=2.0), 0.02, 0.05, 2),
        by_chance("submit", Action("garbage_json", inference_id=False), 0.02, 0.05, 3),
        by_chance("submit", Action("garbage_json"), 0.02, 0.05, 3),
        by_chance("submit", Action("cut_body"), 0.02, 0.06, 3),
        by_chance("submit", Action("status", status=429), 0.05, 0.15, 10),
        by_chance("submit", Action("status", status=503, envelope="html"), 0.03, 0.10, 6),
        by_chance("submit", Action("status", status=500), 0.03, 0.10, 6),
        by_chance("submit", Action("slow", seconds=0.3), 0.05, 0.10, 10),
        by_chance("retrieve", Action("late_404", polls=2), 0.3, 0.9, 30),
        by_chance("retrieve", Action("status", status=500), 0.02, 0.06, 10),
        by_chance("retrieve", Action("status", status=502, envelope="html"), 0.02, 0.06, 10),
        by_chance("retrieve", Action("status", status=429), 0.02, 0.06, 10),
        by_chance("retrieve", Action("drop_before"), 0.02, 0.06, 10),
        by_chance("retrieve", Action("garbage_json"), 0.02, 0.05, 8),
        by_chance("retrieve", Action("cut_body"), 0.02, 0.05, 8),
        by_chance("retrieve", Action("hang_before", seconds=2.0), 0.01, 0.03, 2),
        by_chance("retrieve", Action("huge_body", bytes=24_000_000), 0.01, 0.03, 1),
        by_chance("logs", Action("status", status=503), 0.10, 0.25, 3),
        by_chance("logs", Action("status", status=429), 0.05, 0.15, 2),
        by_chance("logs", Action("drop_before"), 0.10, 0.20, 2),
        by_chance("logs", Action("cut_body"), 0.05, 0.15, 2),
        by_chance("billing", Action("status", status=503), 0.10, 0.30, 2),
        by_chance("transactions", Action("status", status=500), 0.10, 0.30, 2),
        by_chance("download", Action("status", status=503), 0.03, 0.10, 8),
        by_chance("download", Action("drop_before"), 0.03, 0.10, 8),
    ]
    if unmade:
        rules += [
            by_chance("submit", Action("drop_before"), 0.03, 0.08, 3),
            by_chance("submit", Action("drop_mid_body"), 0.03, 0.08, 3),
            by_chance("submit", Action("status", status=504, envelope="html"), 0.02, 0.06, 2),
        ]
    # The shuffle lets another rule come first with another seed.
    dice.shuffle(rules)
    cdn = Cdn(
        link_uses=dice.choice([None, 2, 3]),
        etag=dice.choice(["strong", "strong", "weak", "none"]),
        ranges=dice.random() < 0.8,
        digests=dice.choice([[], ["repr-digest"], ["content-md5", "x-amz-checksum-sha256"]]),
        cut_after_bytes=dice.choice([None, 10_000, 30_000]),
        cut_first=dice.randint(1, 2),
        cut_how=dice.choice(["reset", "close"]),
        redirect_first=dice.choice([0, 0, 1]),
    )
    return Plan(
        seed=seed,
        render_s=[0.1, 1.5],
        statuses=["waiting", "active", "warming"],
        completed_without_video=dice.randint(0, 2),
        answer_style="mixed",
        inference_id_style=dice.choice(["as_is", "bare"]),
        log_lag_s=dice.uniform(0.0, 0.8),
        pad_bytes=dice.choice([4096, 65_536, 262_144]),
        bad_clips=[BadClip(dice.choice(["html", "empty", "truncated"]), nth=[3, 7], first=1)],
        cdn=cdn,
        rules=rules,
    )
