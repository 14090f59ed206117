"""Check the stand-ins that `docs/models.md` shows, and write what is said into it.

Run this whenever the text of `bertnado check` changes, and read what it changes:

    uv run python tests/bertnado/record_models.py
"""

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # for `support`
os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported

from checked_models import DOCUMENT, SHOWN, document, section, set_up


def main():
    with tempfile.TemporaryDirectory() as directory:
        scene = Path(directory)
        set_up(scene)
        DOCUMENT.write_text(document([section(name, scene) for name in SHOWN]))
    print(f"{len(SHOWN)} models: {DOCUMENT}")


if __name__ == "__main__":
    main()
