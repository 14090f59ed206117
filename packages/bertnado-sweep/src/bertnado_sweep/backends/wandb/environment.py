"""The environment of W&B's client, which a sweep leaves unchanged."""

from __future__ import annotations

import netrc
import os
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bertnado_config import ArgumentProblem, Problem, project_problem

from bertnado_sweep.running.wandb_client import (
    SWEEP_ID,
    is_inside_agent,
    wandb_client,
    what_disables_tracking,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from typing import Any

    from bertnado_sweep.options import SweepOptions

DEFAULT_PROJECT = "bertnado"

PROBE_SECONDS = 3.0
"""Seconds for the server to answer before `auto` chooses another backend."""

ANSWER_SECONDS = 120
"""Seconds for one answer; after its own 30 s the client repeats a request, and creates a sweep twice."""

HOW_TO_LOG_IN = "log in with `wandb login`, or set WANDB_API_KEY"


class WandbUnavailableError(ValueError):
    """W&B cannot be used."""

    def __init__(self, reason: str, cure: str) -> None:
        super().__init__(f"{reason}; {cure}")
        self.reason = reason
        self.cure = cure


def require_wandb() -> None:
    """Check that W&B can be used.

    Raises:
        WandbUnavailableError: It cannot.
    """
    disabled = what_disables_tracking()
    if disabled is not None:
        raise WandbUnavailableError(disabled, f"unset {disabled.split()[0]}")
    mode = os.environ.get("WANDB_MODE", "online")
    if mode in ("offline", "dryrun"):
        raise WandbUnavailableError(f"WANDB_MODE is {mode}", "unset WANDB_MODE")
    require_server()


def require_server() -> None:
    """Check that W&B's server answers and a key for it is configured.

    Raises:
        WandbUnavailableError: It does not, or none is.
    """
    url = base_url()
    if not has_credentials(url):
        raise WandbUnavailableError(f"no W&B API key is configured for {url}", HOW_TO_LOG_IN)
    if not answers(url):
        reason = f"{url} did not answer within {PROBE_SECONDS:g} s"
        raise WandbUnavailableError(reason, "check the network and WANDB_BASE_URL")


def project_of(named: str | None, declared: str | None = None) -> str:
    """Return the W&B project: the given one, the sweep file's, that of WANDB_PROJECT, or `bertnado`."""
    return named or declared or os.environ.get("WANDB_PROJECT") or DEFAULT_PROJECT


def project_problems(project: str | None) -> list[Problem]:
    """Return why W&B refuses the given project, or that of WANDB_PROJECT if none is given; empty if it does not."""
    named = os.environ.get("WANDB_PROJECT") if project is None else project
    problem = None if named is None or (project is None and not named) else project_problem(named)
    source = "WANDB_PROJECT " if project is None else ""
    return [] if problem is None else [ArgumentProblem("project_name", f"{source}{problem}")]


def base_url() -> str:
    """Return the address of the W&B server, from WANDB_BASE_URL or W&B's settings."""
    wandb = wandb_client()
    return str(os.environ.get("WANDB_BASE_URL") or wandb.setup().settings.base_url).rstrip("/")


def has_credentials(url: str) -> bool:
    """Return True if an API key is configured for the server, in the environment or by `wandb login`."""
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    named = os.environ.get("NETRC")
    candidates = [Path(named)] if named else [Path.home() / ".netrc", Path.home() / "_netrc"]
    for path in candidates:
        try:
            known = netrc.netrc(str(path)).authenticators(urlsplit(url).netloc)
        except (OSError, netrc.NetrcParseError):
            continue
        if known is not None and known[2]:
            return True
    return False


def answers(url: str, seconds: float = PROBE_SECONDS) -> bool:
    """Return True if the server answers at all, even with an error."""
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=seconds):  # noqa: S310 (the person's own server)
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False


def is_assigned_trial(options: Mapping[str, Any]) -> bool:
    """Return True if the trial that an agent of W&B assigned to this process is to be trained.

    Args:
        options: Those that were given, by the names of `SweepOptions`. They come before the agent's variables.
    """
    if not is_inside_agent() or options.get("backend") == "local" or options.get("resume"):
        return False
    sweep_id = options.get("sweep_id")
    return sweep_id is None or sweep_id.split("/")[-1] == os.environ[SWEEP_ID]


def assignment_problems(options: SweepOptions) -> list[Problem]:
    """Return a warning if a sweep is planned although variables of the environment name another one of W&B."""
    sweep_id = os.environ.get(SWEEP_ID)
    if is_inside_agent():
        message = (
            f"run {os.environ['WANDB_RUN_ID']} of sweep {sweep_id}, which an agent of W&B assigned to this process, is "
            "not trained, because {backend} local, {resume} or another {sweep_id} was given"
        )
        return [ArgumentProblem("sweep_id", message, "warning")]
    if not sweep_id or options.sweep_id is not None:
        return []
    message = (
        f"{SWEEP_ID} is {sweep_id} in the environment and is ignored, because no agent of W&B started this process; "
        f"to join that sweep, add {{sweep_id}} {sweep_id}"
    )
    return [ArgumentProblem("sweep_id", message, "warning")]


def reload_settings() -> None:
    """Make the client read its environment again, which it does once, and before which it prints."""
    wandb = wandb_client()
    wandb.teardown()
    _ = wandb.setup().settings


@contextmanager
def quiet_wandb(directory: Path) -> Generator[None]:
    """Let the client write below `directory` and to no terminal, unless its own variables say otherwise.

    It also waits longer for an answer than it would. The client itself sets some of its variables (entity, project);
    all are put back at the end. Inside of another one it does nothing.
    """
    wanted = {"WANDB_DIR": str(directory), "WANDB_SILENT": "true", "WANDB_HTTP_TIMEOUT": str(ANSWER_SECONDS)}
    if wanted.keys() <= os.environ.keys():
        yield
        return
    before = {name: value for name, value in os.environ.items() if name.startswith("WANDB_")}
    os.environ.update(wanted | before)
    reload_settings()
    try:
        yield
    finally:
        for name in [name for name in os.environ if name.startswith("WANDB_") and name != "WANDB_SERVICE"]:
            if name not in before:
                del os.environ[name]
        os.environ.update({name: value for name, value in before.items() if name != "WANDB_SERVICE"})
