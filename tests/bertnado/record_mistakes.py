"""Make every mistake of `mistakes.py`, and write `docs/mistakes.md` from what is said of it.

Run this whenever a mistake is added or a message changes, and read what it changes:

    uv run python tests/bertnado/record_mistakes.py
"""

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # for `support`
os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported

from mistakes import DOCUMENT, MISTAKES, document, make, set_up


def main():
    answers = []
    with tempfile.TemporaryDirectory() as directory:
        shared = Path(directory) / "shared"
        shared.mkdir()
        set_up(shared)
        for number, mistake in enumerate(MISTAKES):
            scene = Path(directory) / str(number)
            scene.mkdir()
            answer = make(mistake, scene, shared)
            if answer.crash is not None or answer.code != mistake.code:
                sys.exit(f"{mistake.group}: {mistake.done}: {answer}")
            answers.append((mistake, answer))
    DOCUMENT.write_text(document(answers))
    print(f"{len(answers)} mistakes: {DOCUMENT}")


if __name__ == "__main__":
    main()
