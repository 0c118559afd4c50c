"""What a process of the site imports as it starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys, django
django.setup()
import project.urls
print(*sorted({name.partition(".")[0] for name in sys.modules} & {"scipy", "sklearn", "torch"}))
"""


def test_pages_start_without_the_large_packages_that_only_stages_use(tmp_path: Path) -> None:
    environment = os.environ | {"KOMA_DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "project.settings"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
