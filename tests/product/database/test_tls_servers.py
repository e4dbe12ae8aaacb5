"""TLS against real servers: what each mode takes and what it refuses, certificates of ours, several hosts.

PostgreSQL and MariaDB run here with certificates of a test authority; SQL Server's driver talks to as much of its
protocol as shows whether it trusts a certificate.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from agent.errors import SourceError
from agent.product.database.address import DatabaseAddress, DatabaseTls
from agent.product.database.credentials import read_database_access
from agent.product.instance.setup import SetupWishes, set_up
from agent.product.model import DatabaseAccess
from agent.settings import Dialect, Secret, TargetServer, TlsMode, load_settings
from tests.product.database.test_engine_servers import read
from tests.support import tls
from tests.support.homes import write_home
from tests.support.mariadb import MariaDbServer, running_mariadb
from tests.support.postgres import PostgresServer, running_postgres, running_standby
from tests.support.tds import tds_server

WORD = "made-up-word-1"
TLS_NOW = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


@dataclass(frozen=True)
class Papers:
    """Certificates of one authority, of another one, and one signed by itself, as files in one folder."""

    folder: Path
    ca: tls.Issued

    def server(self, name: str, *hosts: str, signed: bool = True) -> Path:
        """Certificate and key of a server in one file."""
        path = self.folder / f"{name}.pem"
        path.write_bytes(tls.server(self.ca if signed else None, hosts=hosts or ("localhost",)).pem())
        return path


@pytest.fixture(scope="module")
def papers() -> Iterator[Papers]:
    """Where servers that run as another account may read."""
    folder = Path(tempfile.mkdtemp(prefix="pfa-papers-"))
    folder.chmod(0o755)
    ca = tls.authority()
    tls.write(folder / "ca.pem", ca)
    tls.write(folder / "other.pem", tls.authority())
    yield Papers(folder, ca)
    shutil.rmtree(folder)


# PostgreSQL


@pytest.fixture(scope="module")
def secure(papers: Papers) -> Iterator[PostgresServer]:
    """A server that speaks TLS, with one account that logs in by its certificate (whose name is "localhost")."""
    with running_postgres() as server:
        data = server.log_file.parent / "data"
        server.execute("postgres", "CREATE ROLE localhost LOGIN")
        hba = data / "pg_hba.conf"
        hba.write_text(f"hostssl all localhost 127.0.0.1/32 cert\n{hba.read_text()}")
        wear(server, papers.server("good"))
        yield server


def wear(server: PostgresServer, pem: Path) -> None:
    """The server's certificate from now on."""
    data = server.log_file.parent / "data"
    mine = data / pem.name
    shutil.copy(pem, mine)
    owner = data.stat()
    os.chown(mine, owner.st_uid, owner.st_gid)
    mine.chmod(0o600)
    server.execute(
        "postgres",
        "ALTER SYSTEM SET ssl = on",
        f"ALTER SYSTEM SET ssl_cert_file = '{mine}'",
        f"ALTER SYSTEM SET ssl_key_file = '{mine}'",
        f"ALTER SYSTEM SET ssl_ca_file = '{ca_of(pem, data)}'",
        "SELECT pg_reload_conf()",
    )
    # The reload is done when a new session is told the new file.
    while server.execute("postgres", "SHOW ssl_cert_file") != [(str(mine),)]:
        pass


def ca_of(pem: Path, data: Path) -> Path:
    copy = data / "ca.pem"
    shutil.copy(pem.parent / "ca.pem", copy)
    copy.chmod(0o644)
    return copy


def access(server: PostgresServer, how: DatabaseTls, host: str = "localhost") -> DatabaseAccess:
    address = DatabaseAddress(Dialect.POSTGRESQL, ((host, server.port),), "postgres", tls=how)
    return DatabaseAccess(address, server.superuser, Secret(server.password))


def outcome(login: DatabaseAccess, statement: str = "SELECT 1") -> object:
    """What the statement says, or the reason it could not be asked."""
    try:
        return read(login, statement)
    except SourceError as error:
        return error.reason


@pytest.mark.parametrize(
    ("mode", "certificate", "ca", "expected"),
    [
        (None, "good", "", True),
        (TlsMode.DISABLE, "good", "", False),
        (TlsMode.PREFER, "good", "", True),
        (TlsMode.REQUIRE, "self", "", True),
        (TlsMode.VERIFY_CA, "good", "ca.pem", True),
        (TlsMode.VERIFY_CA, "named", "ca.pem", True),
        (TlsMode.VERIFY_CA, "good", "other.pem", "tls"),
        (TlsMode.VERIFY_CA, "self", "ca.pem", "tls"),
        (TlsMode.VERIFY_CA, "good", "", "tls"),
        (TlsMode.VERIFY_FULL, "good", "ca.pem", True),
        (TlsMode.VERIFY_FULL, "good", "other.pem", "tls"),
        (TlsMode.VERIFY_FULL, "self", "ca.pem", "tls"),
        (TlsMode.VERIFY_FULL, "named", "ca.pem", "tls"),
        (TlsMode.VERIFY_FULL, "good", "", "tls"),
    ],
)
def test_postgresql_modes(
    secure: PostgresServer, papers: Papers, mode: TlsMode | None, certificate: str, ca: str, expected: object
) -> None:
    """Each mode takes and refuses what it says; without a CA file the system's authorities decide."""
    name = ("db.example.com",) if certificate == "named" else ("localhost",)
    wear(secure, papers.server(certificate, *name, signed=certificate != "self"))
    how = DatabaseTls(mode, str(papers.folder / ca) if ca else "")
    assert outcome(access(secure, how), TLS_NOW) == expected


@pytest.mark.parametrize("form", ["pem", "der"])
def test_postgresql_client_certificate(secure: PostgresServer, papers: Papers, form: str) -> None:
    """A certificate of ours is shown, its key as PEM or as the PKCS#8 that pgjdbc wants."""
    wear(secure, papers.server("good"))
    client = tls.server(papers.ca, purpose=ExtendedKeyUsageOID.CLIENT_AUTH)
    encoding = serialization.Encoding.PEM if form == "pem" else serialization.Encoding.DER
    key = papers.folder / f"client.{form}"
    key.write_bytes(client.key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    key.chmod(0o600)
    certificate = tls.write(papers.folder / "client.crt", client)
    how = DatabaseTls(TlsMode.VERIFY_FULL, str(papers.folder / "ca.pem"), str(certificate), str(key))
    login = replace(access(secure, how), user="localhost", password=None)
    assert outcome(login, "SELECT current_user") == "localhost"
    assert (
        outcome(replace(login, address=replace(login.address, tls=replace(how, certificate_file="", key_file=""))))
        == "tls"
    )
    key.chmod(0o644)
    with pytest.raises(SourceError, match="open to others") as caught:
        read(login)
    assert str(key) in caught.value.why


@pytest.mark.parametrize("key", ["ca_file", "certificate_file", "key_file"])
def test_a_file_that_is_missing_is_named(secure: PostgresServer, key: str) -> None:
    """A file of TLS that is not there is told with its path and the key that names another."""
    files = {"ca_file": "", "certificate_file": "", "key_file": ""} | {key: "/srv/none.pem"}
    with pytest.raises(SourceError) as caught:
        read(access(secure, DatabaseTls(TlsMode.VERIFY_CA, **files)))
    assert "/srv/none.pem" in caught.value.what
    assert key in caught.value.do


def free_port() -> int:
    """A port where nobody listens."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_postgresql_hosts(secure: PostgresServer) -> None:
    """Of a standby, a host that is down and the primary, the one that the target names is asked, whatever the order."""
    with running_standby(secure) as standby:
        places = [("127.0.0.1", free_port()), (standby.host, standby.port), (secure.host, secure.port)]
        login = access(secure, DatabaseTls())
        said = {}
        for target in TargetServer:
            address = replace(login.address, hosts=tuple(places), target=target)
            said[target] = outcome(replace(login, address=address), "SELECT pg_is_in_recovery()")
        assert said == {
            TargetServer.ANY: True,
            TargetServer.PRIMARY: False,
            TargetServer.STANDBY: True,
            TargetServer.PREFER_STANDBY: True,
        }
        alone = replace(login.address, target=TargetServer.PREFER_STANDBY)
        assert outcome(replace(login, address=alone), "SELECT pg_is_in_recovery()") is False
        # Nobody is the one that is wanted: no answer is better than one of the wrong server.
        with pytest.raises(SourceError):
            read(replace(login, address=replace(alone, target=TargetServer.STANDBY)))


def test_own_account_connects_as_the_product_would(secure: PostgresServer, papers: Papers, tmp_path: Path) -> None:
    """From a product's URL with an encrypted password to a connection: the same hosts, and the same refusals."""
    wear(secure, papers.server("good"))
    secure.execute("postgres", "DROP ROLE IF EXISTS portfolio_agent", "CREATE ROLE portfolio_agent LOGIN")
    secure.execute("postgres", f"ALTER ROLE portfolio_agent PASSWORD '{WORD}'")
    secret = tmp_path / "database.password"
    secret.touch(0o600)
    secret.write_text(WORD)
    said = {}
    for name, certificate in (("ca.pem", "good"), ("other.pem", "good"), ("ca.pem", "self"), ("ca.pem", "named")):
        hosts = ("db.example.com",) if certificate == "named" else ("localhost",)
        wear(secure, papers.server(certificate, *hosts, signed=certificate != "self"))
        url = (
            f"jdbc:postgresql://localhost:{free_port()},localhost:{secure.port}/postgres?targetServerType=primary"
            f"&amp;sslmode=verify-full&amp;sslrootcert={papers.folder / name}"
        )
        home = write_home(tmp_path / f"{certificate}-{name}", url=url, password="{ATL_SECURED}")
        output = tmp_path / f"{certificate}-{name}.toml"
        set_up(SetupWishes(home, output, state_dir=tmp_path / "state"))
        settings = load_settings(output)
        assert settings.database.password_file == secret
        said[certificate, name] = outcome(read_database_access(settings), TLS_NOW)
    assert said == {
        ("good", "ca.pem"): True,
        ("good", "other.pem"): "tls",
        ("self", "ca.pem"): "tls",
        ("named", "ca.pem"): "tls",
    }


# MariaDB


def maria(server: MariaDbServer, how: DatabaseTls, *, before: tuple[tuple[str, int], ...] = ()) -> DatabaseAccess:
    address = DatabaseAddress(Dialect.MYSQL, (*before, ("localhost", server.port)), "information_schema", tls=how)
    return DatabaseAccess(address, "reader", Secret(WORD))


CIPHER = "SELECT IF(VARIABLE_VALUE = '', 'plain', 'tls') FROM information_schema.SESSION_STATUS"
CIPHER += " WHERE VARIABLE_NAME = 'Ssl_cipher'"


@pytest.fixture(scope="module")
def marias(papers: Papers) -> Iterator[dict[str, MariaDbServer]]:
    """One server with TLS, whose certificate `dress` changes, and one without."""
    pem = papers.server("maria")
    pem.chmod(0o644)
    options = [f"--ssl-cert={pem}", f"--ssl-key={pem}", f"--ssl-ca={papers.folder / 'ca.pem'}"]
    with running_mariadb(*options) as secure, running_mariadb("--skip-ssl") as plain:
        for server in (secure, plain):
            server.execute(f"CREATE USER 'reader'@'127.0.0.1' IDENTIFIED BY '{WORD}'")
        secure.execute("CREATE USER 'papers'@'127.0.0.1' REQUIRE SUBJECT '/CN=localhost'")
        yield {"secure": secure, "plain": plain}


def dress(marias: dict[str, MariaDbServer], papers: Papers, certificate: str) -> MariaDbServer:
    """The server that has this certificate now."""
    if certificate == "plain":
        return marias["plain"]
    hosts = ("db.example.com",) if certificate == "named" else ("localhost",)
    papers.server("maria", *hosts, signed=certificate != "self").chmod(0o644)
    marias["secure"].execute("FLUSH SSL")
    return marias["secure"]


@pytest.mark.parametrize(
    ("mode", "certificate", "ca", "expected"),
    [
        (None, "good", "", "tls!"),
        (None, "plain", "", "plain"),
        (TlsMode.DISABLE, "good", "", "plain"),
        (TlsMode.PREFER, "self", "", "tls!"),
        (TlsMode.REQUIRE, "self", "", "tls!"),
        (TlsMode.REQUIRE, "plain", "", "tls"),
        (TlsMode.VERIFY_CA, "good", "ca.pem", "tls!"),
        (TlsMode.VERIFY_CA, "named", "ca.pem", "tls!"),
        (TlsMode.VERIFY_CA, "good", "other.pem", "tls"),
        (TlsMode.VERIFY_CA, "plain", "ca.pem", "tls"),
        (TlsMode.VERIFY_FULL, "good", "ca.pem", "tls!"),
        (TlsMode.VERIFY_FULL, "named", "ca.pem", "tls"),
        (TlsMode.VERIFY_FULL, "self", "ca.pem", "tls"),
        (TlsMode.VERIFY_FULL, "good", "", "tls"),
    ],
)
def test_mariadb_modes(
    marias: dict[str, MariaDbServer], papers: Papers, mode: TlsMode | None, certificate: str, ca: str, expected: str
) -> None:
    """Each mode takes and refuses what it says ("tls!" is a connection with TLS, "tls" the reason of a refusal)."""
    how = DatabaseTls(mode, str(papers.folder / ca) if ca else "")
    said = outcome(maria(dress(marias, papers, certificate), how), CIPHER.replace("'tls'", "'tls!'"))
    assert said == expected


def test_mariadb_client_certificate(marias: dict[str, MariaDbServer], papers: Papers) -> None:
    """A certificate of ours is shown to a server that asks for it."""
    client = tls.server(papers.ca, purpose=ExtendedKeyUsageOID.CLIENT_AUTH)
    pem = papers.folder / "maria-client.pem"
    pem.write_bytes(client.pem())
    how = DatabaseTls(TlsMode.VERIFY_FULL, str(papers.folder / "ca.pem"), str(pem), str(pem))
    login = replace(maria(dress(marias, papers, "good"), how), user="papers", password=Secret(""))
    assert outcome(login) == 1
    bare = replace(how, certificate_file="", key_file="")
    assert outcome(replace(login, address=replace(login.address, tls=bare))) == "login-refused"
    pem.write_bytes(b"no certificate")
    with pytest.raises(SourceError, match="cannot be used"):
        read(login)


def test_mariadb_hosts(marias: dict[str, MariaDbServer]) -> None:
    """A host that is down costs nothing but the try; a server that refuses the login ends the search."""
    server = marias["secure"]
    down = (("127.0.0.1", free_port()), ("nowhere.invalid", 3306))
    assert outcome(maria(server, DatabaseTls(), before=down)) == 1
    refused = replace(maria(server, DatabaseTls()), password=Secret("wrong"))
    places = (("localhost", server.port), ("127.0.0.1", free_port()))
    assert outcome(replace(refused, address=replace(refused.address, hosts=places))) == "login-refused"


# SQL Server


@pytest.mark.parametrize(
    ("mode", "certificate", "ca", "name", "expected"),
    [
        (None, "self", "", "", "login"),
        (TlsMode.PREFER, "self", "", "", "login"),
        (TlsMode.REQUIRE, "self", "", "", "login"),
        (TlsMode.VERIFY_CA, "named", "ca.pem", "", "login"),
        (TlsMode.VERIFY_CA, "good", "other.pem", "", "refused"),
        (TlsMode.VERIFY_CA, "self", "ca.pem", "", "refused"),
        (TlsMode.VERIFY_FULL, "good", "ca.pem", "", "login"),
        (TlsMode.VERIFY_FULL, "good", "other.pem", "", "refused"),
        (TlsMode.VERIFY_FULL, "self", "ca.pem", "", "refused"),
        (TlsMode.VERIFY_FULL, "good", "", "", "refused"),
        (TlsMode.VERIFY_FULL, "good", "ca.pem", "db.example.com", "refused"),
        (TlsMode.VERIFY_FULL, "named", "ca.pem", "db.example.com", "login"),
        (TlsMode.STRICT, "good", "ca.pem", "", "login"),
        (TlsMode.STRICT, "good", "other.pem", "", "refused"),
    ],
)
def test_sqlserver_modes(
    papers: Papers, mode: TlsMode | None, certificate: str, ca: str, name: str, expected: str
) -> None:
    """A password is sent only to a server whose certificate the mode takes."""
    hosts = ("db.example.com",) if certificate == "named" else ("localhost",)
    pem = papers.server(f"mssql-{certificate}", *hosts, signed=certificate != "self")
    how = DatabaseTls(mode, str(papers.folder / ca) if ca else "", expected_name=name)
    with tds_server(pem, strict=mode is TlsMode.STRICT) as server:
        address = DatabaseAddress(Dialect.SQLSERVER, (("localhost", server.port),), "jira", tls=how)
        before = os.environ.get("FREETDSCONF")
        with pytest.raises(SourceError):
            read(DatabaseAccess(address, "reader", Secret(WORD)), timeout_s=2.0)
        assert os.environ.get("FREETDSCONF") == before
    assert set(server.seen) == {expected}
