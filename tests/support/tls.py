"""Certificates of every kind, and servers that are worse than the agent accepts."""

from __future__ import annotations

import datetime
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.servers import require

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Issued:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: PrivateKey

    def pem(self) -> bytes:
        """Both, for a server."""
        key = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return key + self.certificate.public_bytes(serialization.Encoding.PEM)


def name(text: str) -> x509.Name:
    """A name with a common name only."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def authority(*, key_usage: bool = True) -> Issued:
    """A root CA, with or without the keyUsage that RFC 5280 demands."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder("Example Root", key.public_key(), name("Example Root"))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    if key_usage:
        builder = builder.add_extension(_signing(), critical=True)
    return Issued(builder.sign(key, hashes.SHA256()), key)


def server(
    ca: Issued | None,
    *,
    hosts: tuple[str, ...] = ("localhost",),
    starts: datetime.timedelta = -DAY,
    ends: datetime.timedelta = DAY,
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
    rsa_bits: int = 2048,
) -> Issued:
    """A server certificate; signed by itself without a `ca`, without subjectAltName without `hosts`."""
    key = rsa.generate_private_key(65537, rsa_bits)
    issuer = name("localhost") if ca is None else ca.certificate.subject
    builder = _builder("localhost", key.public_key(), issuer, starts, ends)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    signer = key if ca is None else ca.key
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = builder.add_extension(issuer_id, critical=False)
    if hosts:
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    return Issued(builder.sign(signer, hashes.SHA256()), key)


def _builder(
    subject: str,
    public_key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
    issuer: x509.Name,
    starts: datetime.timedelta = -DAY,
    ends: datetime.timedelta = DAY,
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + starts)
        .not_valid_after(now + ends)
    )


def _signing() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def write(path: Path, *issued: Issued) -> Path:
    """Certificates only, as a CA file."""
    path.write_bytes(b"".join(one.certificate.public_bytes(serialization.Encoding.PEM) for one in issued))
    return path


class OpenSslServer:
    """`openssl s_server`; `output` is what it printed, request lines included."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self._log = log

    def output(self) -> str:
        """Everything it printed so far."""
        return self._log.read_text("latin-1")


@contextmanager
def openssl_server(folder: Path, pem: bytes, *options: str) -> Iterator[OpenSslServer]:
    """A server with these options on a free port."""
    openssl = require("openssl")
    (folder / "server.pem").write_bytes(pem)
    log = folder / "s_server.log"
    files = ["-cert", str(folder / "server.pem"), "-key", str(folder / "server.pem")]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(openssl), "s_server", "-accept", "127.0.0.1:0", *files, *options],
            stdin=subprocess.PIPE,  # it ends when its standard input does
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield OpenSslServer(process, _port(process, log), log)
        finally:
            process.kill()
            process.communicate()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    from tests.support.cloud import wait_until

    wait_until(lambda: process.poll() is not None or re.search(r"ACCEPT \S+:\d+", log.read_text("latin-1")))
    found = re.search(r"ACCEPT \S+:(\d+)", log.read_text("latin-1"))
    assert found, log.read_text("latin-1")
    return int(found[1])
