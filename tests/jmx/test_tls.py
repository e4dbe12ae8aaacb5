"""TLS against a JVM: registry and server are two switches, each on or off, with or without client certificate."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509 import load_pem_x509_certificate

from agent.jmx.diagnose import FAILED, diagnose
from agent.jmx.errors import JmxError
from agent.jmx.model import BeanQuery, TlsOptions
from agent.jmx.rmi_transport import RmiTransport
from tests.jmx.conftest import AGENT, Jvm, free_port

PASSWORD = "changeit"
TIMERS = BeanQuery("fixture:type=timer,*")


class Certificates:
    """One CA, a server's key store and trust store in Java's formats, a client's files in ours."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        self.client = folder / "client.pem"
        authority.issue_cert("client.example").private_key_and_cert_chain_pem.write_to_path(str(self.client))
        self.key_store, self.trust_store = folder / "server.p12", folder / "trust.p12"
        self.key_store.write_bytes(self._key_store(authority.issue_cert("localhost", "jmx.example")))
        files = ["-file", str(self.ca_file), "-keystore", str(self.trust_store)]
        command = [
            "keytool",
            "-importcert",
            "-noprompt",
            "-alias",
            "ca",
            "-storetype",
            "PKCS12",
            "-storepass",
            PASSWORD,
        ]
        subprocess.run([*command, *files], check=True, capture_output=True)

    @staticmethod
    def _key_store(leaf: trustme.LeafCert) -> bytes:
        return pkcs12.serialize_key_and_certificates(
            b"jmx",
            serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None),  # type: ignore[arg-type]  # RSA or EC
            load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()),
            None,
            serialization.BestAvailableEncryption(PASSWORD.encode()),
        )

    def flags(self, *, registry: bool, server: bool, client: bool = False) -> tuple[str, ...]:
        return (
            f"{AGENT}.authenticate=false",
            f"{AGENT}.ssl={str(server).lower()}",
            f"{AGENT}.registry.ssl={str(registry).lower()}",
            f"{AGENT}.ssl.need.client.auth={str(client).lower()}",
            # one port cannot be plain and TLS at once
            *(() if registry == server else (f"{AGENT}.rmi.port={free_port()}",)),
            f"-Djavax.net.ssl.keyStore={self.key_store}",
            f"-Djavax.net.ssl.keyStorePassword={PASSWORD}",
            f"-Djavax.net.ssl.trustStore={self.trust_store}",
            f"-Djavax.net.ssl.trustStorePassword={PASSWORD}",
        )

    def options(self, *, registry: bool, server: bool, client: bool = False) -> TlsOptions:
        return TlsOptions(
            server=server,
            registry=registry,
            ca_file=self.ca_file,
            certificate_file=self.client if client else None,
            expected_name="jmx.example",
        )


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory, fixture_classes: Path) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls") / "first")


Start = Callable[..., Jvm]


def sample(jvm: Jvm, options: TlsOptions) -> int:
    transport = RmiTransport(jvm.target(tls=options), [TIMERS])
    try:
        return len(transport.sample(20).beans)
    finally:
        transport.close()


def code_of(jvm: Jvm, options: TlsOptions) -> str:
    with pytest.raises(JmxError) as caught:
        sample(jvm, options)
    assert caught.value.do
    return caught.value.code


@pytest.mark.parametrize("server", [False, True])
@pytest.mark.parametrize("registry", [False, True])
def test_all_combinations_of_registry_and_server(
    start_jvm: Start, certificates: Certificates, registry: bool, server: bool
) -> None:
    """J13, J12: the right pair of switches connects; each wrong one has its own code, at the side that is wrong."""
    jvm = start_jvm(*certificates.flags(registry=registry, server=server))
    right = certificates.options(registry=registry, server=server)
    assert sample(jvm, right) == 3
    other_registry = "registry-tls-missing" if registry else "registry-tls-unwanted"
    assert code_of(jvm, replace(right, registry=not registry)) == other_registry
    other_server = "server-tls-missing" if server else "server-tls-unwanted"
    assert code_of(jvm, replace(right, server=not server)) == other_server


def test_a_client_certificate(start_jvm: Start, certificates: Certificates, tmp_path: Path) -> None:
    """J13: with the certificate it connects, without it the reason is named (with TLS 1.3 it shows at a read only)."""
    jvm = start_jvm(*certificates.flags(registry=True, server=True, client=True))
    right = certificates.options(registry=True, server=True, client=True)
    assert sample(jvm, right) == 3
    assert code_of(jvm, replace(right, certificate_file=None)) == "client-certificate-required"
    stages = diagnose(jvm.target(tls=replace(right, certificate_file=None)), 10)
    assert [(stage.name, stage.code) for stage in stages if stage.state == FAILED] == [
        ("tls", "client-certificate-required")
    ]
    stranger = Certificates(tmp_path / "stranger")
    assert code_of(jvm, replace(right, certificate_file=stranger.client)) == "tls-failed"


def test_trust_and_name(start_jvm: Start, certificates: Certificates, tmp_path: Path) -> None:
    """The chain is always checked, the name unless that is switched off; unusable files are told."""
    jvm = start_jvm(*certificates.flags(registry=True, server=True))
    right = certificates.options(registry=True, server=True)
    assert code_of(jvm, replace(right, expected_name="other.example")) == "tls-failed"
    assert sample(jvm, replace(right, expected_name="other.example", check_name=False)) == 3
    stranger = Certificates(tmp_path / "stranger")
    assert code_of(jvm, replace(right, ca_file=stranger.ca_file, check_name=False)) == "tls-failed"
    assert code_of(jvm, replace(right, ca_file=tmp_path / "absent.pem")) == "tls-failed"


def test_two_targets_with_two_authorities(start_jvm: Start, certificates: Certificates, tmp_path: Path) -> None:
    """J22: trust belongs to the target: both work in one process, and not with each other's CA."""
    second = Certificates(tmp_path / "second")
    pairs = [
        (start_jvm(*each.flags(registry=False, server=True)), each.options(registry=False, server=True))
        for each in (certificates, second)
    ]
    assert [sample(jvm, options) for jvm, options in pairs] == [3, 3]
    assert code_of(pairs[0][0], pairs[1][1]) == "tls-failed"


def test_a_certificate_as_keytool_makes_it(start_jvm: Start, tmp_path: Path) -> None:
    """Self-signed, its name in the subject alone, no extension of RFC 5280: trusted where the target names it."""
    store, exported = tmp_path / "own.p12", tmp_path / "own.pem"
    keys = ["-alias", "jmx", "-storetype", "PKCS12", "-keystore", str(store), "-storepass", PASSWORD]
    making = ["-genkeypair", "-keyalg", "RSA", "-keysize", "2048", "-dname", "CN=localhost", "-validity", "2"]
    subprocess.run(["keytool", *making, *keys], check=True, capture_output=True)
    subprocess.run(["keytool", "-exportcert", "-rfc", "-file", str(exported), *keys], check=True, capture_output=True)
    jvm = start_jvm(
        f"{AGENT}.authenticate=false",
        f"{AGENT}.ssl=true",
        f"{AGENT}.registry.ssl=true",
        f"-Djavax.net.ssl.keyStore={store}",
        "-Djavax.net.ssl.keyStoreType=PKCS12",
        f"-Djavax.net.ssl.keyStorePassword={PASSWORD}",
    )
    assert sample(jvm, TlsOptions(server=True, registry=True, ca_file=exported, expected_name="localhost")) == 3
    assert code_of(jvm, TlsOptions(server=True, registry=True, ca_file=exported, expected_name="other")) == "tls-failed"


@pytest.mark.parametrize("suite", ["TLS_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"])
def test_a_jvm_below_the_policy_is_refused(start_jvm: Start, certificates: Certificates, suite: str) -> None:
    """Without forward secrecy, or without AEAD, no login is sent: one policy for the cloud and for a JVM."""
    weak = (f"{AGENT}.ssl.enabled.cipher.suites={suite}", f"{AGENT}.ssl.enabled.protocols=TLSv1.2")
    jvm = start_jvm(*certificates.flags(registry=True, server=True), *weak)
    assert code_of(jvm, certificates.options(registry=True, server=True)) == "tls-failed"
