"""Functions that another process runs, of a trainer, further arguments, and a function that tells something."""

import os


def pid(trainer, tell):
    """The process."""
    return os.getpid()


def count_to(trainer, most, tell):
    """Tell every number up to the last one."""
    for number in range(1, most + 1):
        tell(number)
    return "done"


def divide_by(trainer, number, tell):
    """Fail with 0."""
    return 1 / number


def die(trainer, tell):
    """Kill the process."""
    os.kill(os.getpid(), 9)
