"""The start options are found wherever they stand, without running anything; the last one wins, as in the JVM."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.product.homes.jvm_options import JmxHint, parse_options
from agent.product.homes.shell_text import read_shell
from agent.product.homes.start_options import StartFacts, read_start_options
from agent.settings import ProductType

JIRA, BITBUCKET = ProductType.JIRA, ProductType.BITBUCKET
P = "-Dcom.sun.management.jmxremote"


def port_in(script: str, **variables: str) -> tuple[int | None, str]:
    """Port and variable of one start script."""
    known = dict(variables)
    words = read_shell(script, known)
    hint, _ = parse_options([*known.values(), *words])
    return hint.port, hint.variable


@pytest.mark.parametrize(
    ("script", "port"),
    [
        (f'CATALINA_OPTS="{P}.port=8686"', 8686),
        (f"export CATALINA_OPTS='{P}.port=8686'", 8686),
        (f"CATALINA_OPTS={P}.port=8686", 8686),
        (f'CATALINA_OPTS="{P} {P}.port=8686 ${{CATALINA_OPTS}}"', 8686),
        (f'CATALINA_OPTS="$CATALINA_OPTS {P}.port=8686" # old: {P}.port=9999', 8686),
        (f'# CATALINA_OPTS="{P}.port=9999"\nCATALINA_OPTS="{P}.port=8686"', 8686),
        (f'CATALINA_OPTS="{P}.port=9999"\nCATALINA_OPTS="$CATALINA_OPTS {P}.port=8686"', 8686),
        (f'CATALINA_OPTS="{P}.port=9999"\nCATALINA_OPTS="{P}.port=8686"', 8686),
        (f'JMX_PORT=8686\nCATALINA_OPTS="{P}.port=$JMX_PORT"', 8686),
        (f'JMX_PORT="8686"\nCATALINA_OPTS="{P}.port=${{JMX_PORT}}"', 8686),
        (f'CATALINA_OPTS="{P}.port=${{JMX_PORT:-8686}}"', 8686),
        (f'CATALINA_OPTS="{P}.port=${{JMX_PORT-8686}}"', 8686),
        (f': ${{JMX_PORT:=8686}}\nCATALINA_OPTS="{P}.port=$JMX_PORT"', 8686),
        (f'BASE=8686\nCATALINA_OPTS="{P}.port=${{JMX_PORT:-$BASE}}"', 8686),
        (f'CATALINA_OPTS="\\\n  {P} \\\n  {P}.port=8686 \\\n  -Xmx1g"', 8686),
        (f'CATALINA_OPTS+=" {P}.port=8686"', 8686),
        (f'CATALINA_OPTS="{P}.port=8686"\r\nexport CATALINA_OPTS\r\n', 8686),
        (f'if [ -n "$X" ]; then CATALINA_OPTS="{P}.port=8686"; fi', 8686),
        (f"exec java {P}.port=8686 -jar x.jar", 8686),
        (f'exec java "{P}.port=8686" -jar x.jar', 8686),
        (f"CATALINA_OPTS=\"{P}.port='8686'\"", 8686),
        ('JAVA_OPTS="-Xmx2g"', None),
        (f'CATALINA_OPTS="{P}.port=99999"', None),
        (f'CATALINA_OPTS="{P}.port=0"', None),
        (f'CATALINA_OPTS="{P}.port="', None),
        ("", None),
        (f"set CATALINA_OPTS=%CATALINA_OPTS% {P}.port", None),
    ],
)
def test_port_of_a_script(script: str, port: int | None) -> None:
    """Quotes, comments, variables with defaults, lines that go on."""
    assert port_in(script) == (port, "")


@pytest.mark.parametrize("form", ["$JMX_PORT", "${JMX_PORT}"])
def test_a_variable_that_is_set_nowhere_is_named(form: str) -> None:
    """Not guessed, and not taken for "no port"; the environment may know it."""
    assert port_in(f'CATALINA_OPTS="{P}.port={form}"') == (None, "JMX_PORT")
    assert port_in(f'CATALINA_OPTS="{P}.port={form}"', JMX_PORT="8686") == (8686, "")


def test_switches_and_the_jvms_defaults() -> None:
    """A port alone means login and TLS, as in the JVM; registry TLS is off."""
    assert parse_options([f"{P}.port=9010"])[0] == JmxHint(9010, True, True, False)
    off = f"{P}.port=9010 {P}.authenticate=false {P}.ssl=false"
    assert parse_options([off])[0] == JmxHint(9010, authenticate=False, server_tls=False)


@pytest.mark.parametrize(
    ("option", "address", "login", "unclear"),
    [
        ("-javaagent:/opt/jolokia-agent.jar=port=8778", "http://localhost:8778/jolokia", False, False),
        ("-javaagent:/opt/jolokia-jvm-1.7.2-agent.jar", "http://localhost:8778/jolokia", False, False),
        ("-javaagent:/o/jolokia.jar=port=9000,host=0.0.0.0", "http://localhost:9000/jolokia", False, False),
        ("-javaagent:/o/jolokia.jar=host=192.0.2.7,protocol=https", "https://192.0.2.7:8778/jolokia", False, False),
        ("-javaagent:/o/jolokia.jar=user=u,password=w,agentContext=/j/", "http://localhost:8778/j", True, False),
        ("-javaagent:/o/jolokia.jar=config=/etc/j.properties", "", False, True),
        ("-javaagent:/o/jolokia.jar=port=$P", "", False, True),
        ("-javaagent:/o/other.jar=port=1", "", False, False),
    ],
)
def test_jolokia(option: str, address: str, login: bool, unclear: bool) -> None:
    """Its address from its own options; what it reads elsewhere is not guessed."""
    hint = parse_options([option])[0]
    assert (hint.jolokia, hint.jolokia_login, hint.jolokia_unclear) == (address, login, unclear)


def test_jmx_exporter_is_told_apart() -> None:
    """The exporter's agent is no way for us."""
    hint = parse_options(["-javaagent:/opt/jmx_prometheus_javaagent-1.0.1.jar=9999:/etc/exporter.yaml"])[0]
    assert (hint.exporter, hint.port, hint.jolokia) == (True, None, "")


def machine(folder: Path, files: dict[str, str]) -> Path:
    """A root with these files."""
    for name, text in files.items():
        path = folder / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "root"


def start(folder: Path, product: ProductType, files: dict[str, str], **environment: str) -> StartFacts:
    root = machine(folder, files)
    return read_start_options(product, Path("/srv/home"), root / "opt/product", root, environment)


UNIT = "etc/systemd/system/jira.service"


@pytest.mark.parametrize(
    "files",
    [
        {UNIT: f"[Service]\nEnvironment=CATALINA_OPTS={P}.port=8686\n"},
        {UNIT: f'[Service]\nEnvironment="A=b" "CATALINA_OPTS={P}.port=8686 {P}.ssl=false"\n'},
        {UNIT: f"[Service]\nExecStart=/usr/bin/java {P}.port=8686 -jar x\n"},
        {UNIT: f"[Service]\nExecStart=/usr/bin/java \\\n  {P}.port=8686 \\\n  -jar x\n"},
        {UNIT: "[Service]\n", f"{UNIT}.d/jmx.conf": f'[Service]\nEnvironment="JAVA_OPTS={P}.port=8686"\n'},
        {
            UNIT: f'[Service]\nEnvironment="JAVA_OPTS={P}.port=1111"\n',
            f"{UNIT}.d/jmx.conf": f'[Service]\nEnvironment="JAVA_OPTS={P}.port=8686"\n',
        },
        {UNIT: "[Service]\nEnvironmentFile=-/etc/jira.env\n", "etc/jira.env": f'CATALINA_OPTS="{P}.port=8686"\n'},
        {"etc/default/jira": f'CATALINA_OPTS="{P}.port=8686"\n'},
        {"etc/sysconfig/atlassian-jira": f'export JAVA_OPTS="{P}.port=8686"\n'},
        {"etc/systemd/system/tracker.service": f"[Service]\nExecStart=/x/java {P}.port=8686 -Djira.home=/srv/home\n"},
        {"opt/product/bin/setenv.sh": f'JVM_SUPPORT_RECOMMENDED_ARGS="{P}.port=8686"\n'},
        {"opt/product/bin/user.sh": "JMX_PORT=8686\n", "opt/product/bin/setenv.sh": f'O="{P}.port=$JMX_PORT"\n'},
        {"etc/default/jira": "JMX_PORT=8686\n", "opt/product/bin/setenv.sh": f'O="{P}.port=${{JMX_PORT:-1}}"\n'},
        {"proc/42/cmdline": f"/usr/bin/java\0{P}.port=8686\0-Djira.home=/srv/home\0start"},
        {
            "proc/42/cmdline": "/usr/bin/java\0-Djira.home=/srv/home\0start",
            "proc/42/environ": f"PATH=/bin\0JAVA_TOOL_OPTIONS={P}.port=8686",
        },
        {
            "opt/product/bin/setenv.sh": f'O="{P}.port=9999"\n',
            "proc/42/cmdline": f"java\0{P}.port=8686\0-Djira.home=/srv/home",
        },
    ],
)
def test_every_place(tmp_path: Path, files: dict[str, str]) -> None:
    """Units, drop-ins, environment files, defaults, scripts, and the JVM that runs, which beats them all."""
    assert start(tmp_path, JIRA, files).jmx.port == 8686


@pytest.mark.parametrize(
    "files",
    [
        {"etc/systemd/system/confluence.service": f"[Service]\nEnvironment=O={P}.port=8686\n"},
        {"etc/systemd/system/jira-exporter.service": f"[Service]\nEnvironment=O={P}.port=8686\n"},
        {UNIT: f"[Service]\n# Environment=O={P}.port=8686\n; Environment=O={P}.port=8686\n"},
        {"proc/42/cmdline": f"/usr/bin/java\0{P}.port=8686\0-Djira.home=/srv/home2\0start"},
        {"proc/42/cmdline": f"/usr/bin/python\0{P}.port=8686\0-Djira.home=/srv/home"},
        {"opt/product/bin/setenv.bat": f"set CATALINA_OPTS={P}.port=8686"},
    ],
)
def test_what_is_not_the_products(tmp_path: Path, files: dict[str, str]) -> None:
    """Another product's unit, another home's JVM, comments, Windows scripts."""
    facts = start(tmp_path, JIRA, files)
    assert (facts.jmx.port, facts.jmx.variable) == (None, "")


def test_the_containers_environment(tmp_path: Path) -> None:
    """The variables of the official images; a secret among them is not kept."""
    secret = {"JDBC_PASSWORD": "s3cret-Word", "JDBC_URL": "jdbc:postgresql://db.example.com/bb"}
    facts = start(tmp_path, BITBUCKET, {}, JVM_SUPPORT_RECOMMENDED_ARGS=f"{P}.port=8686", **secret)
    assert facts.jmx.port == 8686
    assert facts.environment["JDBC_URL"] == secret["JDBC_URL"]
    assert "s3cret-Word" not in repr(facts)


def test_bitbuckets_own_switch(tmp_path: Path) -> None:
    """JMX_REMOTE_PORT opens the port, JMX_REMOTE_AUTH says how; unset, its script opens none."""
    script = {
        "opt/product/bin/set-jmx-opts.sh": f'if [ -n "$JMX_REMOTE_PORT" ]; then O="{P}.port=${{JMX_REMOTE_PORT}}"; fi\n'
    }
    assert start(tmp_path, BITBUCKET, script).jmx == JmxHint()
    told = start(tmp_path, BITBUCKET, script, JMX_REMOTE_PORT="3333", JMX_REMOTE_AUTH="ssl").jmx
    assert (told.port, told.authenticate, told.server_tls) == (3333, False, True)
    told = start(tmp_path, BITBUCKET, {}, JMX_REMOTE_PORT="3333", JMX_REMOTE_AUTH="password").jmx
    assert (told.port, told.authenticate, told.server_tls) == (3333, True, False)


def test_an_unreadable_script_is_named(tmp_path: Path) -> None:
    """A folder in a script's place is told, and the rest is read all the same."""
    (tmp_path / "root/opt/product/bin/setenv.sh").mkdir(parents=True)
    facts = start(tmp_path, JIRA, {"etc/default/jira": f'O="{P}.port=8686"\n'})
    assert facts.jmx.port == 8686
    assert [mistake.file.rpartition("/")[2] for mistake in facts.unread] == ["setenv.sh"]
