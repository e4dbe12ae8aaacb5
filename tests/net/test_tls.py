"""TLS against real servers: what is offered, what is refused before a byte of a request, in which words."""

from __future__ import annotations

import datetime
import os
import re
import socket
import ssl
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from agent.net import tls
from agent.net.connect import open_tcp
from agent.net.deadline import Deadline
from agent.net.error import Fault, NetError
from agent.net.http import HttpClient
from agent.net.options import OptionNames, TlsTrust
from agent.net.stream import Flight, TcpStream, TlsStream
from tests.support import tls as make
from tests.support.cloud import KEY, ROOT
from tests.support.servers import require

SYSTEM_PYTHON = Path("/usr/bin/python3")
DAY = datetime.timedelta(days=1)

WEAK = {
    "TLS 1.1": (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], "TLS 1.1 or older"),
    "RSA key exchange": (["-tls1_2", "-cipher", "AES256-GCM-SHA384:@SECLEVEL=0"], "forward secrecy"),
    "CBC": (["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA:@SECLEVEL=0"], "forward secrecy"),
    "DHE 1024": (["-tls1_2", "-cipher", "DHE-RSA-AES256-GCM-SHA384:@SECLEVEL=0"], "forward secrecy"),
}


@pytest.fixture(scope="module")
def ca() -> make.Issued:
    return make.authority()


NAMES = OptionNames("the.address", "the.ca_file", "the.proxy")


def problem_with(port: int, trust: TlsTrust, host: str = "localhost") -> NetError:
    """What a request with a key to that server raises."""
    client = HttpClient(f"https://{host}:{port}", trust=trust, names=NAMES)
    login = {"Authorization": f"Bearer {KEY.reveal()}"}
    with client, pytest.raises(NetError) as caught:
        client.request("PUT", "/v1/batches/1", Deadline(10), headers=login, body=b"body")
    return caught.value


def careless(port: int) -> str:
    """The cipher suite that a client without any standards agrees on with that server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with socket.create_connection(("127.0.0.1", port), 10) as raw, context.wrap_socket(raw) as secured:
        cipher = secured.cipher()
        assert cipher is not None
        return cipher[0]


@pytest.fixture(scope="module")
def small_group(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real 1024-bit group (RFC 2409, group 2): generated `-dsaparam` files are silently not used."""
    path = tmp_path_factory.mktemp("dh") / "dh1024.pem"
    prime = (
        "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD"
        "3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F"
        "24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF"
    )
    require("openssl")
    description = f"asn1=SEQUENCE:dh\n[dh]\np=INTEGER:0x{prime}\ng=INTEGER:2\n"
    path.with_suffix(".cnf").write_text(description)
    der = path.with_suffix(".der")
    subprocess.run(
        ["openssl", "asn1parse", "-genconf", str(path.with_suffix(".cnf")), "-noout", "-out", str(der)], check=True
    )
    text = ssl.DER_cert_to_PEM_cert(der.read_bytes()).replace("CERTIFICATE", "DH PARAMETERS")
    path.write_text(text)
    return path


@pytest.mark.fault(85)
@pytest.mark.parametrize("weakness", WEAK)
def test_weak_server_is_refused_before_a_byte(
    weakness: str, ca: make.Issued, tmp_path: Path, small_group: Path
) -> None:
    """A server below the promise gets no byte of a request; a careless client would have connected (the control)."""
    options, words = WEAK[weakness]
    extra = ["-dhparam", str(small_group)] if "DHE" in weakness else []
    ca_file = make.write(tmp_path / "ca.pem", ca)
    with make.openssl_server(tmp_path, make.server(ca).pem(), *options, *extra) as server:
        assert careless(server.port)
        problem = problem_with(server.port, TlsTrust(ca_file))
        assert words in problem.why
        assert not problem.sent
        assert "PUT" not in server.output()
        assert KEY.reveal() not in server.output()
        assert not extra or "default temp DH" not in server.output()


@pytest.mark.fault(86)
@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("expired", "has expired"),
        ("not yet", "not valid yet"),
        ("wrong host", "names another host"),
        ("no name", "names another host"),
        ("self-signed", "self-signed"),
        ("unknown CA", "unknown here"),
        ("for clients", "not meant for servers"),
        ("weak key", "too weak"),
    ],
)
def test_each_bad_certificate_has_its_own_words(case: str, words: str, ca: make.Issued, tmp_path: Path) -> None:
    """A peer that cannot prove who it is gets nothing, and the message names what is wrong with its certificate."""
    issued = {
        "expired": lambda: make.server(ca, starts=-3 * DAY, ends=-DAY),
        "not yet": lambda: make.server(ca, starts=DAY, ends=3 * DAY),
        "wrong host": lambda: make.server(ca, hosts=("other.example.com",)),
        "no name": lambda: make.server(ca, hosts=()),
        "self-signed": lambda: make.server(None),
        "unknown CA": lambda: make.server(make.authority()),
        "for clients": lambda: make.server(ca, purpose=ExtendedKeyUsageOID.CLIENT_AUTH),
        "weak key": lambda: make.server(ca, rsa_bits=1024),
    }[case]()
    ca_file = make.write(tmp_path / "ca.pem", ca)
    with make.openssl_server(tmp_path, issued.pem(), "-cipher", "ALL:@SECLEVEL=0") as server:
        problem = problem_with(server.port, TlsTrust(ca_file))
        assert words in problem.why
        assert problem.do
        assert not problem.sent
        assert "PUT" not in server.output()


def test_corporate_root_without_key_usage_is_named(tmp_path: Path) -> None:
    """A root without keyUsage, as many TLS-inspecting proxies have, is refused in words that name it (P3)."""
    root = make.authority(key_usage=False)
    ca_file = make.write(tmp_path / "ca.pem", root)
    with make.openssl_server(tmp_path, make.server(root).pem()) as server:
        problem = problem_with(server.port, TlsTrust(ca_file))
        assert "keyUsage" in problem.why
        assert "keyCertSign" in problem.do


OFFERED = r"\{0x[0-9A-F]{2}, 0x[0-9A-F]{2}\} (\S+)"


def client_hello(interpreter: str, ca: make.Issued, tmp_path: Path) -> str:
    """What `client_context` offers when this interpreter runs it, as OpenSSL decodes it."""
    program = """
        import socket, sys, ssl
        from pathlib import Path
        from agent.net.options import TlsTrust
        from agent.net.tls import client_context
        context = client_context(TlsTrust(Path(sys.argv[2])))
        with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as raw:
            with context.wrap_socket(raw, server_hostname="localhost") as secured:
                print(secured.version(), secured.cipher()[0])
    """
    ca_file = make.write(tmp_path / "ca.pem", ca)
    with make.openssl_server(tmp_path, make.server(ca).pem(), "-trace") as server:
        done = subprocess.run(
            [interpreter, "-c", textwrap.dedent(program), str(server.port), str(ca_file)],
            cwd=ROOT,
            env={**os.environ, "SSLKEYLOGFILE": str(tmp_path / "keys.log"), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("TLSv1.3 ")
        return server.output()


@pytest.mark.parametrize("interpreter", [sys.executable, str(SYSTEM_PYTHON)])
def test_what_is_offered(interpreter: str, ca: make.Issued, tmp_path: Path) -> None:
    """The ClientHello offers TLS 1.3 and 1.2 and nine ephemeral AEAD suites, whichever Python runs; no key log file."""
    if not Path(interpreter).exists():
        pytest.skip("this machine has no interpreter of the distribution")
    trace = client_hello(interpreter, ca, tmp_path)
    offered = trace.split("cipher_suites", 1)[1].split("compression_methods", 1)[0]
    suites = set(re.findall(OFFERED, offered)) - {"TLS_EMPTY_RENEGOTIATION_INFO_SCSV"}
    assert len(suites) == 9
    assert all(suite.startswith(("TLS_AES", "TLS_CHACHA", "TLS_ECDHE")) for suite in suites)
    assert all("GCM" in suite or "POLY1305" in suite for suite in suites)
    versions = trace.split("supported_versions", 1)[1].split("extension_type", 1)[0]
    assert re.findall(r"TLS 1\.\d", versions) == ["TLS 1.3", "TLS 1.2"]
    assert not (tmp_path / "keys.log").exists()


def test_system_python_refuses_what_its_defaults_accept(ca: make.Issued, tmp_path: Path) -> None:
    """The distribution's Python connects without forward secrecy by default; with our context it does not."""
    if not SYSTEM_PYTHON.exists():
        pytest.skip("this machine has no interpreter of the distribution")
    program = """
        import socket, sys, ssl
        from pathlib import Path
        from agent.net.options import TlsTrust
        from agent.net.tls import client_context
        for context in (ssl.create_default_context(cafile=sys.argv[2]), client_context(TlsTrust(Path(sys.argv[2])))):
            try:
                with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as raw:
                    context.wrap_socket(raw, server_hostname="localhost").close()
                print("connected")
            except ssl.SSLError as error:
                print("refused")
    """
    ca_file = make.write(tmp_path / "ca.pem", ca)
    weak = ["-tls1_2", "-cipher", "AES256-GCM-SHA384:@SECLEVEL=0"]
    with make.openssl_server(tmp_path, make.server(ca).pem(), *weak) as server:
        done = subprocess.run(
            [str(SYSTEM_PYTHON), "-c", textwrap.dedent(program), str(server.port), str(ca_file)],
            cwd=ROOT,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
    assert done.stdout.split()[1] == "refused"


def test_unsafe_connection_gets_no_request(ca: make.Issued, tmp_path: Path) -> None:
    """Even if a context let an unsafe suite through, the look after the handshake stops the request."""
    lax = ssl.create_default_context(cafile=str(make.write(tmp_path / "ca.pem", ca)))
    lax.set_ciphers("ALL:@SECLEVEL=0")
    weak = ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA:@SECLEVEL=0"]
    with make.openssl_server(tmp_path, make.server(ca).pem(), *weak) as server:
        flight = Flight()
        flight.start(Deadline(10))
        lower = TcpStream(open_tcp("localhost", server.port, flight.deadline), flight)
        with pytest.raises(NetError, match="not safe enough"):
            TlsStream(lower, lax, "localhost")
        lower.close()


class _Connected:
    """What the ssl module would say about a connection."""

    def __init__(self, version: str, suite: str) -> None:
        self._version = version
        self._suite = suite

    def version(self) -> str:
        return self._version

    def cipher(self) -> tuple[str, str, int]:
        return self._suite, self._version, 256


@pytest.mark.parametrize(
    ("version", "suite", "safe"),
    [
        ("TLSv1.3", "TLS_AES_256_GCM_SHA384", True),
        ("TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256", True),
        ("TLSv1.1", "ECDHE-RSA-AES128-SHA", False),
        ("TLSv1.2", "AES256-GCM-SHA384", False),
        ("TLSv1.2", "DHE-RSA-AES256-GCM-SHA384", False),
    ],
)
def test_second_look_after_the_handshake(version: str, suite: str, safe: bool) -> None:
    """Whatever the library negotiated, the connection is used only within the promise."""
    connection = _Connected(version, suite)
    if safe:
        tls.check_connection(connection)  # type: ignore[arg-type]  # the two methods it asks
        return
    with pytest.raises(NetError, match="not safe enough"):
        tls.check_connection(connection)  # type: ignore[arg-type]  # the two methods it asks


@pytest.mark.parametrize("content", [None, b"", b"not a certificate"])
def test_unusable_ca_file_stops_the_start(content: bytes | None, tmp_path: Path) -> None:
    """A CA file that is missing or holds no certificate is an error; it never means: trust everyone."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(NetError) as caught:
        tls.client_context(TlsTrust(path))
    assert caught.value.fault is Fault.TLS_FILES
    assert caught.value.why


def test_key_with_a_passphrase_is_refused_without_asking(ca: make.Issued, tmp_path: Path) -> None:
    """OpenSSL would ask for the passphrase on the terminal and hang."""
    own = make.server(ca, purpose=ExtendedKeyUsageOID.CLIENT_AUTH)
    (tmp_path / "own.pem").write_bytes(own.certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "own.key").write_bytes(
        own.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"word"),
        )
    )
    with pytest.raises(NetError) as caught:
        tls.client_context(TlsTrust(certificate_file=tmp_path / "own.pem", key_file=tmp_path / "own.key"))
    assert caught.value.fault is Fault.TLS_FILES


def test_trust_variables_are_ignored(ca: make.Issued, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SSL_CERT_FILE cannot add a CA to the system's store."""
    monkeypatch.setenv("SSL_CERT_FILE", str(make.write(tmp_path / "ca.pem", ca)))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert "Example Root" not in str(tls.client_context(TlsTrust(strict_chain=False)).get_ca_certs())


def test_a_ca_file_that_changes_is_read_anew(ca: make.Issued, tmp_path: Path) -> None:
    """A context is kept while its files are as they were, and not longer: a renewed CA needs no restart."""
    path = make.write(tmp_path / "ca.pem", ca)
    first = tls.client_context(TlsTrust(path))
    assert tls.client_context(TlsTrust(path)) is first
    make.write(path, make.authority(), ca)
    os.utime(path, ns=(1, 1))
    assert tls.client_context(TlsTrust(path)) is not first


@pytest.mark.parametrize(
    ("trust", "hosts", "key_usage", "accepted"),
    [
        (TlsTrust(expected_name="other.example.com"), ("other.example.com",), True, True),
        (TlsTrust(), ("other.example.com",), True, False),
        (TlsTrust(check_name=False), ("other.example.com",), True, True),
        (TlsTrust(), (), True, False),
        (TlsTrust(common_name=True), (), True, True),
        (TlsTrust(), ("localhost",), False, False),
        (TlsTrust(strict_chain=False), ("localhost",), False, True),
    ],
)
def test_what_each_option_lets_through(
    trust: TlsTrust, hosts: tuple[str, ...], key_usage: bool, accepted: bool, tmp_path: Path
) -> None:
    """Each option opens what it names and nothing else; a stranger's certificate is refused under all of them."""
    root = make.authority(key_usage=key_usage)
    trust = replace(trust, ca_file=make.write(tmp_path / "ca.pem", root))
    with make.openssl_server(tmp_path, make.server(root, hosts=hosts).pem(), "-www") as server:
        client = HttpClient(f"https://localhost:{server.port}", trust=trust)
        if accepted:
            assert client.request("GET", "/", Deadline(10)).status == 200
        else:
            with pytest.raises(NetError):
                client.request("GET", "/", Deadline(10))
        client.close()
        stranger = replace(trust, ca_file=make.write(tmp_path / "stranger.pem", make.authority(key_usage=key_usage)))
        assert problem_with(server.port, stranger).fault is Fault.UNTRUSTED


def test_client_certificate(ca: make.Issued, tmp_path: Path) -> None:
    """A server that wants a certificate gets ours; without one the fault is named, also after the handshake (1.3)."""
    own = make.server(ca, hosts=("agent.example.com",), purpose=ExtendedKeyUsageOID.CLIENT_AUTH)
    (tmp_path / "own.pem").write_bytes(own.pem())
    ca_file = make.write(tmp_path / "ca.pem", ca)
    options = ("-www", "-Verify", "2", "-verify_return_error", "-CAfile", str(ca_file))
    with make.openssl_server(tmp_path, make.server(ca).pem(), *options) as server:
        with_own = TlsTrust(ca_file, tmp_path / "own.pem", tmp_path / "own.pem")
        with HttpClient(f"https://localhost:{server.port}", trust=with_own) as client:
            assert client.request("GET", "/", Deadline(10)).status == 200
        problem = problem_with(server.port, TlsTrust(ca_file))
        assert problem.fault in (Fault.CERTIFICATE_WANTED, Fault.LOST)


@pytest.mark.parametrize(
    "form", ["pem", "crlf", "bom", "utf-16", "der", "indented", "text-around", "second-of-two", "bom-and-two"]
)
def test_a_ca_file_in_every_usual_form(tmp_path: Path, form: str) -> None:
    """Windows and YAML leave marks, line ends and blanks; a browser exports DER; a bundle has more than one."""
    ca, other = trustme.CA(), trustme.CA()
    pem, second = ca.cert_pem.bytes(), other.cert_pem.bytes()
    content = {
        "pem": pem,
        "crlf": pem.replace(b"\n", b"\r\n"),
        "bom": b"\xef\xbb\xbf" + pem,
        "utf-16": pem.decode().encode("utf-16"),
        "der": ssl.PEM_cert_to_DER_cert(pem.decode()),
        "indented": b"".join(b"    " + line + b"\n" for line in pem.splitlines()),
        "text-around": "Größe: ".encode("latin-1") + b"\n# the root\n" + pem + b"\n\n   \n",
        "second-of-two": second + pem,
        "bom-and-two": b"\xef\xbb\xbf" + pem + second,
    }[form]
    path = tmp_path / "ca.pem"
    path.write_bytes(content)
    loaded = tls.client_context(TlsTrust(path)).get_ca_certs(binary_form=True)
    assert ssl.PEM_cert_to_DER_cert(pem.decode()) in loaded


@pytest.mark.parametrize(
    "content", [b"", b"\xef\xbb\xbf", b"hello", b"\x30\x82\x01", b"  -----BEGIN CERTIFICATE-----\n"]
)
def test_a_ca_file_without_a_certificate_is_refused(tmp_path: Path, content: bytes) -> None:
    """Whatever else stands in it: an error that says so, and no context that trusts nobody."""
    path = tmp_path / "ca.pem"
    path.write_bytes(content)
    with pytest.raises(NetError) as caught:
        tls.client_context(TlsTrust(path))
    assert caught.value.fault is Fault.TLS_FILES
