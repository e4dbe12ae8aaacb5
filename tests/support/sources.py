"""Opens each source on something real, and a small catalog for what needs its own entries."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from agent.catalog import Catalog, Metric, load_catalog
from agent.catalog.model import DataType
from agent.jmx import BeanQuery, Target, Transport, TransportName
from agent.jmx.transport import open_transport
from agent.model import Category, ConsentLevel, EntryType, Kind, Reading, Source
from agent.product.database.engine import open_engine
from agent.product.database.jdbc import DatabaseAddress
from agent.product.model import DatabaseAccess
from agent.settings import AgentSettings, ClientsideSettings, Dialect, InstanceSettings, ProductType, Secret, Settings
from agent.sources.clientside.source import ClientSide
from agent.sources.governor import CostGovernor
from agent.sources.guardrails.source import Guardrails
from agent.sources.jmx.binding import JmxBinding
from agent.sources.jmx.source import Jmx
from agent.sources.registry import open_source
from tests.support.mariadb import MariaDbServer
from tests.support.postgres import PostgresServer

READER_PASSWORD = "reads-only"  # of a server that lives for one test session on the loopback


def accepted(source: Source, deadline_s: float = 30.0) -> Reading:
    """A reading that its tick accepted, so that what it learnt counts."""
    reading = source.read(deadline_s)
    reading.commit()
    return reading


def catalog() -> Catalog:
    """Jira's own."""
    return load_catalog("jira")


def bindings_of(own: Catalog) -> list[JmxBinding]:
    """What the JMX entries of a catalog say."""
    return [binding for metric in own.of_source("jmx") if (binding := metric.bound(JmxBinding)) is not None]


def jmx_source(port: int, own: Catalog | None = None, transport: TransportName = TransportName.RMI) -> Jmx:
    """The JMX source on a port of this machine."""
    target = Target("127.0.0.1", port, transport)

    def opened(queries: tuple[BeanQuery, ...]) -> Transport:
        return open_transport(target, queries)

    return Jmx(own or catalog(), opened)


def sqlite_engine(path: Path, timeout_s: float = 10.0) -> Engine:
    """The read-only engine on a SQLite file."""
    return open_engine(DatabaseAccess(DatabaseAddress(Dialect.SQLITE, (), str(path)), "", None), timeout_s)


def postgres_engine(
    server: PostgresServer, database: str, timeout_s: float = 10.0, user: str = "", password: str = ""
) -> Engine:
    """The read-only engine on a PostgreSQL database."""
    address = DatabaseAddress(Dialect.POSTGRESQL, ((server.host, server.port),), database)
    secret = Secret(password or server.password)
    return open_engine(DatabaseAccess(address, user or server.superuser, secret), timeout_s)


def mariadb_engine(server: MariaDbServer, database: str, timeout_s: float = 10.0) -> Engine:
    """The read-only engine on a MariaDB database, as an account that may only read it."""
    server.execute(
        f"create user if not exists 'reader'@'127.0.0.1' identified by '{READER_PASSWORD}'",
        f"grant select on {database}.* to 'reader'@'127.0.0.1'",
    )
    address = DatabaseAddress(Dialect.MYSQL, ((server.host, server.port),), database)
    return open_engine(DatabaseAccess(address, "reader", Secret(READER_PASSWORD)), timeout_s)


def guardrails_source(path: Path, tick_s: float = 0.0) -> Guardrails:
    """The guardrails on a SQLite file."""
    return Guardrails(catalog(), lambda: sqlite_engine(path), governor=CostGovernor(tick_s=tick_s))


def clientside_source(place: Path) -> ClientSide:
    """The logs of the install in `place`/install and the home in `place`/home."""
    settings = Settings(
        InstanceSettings(ProductType.JIRA, place / "home", place / "home"),
        agent=AgentSettings(state_dir=place / "state"),
        clientside=ClientsideSettings(install=place / "install"),
    )
    source = open_source("clientside", settings, catalog())
    assert isinstance(source, ClientSide)
    return source


def jmx_metric(name: str, bean: str, attribute: str, kind: Kind = Kind.GAUGE, **binding: object) -> Metric:
    """A catalog entry for one attribute."""
    return Metric(
        name=name,
        source="jmx",
        type=EntryType.JMX_METRIC,
        category=Category.OPERATIONAL,
        consent=ConsentLevel.BASIC,
        data_type=DataType.MEASUREMENT if kind is not Kind.INFO else DataType.VERSION,
        unit="1",
        kind=kind,
        reference="https://example.com",
        bindings=(JmxBinding(bean, attribute, **binding),),  # type: ignore[arg-type]  # the tests' own arguments
    )


def catalog_of(*metrics: Metric) -> Catalog:
    """A catalog of just these entries."""
    return Catalog("jira", {metric.name: metric for metric in metrics}, "f-test", public_apps=("com.atlassian.",))
