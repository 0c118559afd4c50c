"""Captions per second from a local server that answers at once: the cost of requests, http and https.

    python -m bench.captions --captions 200

The server is the one of the tests; its answers take no time, so that Koma's own cost remains.
"""

from __future__ import annotations

import argparse
import os
import ssl
import subprocess
import tempfile
import time
from pathlib import Path

from annotate.backends.captioners.endpoint import ChatEndpoint, Endpoint
from annotate.backends.contract import CaptionAsk
from tests.annotate.chat_server import ChatServer, Reply, serving

JPEG_BYTES = 120_000  # of a picture of 1024 pixels
BATCH = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--captions", type=int, default=200)
    parser.add_argument("--in-flight", type=int, default=8)
    args = parser.parse_args()
    jpeg = os.urandom(JPEG_BYTES)
    with tempfile.TemporaryDirectory() as folder:
        for name, tls in (("http", None), ("https", _certificate(Path(folder)))):
            with serving(ChatServer(lambda number, request: Reply(says="a picture")), tls=tls, keep=True) as server:
                endpoint = ChatEndpoint(Endpoint(server.url.replace("http", name), "m", in_flight=args.in_flight))
                began, processor = time.perf_counter(), time.process_time()
                done = 0
                while done < args.captions:
                    answers = endpoint.caption([CaptionAsk("What is it?", jpeg)] * min(BATCH, args.captions - done))
                    assert all(answer.text for answer in answers), answers[0].problem
                    done += len(answers)
                seconds, used = time.perf_counter() - began, time.process_time() - processor
                print(
                    f"{name:5} {args.captions / seconds:7.1f} captions per second, "
                    f"{1000 * used / args.captions:6.2f} ms of CPU time each (the server's part included)"
                )


def _certificate(folder: Path) -> ssl.SSLContext:
    """A server's context with a fresh certificate for 127.0.0.1, which this process trusts."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    system = Path(ssl.get_default_verify_paths().openssl_cafile)
    trusted = folder / "trusted.pem"  # with those of the system, whose loading is measured too
    trusted.write_bytes(certificate.read_bytes() + (system.read_bytes() if system.is_file() else b""))
    os.environ["SSL_CERT_FILE"] = str(trusted)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


if __name__ == "__main__":
    main()
