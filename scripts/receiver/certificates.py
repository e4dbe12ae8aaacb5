"""A throw-away CA and a certificate for the loopback names; kept in the folder so that a restart keeps them."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import trustme

NAMES = ("localhost", "127.0.0.1", "::1", "receiver.test")
SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20"


def make_certificates(folder: Path) -> Path:
    """Write `ca.pem` and `server.pem` unless they are there; returns the path of the CA's certificate."""
    ca_path, server_path = folder / "ca.pem", folder / "server.pem"
    if not (ca_path.exists() and server_path.exists()):
        authority = trustme.CA()
        server = authority.issue_cert(*NAMES)
        chain = b"".join(blob.bytes() for blob in server.cert_chain_pems)
        handle = os.open(server_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(server.private_key_pem.bytes() + chain)
        authority.cert_pem.write_to_path(str(ca_path))
    return ca_path


def server_context(folder: Path) -> ssl.SSLContext:
    """TLS 1.2 or newer with forward secrecy, as the real cloud would offer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(SUITES)
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(folder / "server.pem")
    return context
