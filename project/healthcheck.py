"""`python -m project.healthcheck`: exit code 0 when the web server on this machine says that all is well."""

from __future__ import annotations

import http.client
import sys

from project.env import env_int, env_list, env_str

TIMEOUT_S = 8


def main() -> int:
    """Ask /healthz under a name that ALLOWED_HOSTS lets in; print its answer."""
    host = next((name for name in env_list("ALLOWED_HOSTS") if "*" not in name), "127.0.0.1").lstrip(".")
    bind = env_str("KOMA_BIND", "127.0.0.1")
    address = "127.0.0.1" if bind == "0.0.0.0" else bind  # noqa: S104 - compared, not bound
    port = env_int("KOMA_PORT", 8000, minimum=1, maximum=65535)
    connection = http.client.HTTPConnection(address, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/healthz", headers={"Host": host})
        answer = connection.getresponse()
        print(answer.read(1000).decode(errors="replace"))
        return 0 if answer.status == 200 else 1
    except OSError as problem:
        print(f"no answer: {problem}")
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
