"""What W&B's client reads from its surroundings, and how a sweep leaves them as they were."""

from __future__ import annotations

import netrc
import os
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bertnado_config import Problem, project_problem

from bertnado_sweep.running.wandb_client import wandb_client

if TYPE_CHECKING:
    from collections.abc import Generator

DEFAULT_PROJECT = "bertnado"

PROBE_SECONDS = 3.0
"""How long the server may take to answer before `auto` does without it."""

ANSWER_SECONDS = 120
"""How long one answer may take; the client's own 30 s make it ask again, and so create a sweep twice."""

HOW_TO_LOG_IN = "log in with `wandb login`, or set WANDB_API_KEY"


def require_wandb() -> None:
    """See to it that W&B can be asked.

    Raises:
        ValueError: It cannot; the message says how to log in.
    """
    missing = _what_is_missing()
    if missing is not None:
        raise ValueError("; ".join(missing))


def _what_is_missing() -> tuple[str, str] | None:
    """Say what keeps W&B from being used, and the cure; `None` where nothing does."""
    mode = os.environ.get("WANDB_MODE", "online")
    if mode in ("offline", "disabled", "dryrun"):
        return f"WANDB_MODE is {mode}", "unset WANDB_MODE"
    url = base_url()
    if not has_credentials(url):
        return f"no W&B API key is configured for {url}", HOW_TO_LOG_IN
    if not answers(url):
        return f"{url} did not answer within {PROBE_SECONDS:g} s", "check the network and WANDB_BASE_URL"
    return None


def project_of(named: str | None, declared: str | None = None) -> str:
    """The W&B project: the one that was named, the sweep file's, WANDB_PROJECT, or BertNado's own."""
    return named or declared or os.environ.get("WANDB_PROJECT") or DEFAULT_PROJECT


def project_problems(project: str | None) -> list[Problem]:
    """Say why W&B refuses the project that was given, or the one of WANDB_PROJECT where none was."""
    named = os.environ.get("WANDB_PROJECT") if project is None else project
    problem = None if named is None or (project is None and not named) else project_problem(named)
    source = "WANDB_PROJECT " if project is None else ""
    return [] if problem is None else [Problem("project_name", f"{source}{problem}")]


def base_url() -> str:
    """The address of the W&B server: WANDB_BASE_URL, W&B's settings files, or W&B's own."""
    wandb = wandb_client()
    return str(os.environ.get("WANDB_BASE_URL") or wandb.setup().settings.base_url).rstrip("/")


def has_credentials(url: str) -> bool:
    """Whether a key is configured for the server: in the environment, or where `wandb login` puts it."""
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
    """Whether the server answers at all; any answer will do."""
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=seconds):  # noqa: S310 (the person's own server)
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False


def is_inside_agent() -> bool:
    """Whether this process, or this thread of it, was started by an agent of W&B to run one trial."""
    return bool(os.environ.get("WANDB_SWEEP_ID"))


def reread_settings() -> None:
    """Have the client read its environment again; it does so once, and it speaks until it has."""
    wandb = wandb_client()
    wandb.teardown()
    _ = wandb.setup().settings


@contextmanager
def quiet_client(directory: Path) -> Generator[None]:
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
    reread_settings()
    try:
        yield
    finally:
        for name in [name for name in os.environ if name.startswith("WANDB_") and name != "WANDB_SERVICE"]:
            if name not in before:
                del os.environ[name]
        os.environ.update({name: value for name, value in before.items() if name != "WANDB_SERVICE"})
