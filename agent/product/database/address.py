"""Where a product's database answers, as a value; what it holds may go into connection strings and messages.

An address comes from the product's URL (`jdbc.py`) or from our settings (`own_login.py`); drivers get nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from agent.settings import Dialect, TargetServer, TlsMode

HOST_LIMIT = 16
DEFAULT_PORTS = {
    Dialect.POSTGRESQL: 5432,
    Dialect.MYSQL: 3306,
    Dialect.ORACLE: 1521,
    Dialect.SQLSERVER: 1433,
    Dialect.SQLITE: 0,
}


class BadUrl(ValueError):
    """A JDBC URL that cannot be used; the message says why, in words, without the URL."""


@dataclass(frozen=True, slots=True)
class DatabaseTls:
    """How the connection is encrypted. Files are absolute paths, "" for none.

    `mode` is None where nothing is said: then as the driver does. `assumed` marks a mode that the URL does not say and
    that is the strictest its driver may mean by it; the settings may say another. Without `ca_file` the system's
    authorities are trusted. `expected_name` is the name in the server's certificate, with Oracle its DN.
    """

    mode: TlsMode | None = None
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    expected_name: str = ""
    assumed: bool = False

    @property
    def verifies(self) -> bool:
        """Whether the server's certificate must be signed by an authority that is trusted."""
        return self.mode in (TlsMode.VERIFY_CA, TlsMode.VERIFY_FULL, TlsMode.STRICT)


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where a database answers. `name` is the database, or the file of sqlite; Oracle has `service` or `sid`.

    `hosts` is empty for sqlite; several hosts are tried in their order. `instance` names one of SQL Server's on the
    host, whose port it asks for. `login_gap` says why the product's own login cannot be used here ("" where it can);
    `notes` are sentences on what of the URL is not handed on.
    """

    dialect: Dialect
    hosts: tuple[tuple[str, int], ...] = ()
    name: str = ""
    service: str = ""
    sid: str = ""
    instance: str = ""
    schema: str = ""
    target: TargetServer = TargetServer.ANY
    tls: DatabaseTls = field(default_factory=DatabaseTls)
    login_gap: str = ""
    notes: tuple[str, ...] = ()

    @property
    def host(self) -> str:
        """The first host, or "" for sqlite."""
        return self.hosts[0][0] if self.hosts else ""

    @property
    def port(self) -> int:
        """The first host's port, or 0 for sqlite."""
        return self.hosts[0][1] if self.hosts else 0

    def __str__(self) -> str:
        """For a person: dialect, host, port and database; options are left out."""
        name = self.name or self.service or self.sid
        if self.instance and self.dialect is Dialect.SQLSERVER:
            return f"{self.dialect} {self.host}\\{self.instance}/{name}"
        places = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        return f"{self.dialect} {places}/{name}" if places else f"{self.dialect} {name}"


_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9._-]{1,32})?", re.ASCII)
_NAME = re.compile(r"[^\x00-\x1f\x7f;?&()'\"\\]{1,128}")
_INSTANCE = re.compile(r"[\w$#-]{1,64}")


def checked(address: DatabaseAddress) -> DatabaseAddress:
    """The same address, whose every part can be what it is named for; raises BadUrl."""
    if len(address.hosts) > HOST_LIMIT:
        raise BadUrl("holds too many hosts")
    if not all(_HOST.fullmatch(host) for host, _ in address.hosts):
        raise BadUrl("holds a host that is not a host name or address")
    for name in (address.name, address.service, address.sid):
        if name and not _NAME.fullmatch(name):
            raise BadUrl("holds a database name with characters that cannot be used")
    if address.instance and not _INSTANCE.fullmatch(address.instance):
        raise BadUrl("holds an instance name with characters that cannot be used")
    if len(address.schema) > 512 or not all(char.isalnum() or char in '_$#-," ' for char in address.schema):
        raise BadUrl("holds a schema with characters that cannot be used")
    tls = address.tls
    texts = (tls.ca_file, tls.certificate_file, tls.key_file, tls.expected_name)
    if not all(text.isprintable() and len(text) <= 1024 for text in texts):
        raise BadUrl("holds an option with control characters")
    # It goes into a connect descriptor and a configuration file of the driver.
    if any(character in tls.expected_name for character in '()"'):
        raise BadUrl("holds a name of the server's certificate with characters that cannot be used")
    return address
