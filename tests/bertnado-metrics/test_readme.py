"""The README's example does what the README says."""

import contextlib
import io
import re
import textwrap
from pathlib import Path

README = Path(__file__).parents[2] / "packages" / "bertnado-metrics" / "README.md"


def test_the_example_prints_what_the_readme_shows():
    example, shown = re.search(r"```python\n(.*?)```\n+```text\n(.*?)```", README.read_text(), re.DOTALL).groups()
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example, str(README), "exec"), {})
    assert printed.getvalue() == shown


def test_the_readme_names_everything_that_the_package_exports():
    import bertnado_metrics

    text = README.read_text()
    assert [name for name in bertnado_metrics.__all__ if f"`{name}" not in text] == []


def test_the_task_of_the_example_computes_its_own_metric():
    example = re.search(r"  ```python\n(.*?)  ```", README.read_text(), re.DOTALL).group(1)
    names = {}
    exec(textwrap.dedent(example), names)
    assert names["numbers"]["positives"] == 1.0


def test_the_example_of_baselines_computes_them():
    examples = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    names = {}
    exec(next(example for example in examples if "compute_baselines" in example), names)
    assert names["values"] == {"constant": 0.5, "composition": 0.5, "k-mers": 1.0, "positions": 1.0}
