"""The objects that the server answers with, as fields by their GraphQL names."""

from __future__ import annotations

import json
import math
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from .runs import now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .graphql_request import Arguments, Fields
    from .runs import Run
    from .sweeps import Sweep


def viewer_fields(entity: str, teams: Sequence[str]) -> Fields:
    """Return the account that the API key belongs to."""
    return {
        "__typename": "User",
        "id": "user-1",
        "name": "Tester",
        "username": entity,
        "entity": entity,
        "email": "tester@localhost",
        "admin": False,
        "flags": "{}",
        "deletedAt": None,
        "apiKeys": {"edges": []},
        "teams": {"edges": [{"node": {"name": team}} for team in teams]},
        "defaultEntity": {"name": entity},
    }


def sweep_fields(sweep: Sweep, runs: Sequence[Run], *, user: str) -> Fields:
    """Return a sweep with its runs."""
    return {
        "__typename": "Sweep",
        "id": f"id-{sweep.name}",
        "name": sweep.name,
        "displayName": sweep.config.get("name"),
        "method": sweep.config["method"],
        "state": sweep.state,
        "description": sweep.description,
        "config": sweep.text,
        "createdAt": sweep.created,
        "updatedAt": sweep.created,
        "heartbeatAt": now(),
        "earlyStopJobRunning": False,
        "bestLoss": None,
        "controller": None,
        "scheduler": None,
        "runCount": len(runs),
        "runCountExpected": None if math.isinf(sweep.size) else sweep.size,
        "runs": {"edges": [{"node": run_fields(run, sweep, user=user)} for run in runs]},
    }


def run_fields(run: Run, sweep: Sweep | None, *, user: str) -> Fields:
    """Return a run."""
    wrapped = {key: {"value": value} for key, value in run.config.items()}
    return {
        "__typename": "Run",
        "id": f"id-{run.name}",
        "internalId": str(run.number),
        "projectId": "1",
        "name": run.name,
        "displayName": run.display_name or run.name,
        "state": run.state,
        "config": json.dumps(wrapped),
        "group": run.group,
        "jobType": run.job_type,
        "commit": None,
        "notes": None,
        "tags": [],
        "createdAt": run.created,
        "heartbeatAt": now(),
        "description": None,
        "systemMetrics": "{}",
        "summaryMetrics": json.dumps(run.summary),
        "historyLineCount": len(run.history),
        "historyKeys": {"lastStep": run.history[-1]["_step"] if run.history else -1, "keys": {}, "sets": []},
        "historyTail": json.dumps([json.dumps(row) for row in run.history[-1:]]),
        "eventsTail": json.dumps([]),
        "logLineCount": 0,
        "eventsLineCount": 0,
        "user": {"name": "Tester", "username": user},
        "sweepName": run.sweep,
        "sweep": {"name": sweep.name} if sweep else None,
        "readOnly": False,
        "exitcode": run.exitcode,
        "shouldStop": run.stopped,
        "stopped": run.stopped,
        "failed": run.state == "failed",
        "running": run.state == "running",
        "defaultColorIndex": "0",
        "metadata": None,
        "host": None,
        "history": [json.dumps(row) for row in run.history],
        "events": [],
        "sampledHistory": partial(_sampled_history, run),
        "parquetHistory": {"parquetUrls": [], "liveData": []},
        "project": {
            "id": f"project-{run.project}",
            "name": run.project,
            "internalId": "1",
            "entity": {"id": f"entity-{run.entity}", "name": run.entity},
        },
    }


def _sampled_history(run: Run, arguments: Arguments) -> list[list[dict[str, Any]]]:
    """Return, for each specification, its keys of the rows that have all of them."""
    given: object = arguments.get("specs", [])
    specs = cast("list[str]", given) if isinstance(given, list) else [str(given)]
    wanted: list[list[str]] = [json.loads(spec).get("keys", []) for spec in specs]
    return [[{key: row[key] for key in keys} for row in run.history if set(keys) <= set(row)] for keys in wanted]


def page_of_runs(runs: Sequence[Fields], arguments: Arguments) -> Fields:
    """Return the page of runs that `first` and `after` ask for."""
    start, count = int(arguments.get("after") or 0), arguments.get("first", 50)
    page = runs[start : start + count]
    return {
        "edges": [{"node": run, "cursor": str(place)} for place, run in enumerate(page, start=start + 1)],
        "pageInfo": {"endCursor": str(start + len(page)), "hasNextPage": start + len(page) < len(runs)},
    }
