"""Several agents on one machine, each in a process of its own with its own GPU."""

from __future__ import annotations

import multiprocessing
import os
import queue
import shutil
import signal
import subprocess
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .events import Event, Note, Observer
from .stopping import interrupt_main
from .wandb_environment import environment, reread_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.context import SpawnContext

    from .plan import Plan
    from .wandb_service import ServiceSweep


@dataclass(frozen=True)
class _Ended:
    """The last that a worker says."""

    error: BaseException | None


def run_workers(plan: Plan, sweep: ServiceSweep, first_number: int, observer: Observer) -> None:
    """Run `plan.workers` agents, which share the plan's number of trials among them.

    Raises:
        KeyboardInterrupt: Somebody interrupted them.
        RuntimeError: A worker ended with an error; the others had theirs first.
    """
    context = multiprocessing.get_context("spawn")
    events: Any = context.Queue()
    numbers: Any = context.Value("q", first_number)
    processes = _start(context, plan, sweep, numbers, events)
    is_interrupted = False
    errors: list[BaseException] = []
    try:
        while any(process.is_alive() for process in processes) or not events.empty():
            try:
                heard: Event | _Ended = events.get(timeout=0.2)
            except queue.Empty:
                continue
            except KeyboardInterrupt:
                for process in processes:
                    if process.is_alive():
                        os.kill(process.pid, signal.SIGINT)
                if is_interrupted:
                    raise
                is_interrupted = True
                continue
            if isinstance(heard, _Ended):
                errors += [heard.error] if heard.error is not None else []
            else:
                observer(heard)
    finally:
        for process in processes:
            if process.is_alive():
                process.terminate()
            process.join()
    for worker, process in enumerate(processes, start=1):
        if process.exitcode != 0:
            observer(Note(f"worker {worker} died with exit code {process.exitcode}; its trial is lost"))
    if is_interrupted or any(isinstance(error, KeyboardInterrupt) for error in errors):
        raise KeyboardInterrupt
    if errors:
        raise errors[0]


def _start(context: SpawnContext, plan: Plan, sweep: ServiceSweep, numbers: Any, events: Any) -> list[Any]:
    gpus = visible_gpus()
    processes: list[Any] = []
    for worker, share in enumerate(shares(plan.budget, plan.workers)):
        process = context.Process(target=_work, args=(plan, sweep, share, numbers, events), name=f"worker-{worker + 1}")
        own_gpu = {"CUDA_VISIBLE_DEVICES": gpus[worker % len(gpus)]} if gpus else {}
        with environment({"WANDB_SERVICE": None, **own_gpu}):  # a client service of its own as well
            process.start()
        processes.append(process)
    return processes


def shares(budget: int, workers: int) -> list[int]:
    """Split a number of trials as evenly as it goes; nobody gets none.

    A run exists at W&B once it was handed out, so no agent may ask for one more than the sweep has left.
    """
    each, rest = divmod(budget, workers)
    return [share for share in (each + (worker < rest) for worker in range(workers)) if share]


def visible_gpus() -> Sequence[str]:
    """The GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name.strip() for name in named.split(",") if name.strip()]
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    command = [tool, "--query-gpu=index", "--format=csv,noheader"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (a fixed command)
    return listed.stdout.split() if listed.returncode == 0 else []


def _follow_parent() -> None:
    """Interrupt this worker when its parent has died: nobody waits for it any more."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        interrupt_main()


def _work(plan: Plan, sweep: ServiceSweep, share: int, numbers: Any, events: Any) -> None:
    """Do one worker's share, in its process."""
    from .wandb_backend import run_agent

    def next_number() -> int:
        with numbers.get_lock():
            numbers.value += 1
            return numbers.value - 1

    os.setpgrp()  # the terminal's Ctrl-C goes to the parent, which hands it on
    threading.Thread(target=_follow_parent, name="parent", daemon=True).start()
    error: BaseException | None = None
    reread_settings()
    try:
        run_agent(plan, sweep, share, next_number, events.put)
    except (Exception, KeyboardInterrupt) as raised:  # noqa: BLE001 (it is raised again in the parent)
        error = raised
    events.put(_Ended(error))
