"""What the server answers: W&B's service without its HTTP."""

import json
import math
import threading

import yaml

from .state import Run, Sweep, falls_behind, now

ENTITY = "laboratory"
TEAMS = (ENTITY, "genomics")


class NotFoundError(Exception):
    """HTTP 404."""


class RefusedError(Exception):
    """A GraphQL error."""


class Service:
    """Sweeps, agents and runs, and what the client's operations do to them."""

    def __init__(self):
        self.sweeps = {}
        """By name."""
        self.runs = {}
        """By (entity, project, name), in the order of their creation."""
        self.unmodelled = set()
        """What the client asked for and the server knows nothing of."""
        self.choose = None
        """Replaces a sweep's choice: a function of the sweep and of what it chose."""
        self.lock = threading.RLock()
        self.url = ""
        self._commands = {}

    # what a test tells it

    def stop_run(self, name):
        """Ask for the end of one run, as the button in W&B's pages does."""
        self.run(name).stopped = True

    def cancel(self, sweep):
        """Cancel a sweep: its agents are told to exit."""
        self.sweeps[sweep].state = "CANCELED"

    def delete(self, sweep):
        """Delete a sweep: its agents get HTTP 404."""
        del self.sweeps[sweep]

    def exit_agents(self, sweep):
        """Tell every agent of a sweep, once, to exit."""
        for agent in self.sweeps[sweep].agents:
            self._commands.setdefault(agent, []).append({"type": "exit"})

    def run(self, name):
        (found,) = [run for run in self.runs.values() if run.name == name]
        return found

    def runs_of(self, sweep):
        return [run for run in self.runs.values() if run.sweep == sweep]

    def add_run(self, sweep, name, **fields):
        """Put a run into a sweep, as if some machine had run it."""
        owner = self.sweeps[sweep]
        return self._make_run(owner.entity, owner.project, name, sweep=sweep, **fields)

    # what the client asks it

    def stream(self, entity, project, name, body):
        """Take one body of a run's file stream."""
        with self.lock:
            run = self.runs[entity, project, name]
            run.take_stream(body)
            return {"exitcode": None, "limits": {}, "stopped": run.stopped}

    def upload(self, name, file, content):
        """Take one file of a run."""
        with self.lock:
            self.run(name).files[file] = content

    def answer(self, request):
        """The answer to a GraphQL request: (HTTP status, body)."""
        with self.lock:
            try:
                data = request.answer(self._resolvers(), self.unmodelled)
            except NotFoundError as error:
                return 404, {"errors": [{"message": str(error)}]}
            except RefusedError as error:
                return 200, {"data": None, "errors": [{"message": str(error)}]}
        return 200, {"data": data}

    def _resolvers(self):
        return {
            "viewer": _viewer(),
            "serverInfo": {
                "cliVersionInfo": {"max_cli_version": "9.0.0"},
                "latestLocalVersionInfo": None,
                "features": [],
            },
            "organization": lambda **_: None,
            "entity": lambda name=None, **_: {"name": name, "organization": {"coreWeaveOrganizationId": None}},
            "project": self._project,
            "model": self._project,
            "upsertSweep": lambda input: self._upsert_sweep(**input),
            "createAgent": lambda input: self._create_agent(**input),
            "agentHeartbeat": lambda input: self._heartbeat(**input),
            "upsertBucket": lambda input: self._upsert_bucket(**input),
            "createRunFiles": lambda input: self._create_run_files(**input),
        }

    def _project(self, name=None, entityName=None, **_):
        entity, project = entityName or ENTITY, name
        if entity not in TEAMS or project is None:
            return None
        return {
            "id": f"project-{name}",
            "name": name,
            "entity": {"id": f"entity-{entity}", "name": entity},
            "entityName": entity,
            "readOnly": False,
            "internalId": "1",
            "sweep": lambda sweepName, **_: self._sweep_fields(self._sweep_named(entity, project, sweepName)),
            "runCount": lambda **arguments: len(self._matching(entity, project, **arguments)),
            "runs": lambda **arguments: self._page(entity, project, **arguments),
            "run": lambda name=None, **_: self._run_fields(self.runs.get((entity, project, name))),
            "bucket": lambda name=None, **_: self._run_fields(self.runs.get((entity, project, name))),
        }

    def _sweep_named(self, entity, project, name):
        sweep = self.sweeps.get(name)
        return sweep if sweep and (sweep.entity, sweep.project) == (entity, project) else None

    def _sweep_fields(self, sweep):
        if sweep is None:
            return None
        runs = self.runs_of(sweep.name)
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
            "runs": {"edges": [{"node": self._run_fields(run)} for run in runs]},
        }

    def _run_fields(self, run):
        if run is None:
            return None
        wrapped = {key: {"value": value} for key, value in run.config.items()}
        sweep = self.sweeps.get(run.sweep)
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
            "historyKeys": _history_keys(run),
            "historyTail": json.dumps([json.dumps(row) for row in run.history[-1:]]),
            "eventsTail": json.dumps([]),
            "logLineCount": 0,
            "eventsLineCount": 0,
            "user": {"name": "Tester", "username": ENTITY},
            "sweepName": run.sweep,
            "sweep": sweep and {"name": sweep.name},
            "readOnly": False,
            "exitcode": run.exitcode,
            "shouldStop": run.stopped,
            "stopped": run.stopped,
            "failed": run.state == "failed",
            "running": run.state == "running",
            "defaultColorIndex": "0",
            "metadata": None,
            "host": None,
            "history": lambda **_: [json.dumps(row) for row in run.history],
            "events": lambda **_: [],
            "sampledHistory": lambda specs=(), **_: [_sampled(run, spec) for spec in _as_list(specs)],
            "parquetHistory": lambda **_: {"parquetUrls": [], "liveData": []},
            "project": {
                "id": f"project-{run.project}",
                "name": run.project,
                "internalId": "1",
                "entity": {"id": f"entity-{run.entity}", "name": run.entity},
            },
        }

    def _matching(self, entity, project, filters=None, order=None, **_):
        wanted = [
            (key, value)
            for condition in (json.loads(filters) if filters else {}).get("$and", [])
            for key, value in condition.items()
        ]
        runs = [run for (of, inside, _), run in self.runs.items() if (of, inside) == (entity, project)]
        for key, value in wanted:
            if key == "sweep":
                runs = [run for run in runs if run.sweep == value]
            else:
                self.unmodelled.add(f"filters.{key}")
        return _sorted(runs, order)

    def _page(self, entity, project, first=50, after=None, **arguments):
        runs = self._matching(entity, project, **arguments)
        start = int(after or 0)
        page = runs[start : start + first]
        return {
            "edges": [
                {"node": self._run_fields(run), "cursor": str(start + place)} for place, run in enumerate(page, start=1)
            ],
            "pageInfo": {"endCursor": str(start + len(page)), "hasNextPage": start + len(page) < len(runs)},
        }

    def _upsert_sweep(self, id=None, config=None, state=None, entityName=None, projectName=None, **rest):
        if id is not None:
            sweep = self.sweeps[id.removeprefix("id-")]
            sweep.state = state or sweep.state
        else:
            entity = entityName or ENTITY
            if entity not in TEAMS:
                raise RefusedError(f"entity {entity} not found during upsertSweep")
            name = f"sweep{len(self.sweeps) + 1:03d}"
            sweep = Sweep(
                name,
                projectName or "uncategorized",
                entity,
                text=config,
                config=yaml.safe_load(config),
                description=rest.get("description"),
            )
            self.sweeps[name] = sweep
        project = self._project(name=sweep.project, entityName=sweep.entity)
        return {"sweep": self._sweep_fields(sweep) | {"project": project}, "configValidationWarnings": []}

    def _create_agent(self, host=None, sweep=None, entityName=None, projectName=None):
        owner = self._sweep_named(entityName or ENTITY, projectName, sweep)
        if owner is None:
            raise NotFoundError(f"sweep {sweep} not found")
        agent = f"agent-{sweep}-{len(owner.agents) + 1}"
        owner.agents.add(agent)
        return {"agent": {"id": agent}}

    def _heartbeat(self, id, runState="{}", **_):
        commands = self._next_commands(id, list(json.loads(runState)))
        return {"agent": {"id": id}, "commands": json.dumps(commands)}

    def _next_commands(self, agent, running):
        if self._commands.get(agent):
            return [self._commands[agent].pop(0)]
        sweep = next((sweep for sweep in self.sweeps.values() if agent in sweep.agents), None)
        if sweep is None:
            raise NotFoundError("sweep not found")
        for name in running:
            run = self.run(name)
            if not run.is_over and (run.stopped or falls_behind(run, self.runs_of(sweep.name), sweep)):
                run.stopped = True
                return [{"type": "stop", "run_id": name}]
        if sweep.state in ("CANCELED", "FINISHED"):
            return [{"type": "exit"}]
        if running or sweep.state == "PAUSED":
            return []
        if sweep.is_reached_by(self.runs_of(sweep.name)):
            sweep.state = "FINISHED"
            return [{"type": "exit"}]
        config = sweep.choose()
        if config is None:
            sweep.state = "FINISHED"
            return [{"type": "exit"}]
        if self.choose is not None:
            config = self.choose(sweep, config)
        name = f"{sweep.name}run{sweep.handed_out:03d}"
        self._make_run(sweep.entity, sweep.project, name, sweep=sweep.name, config=config)
        args = {key: {"value": value} for key, value in config.items()}
        return [{"type": "run", "run_id": name, "args": args, "program": sweep.config.get("program")}]

    def _make_run(self, entity, project, name, **fields):
        run = Run(name, project, entity, number=len(self.runs), **fields)
        self.runs[entity, project, name] = run
        return run

    def _upsert_bucket(self, name=None, id=None, config=None, modelName=None, entityName=None, **rest):
        if id is not None:
            run = self.run(id.removeprefix("id-"))
            inserted = False
        else:
            place = (entityName or ENTITY, modelName or "uncategorized", name)
            inserted = place not in self.runs
            run = self.runs.get(place) or self._make_run(*place)
        if not run.is_over:
            run.state = "running"
        if config:
            run.config |= {key: item["value"] for key, item in json.loads(config).items() if key != "_wandb"}
        run.display_name = rest.get("displayName") or run.display_name
        run.group = rest.get("groupName") or run.group
        run.job_type = rest.get("jobType") or run.job_type
        run.sweep = run.sweep or rest.get("sweep")
        return {"bucket": self._run_fields(run), "inserted": inserted}

    def _create_run_files(self, runName=None, run=None, files=(), **_):
        name = runName or run
        urls = [{"name": file, "uploadUrl": f"{self.url}/upload/{name}/{file}"} for file in files]
        return {"runID": f"id-{name}", "uploadHeaders": [], "files": urls}


def _viewer():
    return {
        "__typename": "User",
        "id": "user-1",
        "name": "Tester",
        "username": ENTITY,
        "entity": ENTITY,
        "email": "tester@localhost",
        "admin": False,
        "flags": "{}",
        "deletedAt": None,
        "apiKeys": {"edges": []},
        "teams": {"edges": [{"node": {"name": team}} for team in TEAMS]},
        "defaultEntity": {"name": ENTITY},
    }


def _sorted(runs, order):
    """By creation, or by a number of the summary; runs without it come last."""
    if not order or "created_at" in order or "createdAt" in order:
        return list(reversed(runs)) if (order or "+").startswith("-") else runs
    key = order[1:].removeprefix("summary_metrics.")
    sign = -1 if order.startswith("-") else 1

    def rank(run):
        value = run.summary.get(key)
        known = isinstance(value, int | float)
        if known and math.isnan(value):
            return (0, 0, run.number)  # as W&B's database sorts it: above every number
        return (1, sign * value, run.number) if known else (2, 0, run.number)

    return sorted(runs, key=rank)


def _history_keys(run):
    return {"lastStep": run.history[-1]["_step"] if run.history else -1, "keys": {}, "sets": []}


def _sampled(run, spec):
    keys = json.loads(spec).get("keys", [])
    return [{key: row.get(key) for key in keys} for row in run.history if all(key in row for key in keys)]


def _as_list(value):
    return value if isinstance(value, list | tuple) else [value]
