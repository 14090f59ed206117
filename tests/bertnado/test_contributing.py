"""The examples of CONTRIBUTING.md run."""

import os
import re
import subprocess
import sys
from pathlib import Path

TEXT = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text()


def test_a_newcomers_task_search_method_and_rule_work(tmp_path):
    examples = "\n".join(re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL))
    done = subprocess.run(
        [sys.executable, "-c", examples],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "WANDB_MODE": "disabled"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    specificity, best, rule = done.stdout.splitlines()
    assert float(specificity) == 2 / 3
    assert re.fullmatch(r"\{'rate': 0\.[0-9e-]+\}", best)
    assert rule == "below_median: after evaluation 2, the better half continues"


def test_what_is_named_exists():
    named = re.findall(r"`((?:tests|packages|configs|docs)/[^` ]+)`|\]\(((?:docs/)?[\w/]+\.md|LICENSE)\)", TEXT)
    root = Path(__file__).parents[2]
    assert [path for pair in named for path in pair if path and not (root / path).exists()] == []
