"""doctor as a command and as a function, against real faults: each names its stage, its cause and what mends it."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.link.keyfile import master_path
from agent.settings import (
    AgentSettings,
    CloudSettings,
    DatabaseLogin,
    DatabaseSettings,
    Dialect,
    HostSettings,
    InstanceSettings,
    JmxSettings,
    JmxTlsSettings,
    Mode,
    ProductType,
    Settings,
)
from agent.store.database import FILE_NAME
from agent.views.doctor import Area, Check, State, examine, render_doctor
from agent.views.doctor.checks import doctor_view
from agent.views.doctor.jmx import find_java
from agent.views.render_json import render_json
from tests.jmx.conftest import free_port
from tests.support.badjmx import BadJmx
from tests.support.cloud import KEY, Receiver, receiver
from tests.support.homes import write_home
from tests.support.jmx_fixtures import StartJvm, java, jvm_of
from tests.support.jolokia import JolokiaFixture, missing_for_jolokia
from tests.support.jvm import PASSWORD, USER, JmxOptions, JvmFixture, authority, make_authority, write_secret
from tests.support.needs import require_packages
from tests.support.postgres import PostgresServer
from tests.support.site import make_site
from tests.support.stopwatch import Stopwatch
from tests.support.words import flat

__all__ = ["java", "jvm_of"]

NOW = datetime.now(UTC)
JMX_STAGES = ["name", "tcp", "registry", "stub", "tls", "login", "permission", "beans"]


def settings_of(
    folder: Path,
    jmx: JmxSettings | None = None,
    database: DatabaseSettings | None = None,
    cloud: CloudSettings | None = None,
) -> Settings:
    """A configuration with only what a test is about switched on."""
    (folder / "shared").mkdir(exist_ok=True)
    return Settings(
        InstanceSettings(ProductType.JIRA, folder, folder / "shared"),
        agent=AgentSettings(state_dir=folder, mode=Mode.LINKED if cloud else Mode.OFFLINE),
        jmx=jmx or JmxSettings(enabled=False),
        database=database or DatabaseSettings(enabled=False),
        host=HostSettings(enabled=False),
        cloud=cloud or CloudSettings(),
    )


def checks_of(settings: Settings, area: Area, now: datetime | None = None) -> dict[str, Check]:
    report = examine(settings, now or datetime.now(UTC))
    return {check.name: check for check in report.checks if check.area is area}


def only_failure(checks: dict[str, Check]) -> Check:
    """The first stage that failed; every one that failed says what to do."""
    failed = [check for check in checks.values() if check.state is State.FAILED]
    assert failed
    assert all(check.text for check in failed)
    assert failed[0].do
    return failed[0]


def jmx_of(jvm: JvmFixture, folder: Path, **changes: object) -> JmxSettings:
    """[jmx] that reads a JVM of the tests in every right way."""
    options = jvm.options
    login = {"user": USER, "password_file": write_secret(folder / "word", PASSWORD + "\n")} if options.auth else {}
    tls = JmxTlsSettings(
        server=options.ssl,
        registry=options.registry_ssl,
        ca_file=authority().ca_file if options.ssl or options.registry_ssl else None,
    )
    jmx = JmxSettings(host="127.0.0.1", port=options.port or 0, tls=tls, **login)  # type: ignore[arg-type]  # fields
    return replace(jmx, **changes)  # type: ignore[arg-type]  # fields of JmxSettings


# JMX


def test_healthy_jvm(tmp_path: Path, jvm_of: StartJvm) -> None:
    """Every stage is ok down to the bean count, and rmi is named as the lightest that works."""
    jvm = jvm_of(JmxOptions(auth=True, ssl=True, registry_ssl=True))
    checks = checks_of(settings_of(tmp_path, jmx_of(jvm, tmp_path)), Area.JMX)
    assert list(checks)[: len(JMX_STAGES) + 1] == [*JMX_STAGES, "transport"]
    assert {check.state for check in checks.values()} == {State.OK}
    assert jvm.command("count") in checks["beans"].text
    assert "rmi" in checks["transport"].text


@pytest.mark.parametrize("product", [ProductType.JIRA, ProductType.CONFLUENCE])
def test_a_jvm_without_the_products_beans_is_told(tmp_path: Path, jvm_of: StartJvm, product: ProductType) -> None:
    """A JVM that answers, but is another one's or has JMX switched off in the product: said, with both cures."""
    settings = settings_of(tmp_path, jmx_of(jvm_of(JmxOptions()), tmp_path))
    checks = checks_of(replace(settings, instance=replace(settings.instance, product=product)), Area.JMX)
    assert ("product" in checks) == (product is ProductType.CONFLUENCE), "the JVM has beans of Jira's"
    if product is ProductType.CONFLUENCE:
        assert "com.atlassian.confluence" in checks["product"].text
        assert "[jmx] port" in checks["product"].do
        assert "switch them on" in checks["product"].do


def test_closed_port(tmp_path: Path) -> None:
    """J12: nothing listens: the stage is tcp, the flag is named, and no transport works."""
    checks = checks_of(settings_of(tmp_path, JmxSettings(host="127.0.0.1", port=free_port())), Area.JMX)
    assert (only_failure(checks).name, only_failure(checks).code) == ("tcp", "refused")
    assert "com.sun.management.jmxremote.port" in only_failure(checks).do
    assert checks["beans"].state is State.SKIPPED
    assert checks["transport"].state is State.FAILED


def test_port_of_the_connector_in_place_of_the_registry(tmp_path: Path, jvm_of: StartJvm) -> None:
    """J12: the RMI port given for the registry's is told from a dead one."""
    jvm = jvm_of(JmxOptions(application=True))
    assert jvm.options.rmi_port is not None
    failed = only_failure(checks_of(settings_of(tmp_path, jmx_of(jvm, tmp_path, port=jvm.options.rmi_port)), Area.JMX))
    assert (failed.name, failed.code) == ("registry", "wrong-port")


@pytest.mark.parametrize(
    ("options", "tls", "code"),
    [
        (JmxOptions(ssl=True, registry_ssl=True), JmxTlsSettings(), "registry-tls-missing"),
        (JmxOptions(ssl=True), JmxTlsSettings(), "server-tls-missing"),
        (JmxOptions(), JmxTlsSettings(registry=True), "registry-tls-unwanted"),
        (JmxOptions(), JmxTlsSettings(server=True), "server-tls-unwanted"),
    ],
    ids=["registry-missing", "server-missing", "registry-unwanted", "server-unwanted"],
)
def test_tls_mismatch(tmp_path: Path, jvm_of: StartJvm, options: JmxOptions, tls: JmxTlsSettings, code: str) -> None:
    """J12, J13: each of the two switches set wrong in either way has a code of its own and names the side."""
    jmx = jmx_of(jvm_of(options), tmp_path, tls=replace(tls, ca_file=authority().ca_file))
    failed = only_failure(checks_of(settings_of(tmp_path, jmx), Area.JMX))
    assert (failed.name, failed.code) == ("tls", code)
    assert code.split("-")[0] in failed.text


def test_authority_that_is_not_the_jvms(tmp_path: Path, jvm_of: StartJvm) -> None:
    """J22: a certificate of another CA is a TLS failure with the cause."""
    jvm = jvm_of(JmxOptions(ssl=True, registry_ssl=True))
    other = make_authority(tmp_path / "other")
    tls = JmxTlsSettings(server=True, registry=True, ca_file=other.ca_file)
    failed = only_failure(checks_of(settings_of(tmp_path, jmx_of(jvm, tmp_path, tls=tls)), Area.JMX))
    assert (failed.name, failed.code) == ("tls", "tls-failed")
    assert failed.why


def test_login_wrong_missing_or_without_permission(tmp_path: Path, jvm_of: StartJvm) -> None:
    """J12: a wrong password, none at all, and a user without rights are three things."""
    jvm, powerless = jvm_of(JmxOptions(auth=True)), jvm_of(JmxOptions(auth=True, access=""))
    wrong = write_secret(tmp_path / "wrong", "not-" + PASSWORD + "\n")
    refusals = [
        only_failure(checks_of(settings_of(tmp_path, jmx), Area.JMX))
        for jmx in (
            jmx_of(jvm, tmp_path, password_file=wrong),
            jmx_of(jvm, tmp_path, user=None, password_file=None),
            jmx_of(powerless, tmp_path),
        )
    ]
    assert [check.code for check in refusals] == ["login-refused", "login-required", "permission-denied"]
    assert len({check.do for check in refusals}) == 3
    assert PASSWORD not in repr(refusals)


def test_password_file_that_others_may_read(tmp_path: Path, jvm_of: StartJvm) -> None:
    """A password that cannot be used is told at the login, with the file, and is not shown."""
    jmx = jmx_of(jvm_of(JmxOptions(auth=True)), tmp_path)
    assert jmx.password_file is not None
    jmx.password_file.chmod(0o644)
    failed = only_failure(checks_of(settings_of(tmp_path, jmx), Area.JMX))
    assert failed.code == "transport-unusable"
    assert PASSWORD not in repr(failed)
    assert str(jmx.password_file) in failed.text + failed.why + failed.do


def test_stub_that_points_elsewhere(tmp_path: Path) -> None:
    """J11: the address that the stub carries is printed, whether it is reachable, and the flags that mend it."""
    with BadJmx(stub_host="127.0.0.77", stub_port=free_port()) as bad:
        jmx = JmxSettings(host="127.0.0.1", port=bad.target.port, connector_port=bad.connector_port)
        stub = checks_of(settings_of(tmp_path, jmx), Area.JMX)["stub"]
    assert f"127.0.0.77:{bad.stub_port}" in stub.text
    assert "not reachable" in stub.text
    assert "-Djava.rmi.server.hostname" in stub.do


def test_heavier_transport_than_needed_is_said(tmp_path: Path, jvm_of: StartJvm) -> None:
    """J24: with jmxquery configured, doctor names the Java it uses and that rmi would do."""
    checks = checks_of(settings_of(tmp_path, jmx_of(jvm_of(JmxOptions()), tmp_path, transport="jmxquery")), Area.JMX)
    assert checks["jmxquery"].state is State.OK
    assert str(find_java("java")) in checks["jmxquery"].text
    assert checks["transport"].state is State.OK
    assert 'transport = "rmi"' in checks["transport"].do


def test_jmxquery_without_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """J24: no Java, and jmxquery configured: that is named, with rmi as the way out."""
    monkeypatch.setattr("agent.views.doctor.jmx._running_java", lambda: None)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    jmx = JmxSettings(host="127.0.0.1", port=free_port(), transport="jmxquery", java="no-such-java")
    checks = checks_of(settings_of(tmp_path, jmx), Area.JMX)
    assert checks["jmxquery"].code == "transport-unusable"
    assert "no-such-java" in checks["jmxquery"].text


def test_java_of_the_running_product_is_found(jvm_of: StartJvm, monkeypatch: pytest.MonkeyPatch) -> None:
    """J24: where no Java is installed for us, that of the product is found."""
    jvm_of(JmxOptions())
    monkeypatch.delenv("JAVA_HOME", raising=False)
    found = find_java("no-such-java")
    assert found is not None
    assert Path(found).name == "java"


def test_jolokia_configured(tmp_path: Path) -> None:
    """With jolokia configured its agent is asked, and a login that is refused is told."""
    require_packages(missing_for_jolokia())
    with JolokiaFixture(login=True) as jvm:
        word = write_secret(tmp_path / "word", PASSWORD + "\n")
        jmx = JmxSettings(transport="jolokia", url=jvm.jolokia_target.url, user=USER, password_file=word)
        checks = checks_of(settings_of(tmp_path, jmx), Area.JMX)
        assert {check.state for check in checks.values()} == {State.OK}
        write_secret(tmp_path / "word", "wrong\n")
        failed = only_failure(checks_of(settings_of(tmp_path, jmx), Area.JMX))
    assert (failed.name, failed.code) == ("jolokia", "login-refused")


# database


def database_of(server: PostgresServer, folder: Path, password: str, **changes: object) -> DatabaseSettings:
    settings = DatabaseSettings(
        login=DatabaseLogin.OWN,
        dialect=Dialect.POSTGRESQL,
        host=server.host,
        port=server.port,
        name="postgres",
        user=server.superuser,
        password_file=write_secret(folder / "database.word", password + "\n"),
    )
    return replace(settings, **changes)  # type: ignore[arg-type]  # fields


def test_database_stages(tmp_path: Path, postgres: PostgresServer) -> None:
    """Address, login, a session that cannot write by the server's word, the timeout, and what lacks of the tables."""
    user = reader(postgres, "postgres")
    database = database_of(postgres, tmp_path, READER, user=user, statement_timeout_s=7.0)
    checks = checks_of(settings_of(tmp_path, database=database), Area.DATABASE)
    assert list(checks) == ["address", "login", "read-only", "rights", "timeout", "tables"]
    assert {check.state for check in checks.values()} == {State.OK}
    assert str(postgres.port) in checks["address"].text
    assert "the server says so" in checks["read-only"].text
    assert "7s" in checks["timeout"].text.replace(" ", "")
    assert checks["tables"].code == "lacks"
    assert "This version of Jira has no" in checks["tables"].text
    assert READER not in repr(checks)


def test_what_of_the_url_is_not_handed_on(tmp_path: Path) -> None:
    """A trust store that the agent cannot read is named under the address, with the way on."""
    url = "jdbc:mysql://nowhere.invalid/jira?sslMode=VERIFY_CA&amp;trustCertificateKeyStoreUrl=file:/x.jks"
    home = write_home(tmp_path, kind="mysql8", url=url)
    settings = Settings(InstanceSettings(ProductType.JIRA, home, home / "shared"))
    checks = checks_of(settings, Area.DATABASE)
    assert checks["address-note"].state is State.OK
    assert "trustCertificateKeyStoreUrl" in checks["address-note"].text
    assert "[database.tls] ca_file" in checks["address-note"].text


READER = "reads-only-word"


def reader(server: PostgresServer, name: str, *grants: str) -> str:
    """A new account that may connect, and what else is granted."""
    user = f"d_{uuid.uuid4().hex[:8]}"
    server.execute(
        name, f"CREATE ROLE {user} LOGIN PASSWORD '{READER}'", *(f"GRANT {grant} TO {user}" for grant in grants)
    )
    return user


def test_database_rights_of_an_own_account(tmp_path: Path, postgres: PostgresServer) -> None:
    """An own account: clean, reads too much, may write. Only the last one fails, with what, why and the cure."""
    name = postgres.create_database("doctor")
    postgres.execute(name, "CREATE TABLE cwd_user (id int, credential text)", "CREATE TABLE project (id int)")

    def rights(*grants: str, **changes: object) -> Check:
        own = database_of(postgres, tmp_path, READER, user=reader(postgres, name, *grants), name=name, **changes)
        return checks_of(settings_of(tmp_path, database=own), Area.DATABASE)["rights"]

    clean = rights("SELECT ON project")
    assert (clean.state, clean.code) == (State.OK, "")
    assert "cannot write: the database says so" in clean.text
    assert "temporary tables, large objects" in clean.text
    assert "strict=on" in clean.do
    wide = rights("SELECT ON cwd_user")
    assert (wide.state, wide.code) == (State.OK, "too-wide")
    assert "cwd_user.credential" in wide.text
    assert "config/database/postgresql.sql" in wide.do
    writes = rights("SELECT, DELETE ON project")
    assert (writes.state, writes.code) == (State.FAILED, "login-can-write")
    assert writes.text
    assert writes.why == "may delete on project"
    assert "allow_writable_login = true" in writes.do
    allowed = rights("SELECT, DELETE ON project", allow_writable_login=True)
    assert (allowed.state, allowed.code) == (State.OK, "writable")


def test_database_rights_of_the_products_login(tmp_path: Path, postgres: PostgresServer) -> None:
    """The product must write, so its login is used; the report says so and names what is better."""
    url = f"jdbc:postgresql://{postgres.host}:{postgres.port}/postgres"
    home = write_home(tmp_path / "product", url=url, user=postgres.superuser, password=postgres.password)
    settings = settings_of(tmp_path, database=DatabaseSettings())
    settings = replace(settings, instance=InstanceSettings(ProductType.JIRA, home, home / "shared"))
    check = checks_of(settings, Area.DATABASE)["rights"]
    assert (check.state, check.code) == (State.OK, "writable")
    assert "The product's own login may write" in check.text
    assert 'login = "own"' in check.do
    assert check.do in flat(render_doctor(doctor_view(NOW, (check,))))


def test_database_wrong_password(tmp_path: Path, postgres: PostgresServer) -> None:
    """A refused login is told as such; the password is nowhere."""
    checks = checks_of(settings_of(tmp_path, database=database_of(postgres, tmp_path, "canary-wrong")), Area.DATABASE)
    assert (only_failure(checks).name, only_failure(checks).code) == ("login", "login-refused")
    assert checks["timeout"].state is State.SKIPPED
    assert "canary-wrong" not in repr(checks)


def test_database_down(tmp_path: Path, postgres: PostgresServer) -> None:
    """A closed port is refused, at the login, with what to do."""
    database = database_of(postgres, tmp_path, "any", port=free_port())
    failed = only_failure(checks_of(settings_of(tmp_path, database=database), Area.DATABASE))
    assert (failed.name, failed.code) == ("login", "refused")


def test_database_login_that_cannot_be_read(tmp_path: Path, postgres: PostgresServer) -> None:
    """A password file that is not there is told before anything is connected."""
    database = replace(database_of(postgres, tmp_path, "any"), password_file=tmp_path / "absent")
    failed = only_failure(checks_of(settings_of(tmp_path, database=database), Area.DATABASE))
    assert (failed.name, failed.code) == ("address", "login-unreadable")


# this machine


def test_store_damaged_full_or_absent(tmp_path: Path) -> None:
    """A store that is damaged is named with what to do; one that does not exist yet is no failure."""
    agent = make_site(tmp_path)
    agent.settings.agent.state_dir.mkdir(mode=0o700, exist_ok=True)
    assert checks_of(agent.settings, Area.STORE)["integrity"].state is State.SKIPPED
    agent.tick()
    healthy = checks_of(agent.settings, Area.STORE)
    assert healthy["integrity"].state is State.OK
    assert "MiB free" in healthy["disk"].text
    store = agent.settings.agent.state_dir / FILE_NAME
    with open(store, "r+b") as file:
        file.write(b"no database at all, but a poem about one")
    damaged = checks_of(agent.settings, Area.STORE)["integrity"]
    assert damaged.state is State.FAILED
    assert damaged.do


def test_state_folder_that_is_not_there(tmp_path: Path) -> None:
    """A missing state folder is told with the command that makes it."""
    settings = settings_of(tmp_path)
    gone = replace(settings, agent=replace(settings.agent, state_dir=tmp_path / "gone"))
    assert "install -d" in checks_of(gone, Area.STORE)["disk"].do


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Receiver]:
    with receiver(tmp_path / "receiver") as running:
        yield running


def linked_agent(folder: Path, cloud: Receiver) -> Settings:
    text = f'endpoint = "{cloud.settings.endpoint}"\nca_file = "{cloud.settings.ca_file}"\nlocation = "eu"'
    agent = make_site(folder, cloud=text)
    done = agent.run("link", "--consent", "basic", "--yes", key=KEY.reveal() + "\n")
    assert done.code == 0, done.err
    return agent.settings


def test_link_key_and_expiry(tmp_path: Path, cloud: Receiver) -> None:
    """The key can be opened and its end is named; after its end, and with the master key gone, that is what failed."""
    settings = linked_agent(tmp_path, cloud)
    checks = checks_of(settings, Area.LINK)
    assert [check.state for check in checks.values()] == [State.OK] * 3
    assert KEY.reveal() not in repr(checks)
    late = checks_of(settings, Area.LINK, datetime.now(UTC) + timedelta(days=400))
    assert (only_failure(late).name, only_failure(late).code) == ("expiry", "key-ended")
    master_path(settings.link_dir).unlink()
    assert only_failure(checks_of(settings, Area.LINK)).name == "key"


def test_link_file_of_lax_mode(tmp_path: Path, cloud: Receiver) -> None:
    """A link file that others may write is not believed."""
    settings = linked_agent(tmp_path, cloud)
    (settings.link_dir / "link.json").chmod(0o666)
    assert only_failure(checks_of(settings, Area.LINK)).name == "files"


# cloud


def test_cloud_stages_send_no_key(tmp_path: Path, cloud: Receiver) -> None:
    """Name, TCP, TLS with version, cipher and issuer, answer and clock; the receiver saw no key."""
    checks = checks_of(linked_agent(tmp_path, cloud), Area.CLOUD)
    assert list(checks) == ["proxy", "name", "tcp", "tls", "answer", "clock"]
    assert {check.state for check in checks.values()} == {State.OK}
    assert checks["tls"].text.startswith(("TLSv1.3, TLS_", "TLSv1.2, ECDHE"))
    assert "certificate by" in checks["tls"].text
    assert "not set" in checks["proxy"].text


def test_environment_proxy_is_named_as_unused(tmp_path: Path, cloud: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """P1: where the proxy setting comes from is said, and that the environment's is not used."""
    monkeypatch.setenv("https_proxy", "http://user:canary@127.0.0.1:1")
    checks = checks_of(settings_of(tmp_path, cloud=cloud.settings), Area.CLOUD)
    assert "https_proxy of the environment is not used" in checks["proxy"].text
    assert checks["answer"].state is State.OK
    assert "canary" not in repr(checks)


def test_proxy_that_is_dead(tmp_path: Path, cloud: Receiver) -> None:
    """P1: the configured proxy is what is connected to, and its setting is named."""
    settings = settings_of(tmp_path, cloud=replace(cloud.settings, proxy=f"http://127.0.0.1:{free_port()}"))
    checks = checks_of(settings, Area.CLOUD)
    assert "from [cloud] proxy" in checks["proxy"].text
    assert (only_failure(checks).name, only_failure(checks).code) == ("tcp", "refused")
    assert "cloud.proxy" in only_failure(checks).do


def test_receiver_of_an_unknown_authority(tmp_path: Path, cloud: Receiver) -> None:
    """Without its CA the receiver is not trusted: the stage is tls, ca_file is named, nothing else is asked."""
    checks = checks_of(settings_of(tmp_path, cloud=replace(cloud.settings, ca_file=None)), Area.CLOUD)
    failed = only_failure(checks)
    assert failed.name == "tls"
    assert "cloud.ca_file" in failed.do
    assert checks["answer"].state is State.SKIPPED


def test_receiver_that_is_down(tmp_path: Path) -> None:
    """A closed port, and a name that does not exist, are told apart."""
    closed = CloudSettings(endpoint=f"https://localhost:{free_port()}")
    assert only_failure(checks_of(settings_of(tmp_path, cloud=closed), Area.CLOUD)).code == "refused"
    nameless = CloudSettings(endpoint="https://no-such-host.invalid")
    assert only_failure(checks_of(settings_of(tmp_path, cloud=nameless), Area.CLOUD)).code == "unknown-host"


def test_clock_that_is_off(tmp_path: Path, cloud: Receiver) -> None:
    """H5: more than five minutes between this host's clock and the cloud's is a failure, in words."""
    settings = settings_of(tmp_path, cloud=cloud.settings)
    for offset in (timedelta(hours=2), timedelta(hours=-2)):
        failed = only_failure(checks_of(settings, Area.CLOUD, datetime.now(UTC) + offset))
        assert failed.name == "clock"
        assert ("ahead" in failed.text) == (offset > timedelta(0))
        assert "timedatectl" in failed.do


def test_offline_never_asks_the_cloud(tmp_path: Path, cloud: Receiver) -> None:
    """mode = "offline": no stage, and not one connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        settings = settings_of(tmp_path, cloud=CloudSettings(endpoint=f"https://127.0.0.1:{listener.getsockname()[1]}"))
        offline = replace(settings, agent=replace(settings.agent, mode=Mode.OFFLINE))
        assert checks_of(offline, Area.CLOUD) == {}
        with pytest.raises(BlockingIOError):
            listener.accept()


# the command


def test_command_tells_what_failed_and_exits_1(tmp_path: Path) -> None:
    """Text for a person at 3 a.m. and JSON for a script: stage, cause, what to do; exit 1."""
    agent = make_site(tmp_path, mode="offline")
    done = agent.run("doctor")
    assert done.code == 1
    assert "stages failed:" in done.out
    assert "Do:  " in done.out
    assert "cloud" not in done.out
    answer = agent.json("doctor", code=1)
    assert answer["exitCode"] == 1
    assert {check["area"] for check in answer["checks"]} == {
        *("account", "jmx", "database", "apps", "host", "logs", "store", "link")
    }
    assert all(check["do"] for check in answer["checks"] if check["state"] == "failed" and check["area"] != "host")


def test_no_secret_is_printed_or_in_a_command_line(tmp_path: Path, jvm_of: StartJvm) -> None:
    """J21: while doctor runs no process has the password in its command line or environment; none is printed."""
    jmx = jmx_of(jvm_of(JmxOptions(auth=True)), tmp_path)
    seen: list[str] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.02):
            for folder in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    try:
                        text = (folder / name).read_bytes()
                    except OSError:
                        continue
                    if PASSWORD.encode() in text:
                        seen.append(f"{folder.name} {name}")

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        report = examine(settings_of(tmp_path, jmx), datetime.now(UTC))
    finally:
        stop.set()
        watcher.join()
    assert seen == []
    assert PASSWORD not in render_doctor(report) + render_json(report)


def test_hung_servers_cost_their_time_and_no_more(tmp_path: Path) -> None:
    """A JVM, and a receiver, that accept and never answer: the report comes in time and names both."""
    with socket.create_server(("127.0.0.1", 0)) as hung:
        port = hung.getsockname()[1]
        settings = settings_of(
            tmp_path,
            JmxSettings(host="127.0.0.1", port=port),
            cloud=CloudSettings(endpoint=f"https://127.0.0.1:{port}"),
        )
        watch = Stopwatch()
        report = examine(settings, datetime.now(UTC), 6.0)
        assert watch.elapsed_s < 12.0
    assert {check.area for check in report.failed} >= {Area.JMX, Area.CLOUD}


def test_text_of_a_server_cannot_steer_the_terminal() -> None:
    """What came from outside is escaped before it is printed."""
    check = Check(Area.JMX, "login", State.FAILED, "evil \x1b[2J\u202e text", "why \n forged", "do")
    shown = render_doctor(doctor_view(NOW, (check,)))
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "forged" in shown
    assert "\n forged" not in shown
