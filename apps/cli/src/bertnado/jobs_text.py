"""The jobs of a sweep in lines of text, and as JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bertnado_sweep.cluster.watching import describe_failures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bertnado_sweep.cluster.watching import JobStatus


def describe_jobs(jobs: Sequence[JobStatus], width: int) -> str:
    """Return the jobs of a sweep in lines of at most `width` characters; empty if none was submitted."""
    return "\n".join(_lines(jobs, width))


def _lines(jobs: Sequence[JobStatus], width: int) -> Iterator[str]:
    if not jobs:
        return
    counts = Counter(job.state for job in jobs)
    yield f"jobs: {', '.join(f'{count} {state}' for state, count in counts.items())}"
    longest = max(len(job.id) for job in jobs)
    for job in jobs:
        yield _cut(f"  {job.id:{longest}} {job.state:11} {'; '.join(_details(job))}".rstrip(), width)
        if job.is_alive and job.last_line:
            yield _cut(f"  {'':{longest}} > {job.last_line}", width)
    failures = describe_failures(jobs)
    if failures is not None:
        yield failures


def _details(job: JobStatus) -> Iterator[str]:
    if job.node:
        yield f"on {job.node}" + (f" (GPU {job.gpus})" if job.gpus else "")
    if job.trials:
        yield f"trial{'s' * (len(job.trials) > 1)} {', '.join(map(str, job.trials))}"
    if job.time_left and job.is_alive:
        yield f"{job.time_left} left"
    if job.run > 1:
        yield f"run {job.run}"
    if job.note:
        yield job.note


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: width - 3]}..."


def jobs_json(jobs: Sequence[JobStatus]) -> list[dict[str, Any]]:
    """Return the jobs of a sweep in JSON types."""
    return [asdict(job) | {"trials": list(job.trials)} for job in jobs]
