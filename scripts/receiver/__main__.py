"""Starts the receiver: `python -m scripts.receiver --folder DIR`; says READY with its port once it listens."""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from scripts.receiver.app import make_app
from scripts.receiver.certificates import make_certificates, server_context
from scripts.receiver.misbehave import Connections
from scripts.receiver.storage import Folder

STOP_WITHIN_S = 2


def main() -> None:
    """Parse the arguments and serve until SIGTERM or SIGINT."""
    options = _options()
    options.folder.mkdir(parents=True, exist_ok=True)
    ca_file = make_certificates(options.folder)
    folder = Folder(options.folder, location=options.location, max_bytes=options.max_bytes)
    connections = Connections()

    class TrackedProtocol(H11Protocol):
        """HTTP/1.1 that lets the misbehaviours reach the connection below it."""

        def connection_made(self, transport: Any) -> None:
            self._peer = transport.get_extra_info("peername")[:2]
            connections.open[self._peer] = transport
            super().connection_made(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            connections.open.pop(self._peer, None)
            super().connection_lost(exc)

    app = make_app(folder, connections, _say if options.print else _say_nothing)
    config = uvicorn.Config(
        app, http=TrackedProtocol, ws="none", lifespan="off", log_level="error", timeout_graceful_shutdown=STOP_WITHIN_S
    )
    config.load()
    config.ssl = server_context(options.folder)
    listener = socket.create_server((options.host, options.port))
    # The line a script waits for: where it listens, and which CA to trust.
    print(f"READY port={listener.getsockname()[1]} ca={ca_file}", flush=True)
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scripts.receiver", description="The reference receiver.")
    parser.add_argument("--folder", type=Path, required=True, help="where keys, control and what arrives lie")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: loopback)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: a free one)")
    parser.add_argument("--location", default="eu", help="the organisation's data location (default: eu)")
    parser.add_argument("--max-bytes", type=int, default=16 * 1024 * 1024, help="largest body taken (default: 16 MiB)")
    parser.add_argument("--print", action="store_true", help="print what arrives for a person")
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _say_nothing(text: str) -> None:
    """Nothing is printed without --print."""


if __name__ == "__main__":
    main()
