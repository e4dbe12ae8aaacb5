"""TLS to a database in the words of each driver; never weaker than the address says.

In:   the TLS part of an address. Out: connect arguments, made anew for each connection so that a renewed certificate
      counts; SourceError `tls` names a file that cannot be used.
Without a CA file the system's authorities are trusted, as a file: the drivers bring an OpenSSL of their own, which
looks for them where there are none.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import SourceError
from agent.product.database.address import DatabaseTls
from agent.settings import TlsMode

if TYPE_CHECKING:
    import ssl

# Debian, Ubuntu, Arch and Alpine; RHEL and its like; SUSE; BSD and macOS.
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
TLS = "tls"


def authorities_of(tls: DatabaseTls) -> str:
    """The file of the authorities to trust; raises SourceError when it cannot be read or the system has none."""
    if tls.ca_file:
        _check_readable(tls.ca_file, "ca_file")
        return tls.ca_file
    found = next((bundle for bundle in BUNDLES if os.path.isfile(bundle)), None)
    if found is None:
        raise SourceError(
            TLS,
            "The database's certificate cannot be checked.",
            why="This system has no file of authorities.",
            do="Install the package ca-certificates, or name a PEM file: [database.tls] ca_file",
        )
    return found


def check_files(tls: DatabaseTls) -> None:
    """Raise SourceError for a file of the address that is missing, or that this account may not read."""
    if tls.certificate_file:
        _check_readable(tls.certificate_file, "certificate_file")
    if tls.key_file:
        _check_readable(tls.key_file, "key_file")


def check_key_mode(path: str) -> None:
    """Raise SourceError for a key that libpq would refuse: open to others, or to the group unless root owns it."""
    facts = os.stat(path)
    open_to = 0o037 if facts.st_uid == 0 else 0o077
    if facts.st_mode & open_to:
        raise SourceError(
            TLS,
            "The key of the agent's certificate is open to others.",
            why=f"{path} has mode {facts.st_mode & 0o777:04o}; the PostgreSQL driver refuses such a key.",
            do=f"Run: install -m 0600 -o portfolio-agent {path} /etc/portfolio-agent/database-client.key   "
            'and set [database.tls] key_file = "/etc/portfolio-agent/database-client.key"',
        )


def _check_readable(path: str, key: str) -> None:
    try:
        with open(path, "rb"):
            return
    except OSError as error:
        raise SourceError(
            TLS,
            f"The file {path} cannot be read.",
            why=f"{error.strerror} (uid {os.geteuid()}); TLS to the database needs it.",
            do=f"Let the service account read it, or name a copy: [database.tls] {key}",
        ) from None


def libpq_tls(tls: DatabaseTls) -> dict[str, object]:
    """libpq's arguments; nothing where nothing is said, which libpq and the product's driver read alike (`prefer`)."""
    check_files(tls)
    chosen: dict[str, object] = {}
    if tls.mode is not None:
        chosen["sslmode"] = str(tls.mode)
    # Only with a mode that verifies: libpq would verify by it under `require` as well, the product's driver does not.
    if tls.verifies:
        chosen["sslrootcert"] = authorities_of(tls)
    if tls.certificate_file:
        check_key_mode(tls.key_file)
        chosen |= {"sslcert": tls.certificate_file, "sslkey": tls.key_file}
    return chosen


def context_of(tls: DatabaseTls, *, check_name: bool) -> ssl.SSLContext:
    """The context for drivers that take one of Python's; `check_name` only where the driver does not do it itself."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = check_name and tls.mode is TlsMode.VERIFY_FULL
    context.verify_mode = ssl.CERT_REQUIRED if tls.verifies else ssl.CERT_NONE
    check_files(tls)
    authorities = authorities_of(tls) if tls.verifies else ""
    try:
        if authorities:
            context.load_verify_locations(authorities)
        if tls.certificate_file:
            # Without a password function OpenSSL asks on the terminal, and a daemon hangs.
            context.load_cert_chain(tls.certificate_file, tls.key_file or None, password=lambda: b"")
    except (ssl.SSLError, ValueError):
        names = ", ".join(path for path in (authorities, tls.certificate_file, tls.key_file) if path)
        raise SourceError(
            TLS,
            "A file for TLS to the database cannot be used.",
            why=f"One of these is not PEM, has a passphrase, or does not belong to the others: {names}.",
            do="Check them: openssl x509 -noout -subject -in FILE; openssl pkey -noout -in KEY",
        ) from None
    return context


_FREETDS = threading.Lock()


@contextlib.contextmanager
def freetds_file(text: str) -> Iterator[None]:
    """FreeTDS takes authorities and names from a configuration file only: one in memory, while a connection is made."""
    # Environment and driver are the whole process's, so one connection at a time.
    with _FREETDS, open(os.memfd_create("freetds.conf"), "wb", buffering=0) as stream:
        stream.write(text.encode())
        before = os.environ.get("FREETDSCONF")
        os.environ["FREETDSCONF"] = str(Path("/proc/self/fd") / str(stream.fileno()))
        try:
            yield
        finally:
            if before is None:
                del os.environ["FREETDSCONF"]
            else:
                os.environ["FREETDSCONF"] = before


def freetds_text(tls: DatabaseTls) -> str:
    """FreeTDS's configuration for a connection that verifies the server."""
    lines = [
        "[global]",
        f"\tencryption = {'strict' if tls.mode is TlsMode.STRICT else 'require'}",
        f"\tca file = {authorities_of(tls)}",
        f"\tcheck certificate hostname = {'no' if tls.mode is TlsMode.VERIFY_CA else 'yes'}",
    ]
    if tls.expected_name:
        lines.append(f"\tcertificate hostname = {tls.expected_name}")
    return "\n".join(lines) + "\n"
