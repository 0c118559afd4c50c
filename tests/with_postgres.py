"""Run a command with a fresh, real PostgreSQL: `python -m tests.with_postgres COMMAND...`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import pgserver

# Nothing here has to survive a power cut, and no statement waits for a disk.
VOLATILE = ("fsync", "synchronous_commit", "full_page_writes")
CONNECTIONS = 300  # each test process opens dozens where many people act at once


def main() -> int:
    """Start the server in a temporary folder, run the command, stop the server; return the command's exit code."""
    with tempfile.TemporaryDirectory(prefix="koma-pg-") as folder:
        server = pgserver.get_server(folder, cleanup_mode="stop")
        try:
            for setting in VOLATILE:
                server.psql(f"ALTER SYSTEM SET {setting} = off;")
            server.psql(f"ALTER SYSTEM SET max_connections = {CONNECTIONS};")
            pgserver.pg_ctl(["-w", "restart"], pgdata=server.pgdata, user=server.system_user)
            environment = os.environ | {"KOMA_TEST_DATABASE_URL": server.get_uri()}
            return subprocess.run(sys.argv[1:], env=environment, check=False).returncode
        finally:
            server.cleanup()


if __name__ == "__main__":
    sys.exit(main())
