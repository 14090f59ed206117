"""W&B's service without its HTTP: the operations of the client, and the commands for its agents."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import yaml

from .responses import page_of_runs, run_fields, sweep_fields, viewer_fields
from .store import Store
from .sweeps import Sweep, falls_behind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .graphql_request import Arguments, Fields, GraphQLRequest
    from .runs import Run

ENTITY = "laboratory"
"""The account that the API key belongs to."""

TEAMS = (ENTITY, "genomics")

_DEFAULT_PROJECT = "uncategorized"

_VERSIONS: Mapping[str, Any] = {
    "cliVersionInfo": {"max_cli_version": "9.0.0"},
    "latestLocalVersionInfo": None,
    "features": [],
}


class NotFoundError(Exception):
    """Answered as HTTP 404."""


class RefusedError(Exception):
    """Answered as a GraphQL error."""


class Service(Store):
    """Answers the client from what is stored."""

    def __init__(self) -> None:
        super().__init__()
        self.url = ""

    def stream(self, entity: str, project: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Store one body of a run's file stream; the answer says if the run must stop."""
        with self.lock:
            run = self.runs[entity, project, name]
            run.take_stream(body)
            return {"exitcode": None, "limits": {}, "stopped": run.stopped}

    def upload(self, name: str, file: str, content: bytes) -> None:
        """Store one file of a run."""
        with self.lock:
            self.run(name).files[file] = content

    def answer(self, request: GraphQLRequest) -> tuple[int, dict[str, Any]]:
        """Return the HTTP status and the body that answer a GraphQL request."""
        with self.lock:
            try:
                data = request.answer(self._resolvers(), self.unsupported)
            except NotFoundError as error:
                return 404, {"errors": [{"message": str(error)}]}
            except RefusedError as error:
                return 200, {"data": None, "errors": [{"message": str(error)}]}
        return 200, {"data": data}

    def _resolvers(self) -> Fields:
        return {
            "viewer": viewer_fields(ENTITY, TEAMS),
            "serverInfo": dict(_VERSIONS),
            "organization": None,
            "entity": _entity,
            "project": self._project,
            "model": self._project,
            "upsertSweep": self._upsert_sweep,
            "createAgent": self._create_agent,
            "agentHeartbeat": self._heartbeat,
            "upsertBucket": self._upsert_run,
            "createRunFiles": self._create_run_files,
        }

    def _project(self, arguments: Arguments) -> Fields | None:
        entity, project = arguments.get("entityName", ENTITY), arguments.get("name")
        if entity not in TEAMS or project is None:
            return None
        return {
            "id": f"project-{project}",
            "name": project,
            "entity": {"id": f"entity-{entity}", "name": entity},
            "entityName": entity,
            "readOnly": False,
            "internalId": "1",
            "sweep": partial(self._sweep_in, entity, project),
            "runCount": partial(self._count_runs, entity, project),
            "runs": partial(self._page, entity, project),
            "run": partial(self._run_in, entity, project),
            "bucket": partial(self._run_in, entity, project),
        }

    def _sweep_in(self, entity: str, project: str, arguments: Arguments) -> Fields | None:
        sweep = self.find_sweep(entity, project, arguments["sweepName"])
        return None if sweep is None else self._sweep_fields(sweep)

    def _run_in(self, entity: str, project: str, arguments: Arguments) -> Fields | None:
        run = self.runs.get((entity, project, arguments.get("name", "")))
        return None if run is None else self._run_fields(run)

    def _count_runs(self, entity: str, project: str, arguments: Arguments) -> int:
        return len(self.matching_runs(entity, project, arguments))

    def _page(self, entity: str, project: str, arguments: Arguments) -> Fields:
        runs = [self._run_fields(run) for run in self.matching_runs(entity, project, arguments)]
        return page_of_runs(runs, arguments)

    def _sweep_fields(self, sweep: Sweep) -> Fields:
        return sweep_fields(sweep, self.runs_of(sweep.name), user=ENTITY)

    def _run_fields(self, run: Run) -> Fields:
        return run_fields(run, self.sweeps.get(run.sweep or ""), user=ENTITY)

    def _upsert_sweep(self, arguments: Arguments) -> Fields:
        given: Mapping[str, Any] = arguments["input"]
        if "id" in given:
            sweep = self.sweeps[given["id"].removeprefix("id-")]
            sweep.state = given.get("state") or sweep.state
        else:
            sweep = self._create_sweep(given)
        project = self._project({"name": sweep.project, "entityName": sweep.entity})
        return {"sweep": self._sweep_fields(sweep) | {"project": project}, "configValidationWarnings": []}

    def _create_sweep(self, given: Mapping[str, Any]) -> Sweep:
        entity, text = given.get("entityName") or ENTITY, given["config"]
        if entity not in TEAMS:
            raise RefusedError(f"entity {entity} not found during upsertSweep")
        name, project = f"sweep{len(self.sweeps) + 1:03d}", given.get("projectName") or _DEFAULT_PROJECT
        sweep = Sweep(name, project, entity, text, yaml.safe_load(text), given.get("description"))
        self.sweeps[name] = sweep
        return sweep

    def _create_agent(self, arguments: Arguments) -> Fields:
        given: Mapping[str, Any] = arguments["input"]
        sweep = self.find_sweep(given.get("entityName") or ENTITY, given["projectName"], given["sweep"])
        if sweep is None:
            raise NotFoundError(f"sweep {given['sweep']} not found")
        agent = f"agent-{sweep.name}-{len(sweep.agents) + 1}"
        sweep.agents.add(agent)
        return {"agent": {"id": agent}}

    def _heartbeat(self, arguments: Arguments) -> Fields:
        given: Mapping[str, Any] = arguments["input"]
        commands = self._next_commands(given["id"], list(json.loads(given.get("runState", "{}"))))
        return {"agent": {"id": given["id"]}, "commands": json.dumps(commands)}

    def _next_commands(self, agent: str, running: Sequence[str]) -> list[dict[str, Any]]:
        if self.orders.get(agent):
            return [self.orders[agent].pop(0)]
        sweep = next((sweep for sweep in self.sweeps.values() if agent in sweep.agents), None)
        if sweep is None:
            raise NotFoundError("sweep not found")
        runs = self.runs_of(sweep.name)
        for run in map(self.run, running):
            if not run.is_over and (run.stopped or falls_behind(run, runs, sweep)):
                run.stopped = True
                return [{"type": "stop", "run_id": run.name}]
        if sweep.state in ("CANCELED", "FINISHED"):
            return [{"type": "exit"}]
        if running or sweep.state == "PAUSED":
            return []
        preempted = next((run for run in runs if run.state == "preempted"), None)
        if preempted is not None:
            preempted.state = "pending"
            return [{"type": "resume", "run_id": preempted.name, "args": _wrapped(preempted.config)}]
        config = None if sweep.is_target_reached(runs) else sweep.choose()
        if config is None:
            sweep.state = "FINISHED"
            return [{"type": "exit"}]
        return [self._start_run(sweep, config)]

    def _start_run(self, sweep: Sweep, config: dict[str, Any]) -> dict[str, Any]:
        if self.choose is not None:
            config = self.choose(sweep, config)
        name = f"{sweep.name}run{sweep.handed_out:03d}"
        self.create_run(sweep.entity, sweep.project, name, sweep=sweep.name, config=config)
        return {"type": "run", "run_id": name, "args": _wrapped(config), "program": sweep.config.get("program")}

    def _upsert_run(self, arguments: Arguments) -> Fields:
        given: Mapping[str, Any] = arguments["input"]
        place = (given.get("entityName") or ENTITY, given.get("modelName") or _DEFAULT_PROJECT, given.get("name", ""))
        is_new = "id" not in given and place not in self.runs
        if "id" in given:
            run = self.run(given["id"].removeprefix("id-"))
        else:
            run = self.runs.get(place) or self.create_run(*place)
        if not run.is_over and run.state != "preempting":
            run.state = "running"
        config: Mapping[str, Any] = json.loads(given.get("config") or "{}")
        run.config |= {key: item["value"] for key, item in config.items() if key != "_wandb"}
        run.display_name = given.get("displayName") or run.display_name
        run.group = given.get("groupName") or run.group
        run.job_type = given.get("jobType") or run.job_type
        run.sweep = run.sweep or given.get("sweep")
        return {"bucket": self._run_fields(run), "inserted": is_new}

    def _create_run_files(self, arguments: Arguments) -> Fields:
        given: Mapping[str, Any] = arguments["input"]
        name: str = given.get("runName") or given["run"]
        files = [{"name": file, "uploadUrl": f"{self.url}/upload/{name}/{file}"} for file in given.get("files", [])]
        return {"runID": f"id-{name}", "uploadHeaders": [], "files": files}


def _wrapped(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: {"value": value} for key, value in config.items()}


def _entity(arguments: Arguments) -> Fields:
    return {"name": arguments.get("name"), "organization": {"coreWeaveOrganizationId": None}}
