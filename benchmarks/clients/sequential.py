"""The loop of the provider's documentation: submit, sleep, ask, until it is there; then the next."""

from __future__ import annotations

import json
import time
import urllib.request

from benchmarks.clients.task import Task

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(task: Task, query: str = "", body: dict[str, str] | None = None) -> dict[str, object]:
    """One request."""
    request = urllib.request.Request(
        f"{task.base_url}/v2/video/generations{query}",
        data=json.dumps(body).encode() if body else None,
        headers={"Authorization": "Bearer any", "Content-Type": "application/json"},
    )
    with OPENER.open(request, timeout=60) as answer:
        found: dict[str, object] = json.load(answer)
        return found


def render(task: Task, row: int) -> None:
    """One clip."""
    generation = ask(task, body=task.body(row))
    while True:
        answer = ask(task, f"?generation_id={generation['id']}")
        if answer["status"] == "completed":
            break
        time.sleep(task.interval_s)
    video = answer["video"]
    assert isinstance(video, dict)
    with OPENER.open(video["url"], timeout=60) as file:
        task.clip(row).write_bytes(file.read())


def main() -> None:
    """All rows; whoever writes this loop for a night wraps it in a retry."""
    task = Task.from_arguments()
    for row in range(task.rows):
        for attempt in range(task.tries):
            try:
                render(task, row)
                break
            except Exception:
                time.sleep(min(task.interval_s * 2**attempt, 5.0))


if __name__ == "__main__":
    main()
