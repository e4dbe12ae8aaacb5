"""agent.toml is read whole: every mistake at once, each with file, line, key and the nearest valid key."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ConfigError
from agent.jmx.model import TransportName
from agent.settings import Mode, ProductType, Settings, entries, load_settings
from agent.settings.database_rules import ADDRESS_KEYS
from agent.settings.keys import key_of, parse_duration, parse_size, render_duration, render_size
from agent.settings.load import parse_settings
from agent.settings.rules import TRANSPORTS
from tests.support.folders import open_to_all

INSTANCE = '[instance]\nproduct = "jira"\nhome = "/srv/jira"\nshared_home = "/srv/shared"\n'


def mistakes_of(text: str) -> dict[str, str]:
    """Key -> problem of every mistake in `text`."""
    with pytest.raises(ConfigError) as caught:
        parse_settings(text, "agent.toml")
    assert caught.value.exit_code == 10
    return {mistake.key: f"{mistake.problem} {mistake.nearest or ''}" for mistake in caught.value.mistakes}


def sections() -> list[str]:
    """Every section of the schema, sub-sections included."""
    settings = parse_settings(INSTANCE, "agent.toml").settings
    return sorted({entry.path.rpartition(".")[0] for entry in entries(settings)})


def test_least_file_gives_the_defaults() -> None:
    """Three keys are enough; everything else has its default."""
    loaded = parse_settings(INSTANCE, "agent.toml")
    assert loaded.settings.instance.product is ProductType.JIRA
    assert loaded.settings.sampling.interval_s == 120
    assert loaded.given == {"instance.product", "instance.home", "instance.shared_home"}


@pytest.mark.parametrize("section", sections())
def test_unknown_key_is_refused_in_every_section(section: str) -> None:
    """Requirement C1: a misspelt key of any section is refused with file, line, path and nearest key."""
    settings = parse_settings(INSTANCE, "agent.toml").settings
    known = next(e.path.rpartition(".")[2] for e in entries(settings) if e.path.rpartition(".")[0] == section)
    typo = known[:-1] + known[-1] * 2 + "x"
    base = INSTANCE if section != "instance" else INSTANCE.rstrip("\n") + "\n"
    header = "" if section == "instance" else f"[{section}]\n"
    text = f"{base}{header}{typo} = 1\n"
    with pytest.raises(ConfigError) as caught:
        parse_settings(text, "/etc/agent.toml")
    (mistake,) = caught.value.mistakes
    assert mistake.key == f"{section}.{typo}"
    assert mistake.nearest == f"{section}.{known}"
    assert mistake.line == len(text.splitlines())
    assert f"/etc/agent.toml:{mistake.line}: {section}.{typo}: is not a known key" in str(caught.value)


def test_every_field_is_a_key_of_the_file() -> None:
    """The loader walks the schema: no field of a section is left out of the file."""
    settings = parse_settings(INSTANCE, "agent.toml").settings

    def count(value: object) -> int:
        assert dataclasses.is_dataclass(value)
        inner = [getattr(value, field.name) for field in dataclasses.fields(value)]
        return sum(count(item) if dataclasses.is_dataclass(item) else 1 for item in inner)

    assert len(list(entries(settings))) == count(settings)


def test_all_mistakes_come_at_once() -> None:
    """Unknown section and key, wrong type, missing key, range and choice: one error names them all."""
    found = mistakes_of(
        '[instance]\nproduct = "jirra"\nhome = "var/jira"\n'
        "[sampling]\ninterval = 0.5\nintervall = 3\n"
        '[jmx]\nport = 70000\nhost = 5\n[jmx.tls]\nca_fil = "/x"\n[databse]\nlogin = "own"\n[host]\nenabled = "yes"\n'
        '[agent]\nlog_level = "loud"\n[cloud]\nca_file = "/with/../dots"\n'
    )
    assert set(found) == {
        "instance.product",
        "instance.home",
        "instance.shared_home",
        "sampling.interval",
        "sampling.intervall",
        "jmx.port",
        "jmx.host",
        "jmx.tls.ca_fil",
        "databse",
        "host.enabled",
        "agent.log_level",
        "cloud.ca_file",
    }
    assert found["databse"].endswith("database")
    assert "absolute" in found["instance.home"]
    assert "required" in found["instance.shared_home"]
    assert "between 1s and 1h" in found["sampling.interval"]


OWN_PG, OWN_ORA, OWN_MS = (
    f'[database]\nlogin = "own"\ndialect = "{dialect}"\nuser = "u"\npassword_file = "/p"\n'
    for dialect in ("postgresql", "oracle", "sqlserver")
)


@pytest.mark.parametrize(
    ("text", "key", "word"),
    [
        ("[sampling]\ninterval = 30", "sampling.deadline", "shorter than sampling.interval"),
        ("[sampling]\ninterval = 10\ndeadline = 10", "sampling.deadline", "shorter"),
        ("[hour]\nlength = 30", "hour.length", "not be shorter"),
        ('[hour]\nlength = "2m"\nclose_after = "3m"', "hour.close_after", "not be longer"),
        ("[delivery]\nfirst_wait = 1000", "delivery.first_wait", "longest_wait"),
        ('[bundle]\nevery = "1h"', "bundle.every", "no effect"),
        ('[database]\nstatement_timeout = "2m"', "database.statement_timeout", "no effect"),
        ('[jmx]\ntransport = "jmxquery"\nuser = "u"\npassword_file = "/p"', "jmx.user", "command line"),
        ('[jmx]\ntransport = "rmi"\nuser = "u"', "jmx.user", "needs a password"),
        ('[jmx]\ntransport = "rmi"\npassword_file = "/p"', "jmx.password_file", "without jmx.user"),
        (
            '[jmx]\ntransport = "rmi"\nuser = "u"\npassword_file = "/p"\npassword_credential = "c"',
            "jmx.password_credential",
            "no effect",
        ),
        ('[jmx]\ntransport = "jolokia"', "jmx.url", "required"),
        ('[jmx]\nurl = "http://localhost:8778/jolokia"', "jmx.url", "no effect"),
        ('[jmx]\ntransport = "jolokia"\nurl = "http://h/j"\nport = 1', "jmx.port", "no effect"),
        ('[jmx]\ntransport = "jolokia"\nurl = "http://u:p@h/j"', "jmx.url", "holds a password"),
        ('[jmx]\ntransport = "jmxquery"\nfollow_stub_host = false', "jmx.follow_stub_host", "no effect"),
        ('[jmx]\ntransport = "rmi"\njava = "/usr/bin/java"', "jmx.java", "no effect"),
        ('[jmx.tls]\nca_file = "/ca"', "jmx.tls.ca_file", "no effect"),
        ("[jmx.tls]\ncheck_name = true", "jmx.tls.check_name", "no effect"),
        ('[jmx]\ntransport = "jmxquery"\n[jmx.tls]\nserver = true', "jmx.tls.server", "rmi"),
        (
            '[jmx]\ntransport = "rmi"\n[jmx.tls]\nserver = true\ncertificate_file = "/c"',
            "jmx.tls.key_file",
            "is required",
        ),
        (
            '[jmx]\ntransport = "rmi"\n[jmx.tls]\nserver = true\nexpected_name = "n"\ncheck_name = false',
            "jmx.tls.expected_name",
            "no effect",
        ),
        ('[apps]\nrest_url = "https://jira.example.com"', "apps.rest_url", "needs a login"),
        ('[apps]\ntoken_file = "/t"', "apps.token_file", "without apps.rest_url"),
        ("[apps]\nlicences = false", "apps.licences", "without apps.rest_url"),
        ('[apps]\nrest_url = "http://jira.example.com"\ntoken_file = "/t"', "apps.rest_url", "https://"),
        ('[apps]\nrest_url = "http://127.0.0.1.example.com"\ntoken_file = "/t"', "apps.rest_url", "https://"),
        ('[apps]\nrest_url = "https://u:secretpw@h"\ntoken_file = "/t"', "apps.rest_url", "password"),
        ('[apps]\nrest_url = "https://h/?os_username=x"\ntoken_file = "/t"', "apps.rest_url", "query"),
        ('[apps]\nrest_url = "ftp://h"\ntoken_file = "/t"', "apps.rest_url", "http://"),
        ('[apps]\nrest_url = "https://h"\nuser = "u"', "apps.user", "needs a password"),
        ('[apps]\nrest_url = "https://h"\nuser = "u:v"\npassword_file = "/p"', "apps.user", "colon"),
        ('[apps]\nrest_url = "https://h"\nuser = "u"\ntoken_file = "/t"', "apps.user", "beside a token"),
        (
            '[apps]\nrest_url = "https://h"\ntoken_file = "/t"\ntoken_credential = "c"',
            "apps.token_credential",
            "no effect",
        ),
        ('[apps]\nrest_url = "https://h"\ntoken_file = "/t"\npassword_file = "/p"', "apps.password_file", "no effect"),
        ('[apps]\nrest_url = "http://localhost:8080"\ntoken_file = "/t"\nca_file = "/c"', "apps.ca_file", "not https"),
        ('[apps]\nrest_url = "https://h"\ntoken_fle = "/t"', "apps.token_fle", "not a known key"),
        ('[cloud]\nendpoint = "http://collector.example.com"', "cloud.endpoint", "https"),
        ('[cloud]\nendpoint = "https://u:secretpw@collector.example.com"', "cloud.endpoint", "password"),
        ('[cloud]\nendpoint = "https://"', "cloud.endpoint", "not an address"),
        ('[cloud]\nendpoint = "https://h:99999"', "cloud.endpoint", "not an address"),
        ('[cloud]\nendpoint = "https://h/?k=v"', "cloud.endpoint", "query"),
        ('[cloud]\nproxy_password_file = "/p"', "cloud.proxy_password_file", "without cloud.proxy"),
        (
            '[cloud]\nproxy = "http://proxy.example.com:3128"\nproxy_password_file = "/p"',
            "cloud.proxy_password_file",
            "no effect",
        ),
        ('[cloud]\nproxy = "http://u@proxy.example.com:3128"', "cloud.proxy", "proxy_password_file is required"),
        ('[cloud]\nproxy = "socks5://proxy.example.com"', "cloud.proxy", "http://"),
        ('[database]\nlogin = "own"\nname = "n"\nhost = "h"\nuser = "u"', "database.dialect", "required"),
        ('[database]\nlogin = "own"\ndialect = "mysql"\nname = "n"\nhost = "h"', "database.user", "required"),
        (
            '[database]\nlogin = "own"\ndialect = "mysql"\nname = "n"\nhost = "h"\nuser = "u"',
            "database.user",
            "needs a password",
        ),
        (
            '[database]\nlogin = "own"\ndialect = "sqlite"\nname = "/f"\nhost = "h"',
            "database.host",
            "no effect",
        ),
        ('[database]\nlogin = "own"\ndialect = "sqlite"\nname = "f.db"', "database.name", "absolute"),
        (f'{OWN_PG}name = "n"', "database.host", "several servers"),
        (f'{OWN_PG}name = "n"\nhost = "h"\nhosts = ["h"]', "database.host", "beside database.hosts"),
        (f'{OWN_PG}name = "n"\nhosts = []', "database.hosts", "empty"),
        (f'{OWN_PG}name = "n"\nhosts = "h"', "database.hosts", "list of texts"),
        (f'{OWN_PG}name = "n"\nhosts = ["h", 5]', "database.hosts", "list of texts"),
        (f'{OWN_PG}name = "n"\nhosts = ["h:0"]', "database.hosts", "port"),
        (f'{OWN_PG}name = "n"\nhosts = ["h:99999"]', "database.hosts", "port"),
        (f'{OWN_PG}name = "n"\nhosts = ["a b"]', "database.hosts", "host"),
        (f'{OWN_PG}name = "n"\nhosts = ["[::1]x"]', "database.hosts", "HOST:PORT"),
        (f'{OWN_PG}name = "n"\nhost = "h"\ntarget = "primry"', "database.target", "primary"),
        (f'{OWN_PG}name = "n"\nhost = "h"\nsid = "X"', "database.sid", "only oracle"),
        (f'{OWN_PG}name = "n"\nhost = "h"\ninstance = "X"', "database.instance", "only sqlserver"),
        (f'{OWN_ORA}host = "h"', "database.name", "database.sid"),
        (f'{OWN_ORA}host = "h"\nname = "n"\nsid = "X"', "database.sid", "keep one"),
        (f'{OWN_ORA}host = "h"\nname = "n"\ntarget = "primary"', "database.target", "only postgresql"),
        (f'{OWN_MS}name = "n"\nhost = "h"\ninstance = "I"\nport = 5', "database.instance", "keep one"),
        (f'{OWN_MS}name = "n"\nhosts = ["h"]\ninstance = "I"', "database.instance", "hosts"),
        (f'{OWN_MS}name = "n"\nhost = "h"\ninstance = "a b"', "database.instance", "name of an instance"),
        ('[database.tls]\nmode = "verify"', "database.tls.mode", "verify-ca"),
        ('[database.tls]\nca_fil = "/x"', "database.tls.ca_fil", "not a known key"),
        ('[database.tls]\nca_file = "x.pem"', "database.tls.ca_file", "absolute"),
        ('[database.tls]\nmode = "require"\nca_file = "/x"', "database.tls.ca_file", "verifies nothing"),
        ('[database.tls]\ncertificate_file = "/x"', "database.tls.key_file", "both"),
        ('[database.tls]\nkey_file = "/x"', "database.tls.certificate_file", "both"),
        ('[database.tls]\nexpected_name = "a\\"b"', "database.tls.expected_name", "brackets"),
        (f'{OWN_PG}name = "n"\nhost = "h"\ntls = {{ mode = "strict" }}', "database.tls.mode", "sqlserver only"),
        (
            f'{OWN_PG}name = "n"\nhost = "h"\ntls = {{ ca_file = "/x" }}',
            "database.tls.ca_file",
            "tls.mode",
        ),
        (
            f'{OWN_PG}name = "n"\nhost = "h"\ntls = {{ mode = "verify-full", expected_name = "x" }}',
            "database.tls.expected_name",
            "database.host",
        ),
        (
            f'{OWN_PG}name = "n"\nhost = "h"\ntls = {{ mode = "disable", certificate_file = "/c", key_file = "/k" }}',
            "database.tls.key_file",
            "no effect",
        ),
        (f'{OWN_ORA}name = "n"\nhost = "h"\ntls = {{ mode = "prefer" }}', "database.tls.mode", "TCPS"),
        (
            f'{OWN_MS}name = "n"\nhost = "h"\ntls = {{ mode = "require", certificate_file = "/c", key_file = "/k" }}',
            "database.tls.certificate_file",
            "sqlserver",
        ),
        (
            '[database]\nlogin = "own"\ndialect = "sqlite"\nname = "/f"\ntls = { mode = "require" }',
            "database.tls.mode",
            "no effect",
        ),
        ('[database]\npassword_credential = "../x"', "database.password_credential", "name of a credential"),
        ('[jmx]\nhost = "local\\u001bhost"', "jmx.host", "control character"),
        ("[sampling]\ninterval = nan", "sampling.interval", "not a duration"),
        ("[hour]\nlength = 90.5\nclose_after = 1", "hour.length", "whole number of seconds"),
        ("[delivery]\noutbox_limit = 5", "delivery.outbox_limit", "between 1MiB"),
        ('[delivery]\noutbox_limit = "5 apples"', "delivery.outbox_limit", "not a size"),
        ("jmx = 5", "jmx", "must be a section"),
    ],
)
def test_what_does_not_fit_is_named(text: str, key: str, word: str) -> None:
    """Requirement C5 and the limits: an option out of range, in conflict or without effect is a mistake."""
    whole = f"{text}\n{INSTANCE}" if text.startswith("jmx =") else f"{INSTANCE}{text}\n"
    found = mistakes_of(whole)
    assert word in found[key], found
    assert "secretpw" not in str(found)


@pytest.mark.parametrize("name", ADDRESS_KEYS)
def test_address_keys_have_no_effect_with_the_products_login(name: str) -> None:
    """Requirement C5: each address key is refused while the product's own login is used."""
    values = {"dialect": '"mysql"', "port": "5", "hosts": '["text"]', "target": '"any"', "password_file": '"/text"'}
    value = values.get(name, '"text"')
    assert "has no effect" in mistakes_of(f"{INSTANCE}[database]\n{name} = {value}\n")[f"database.{name}"]


def test_combinations_are_judged_beside_other_mistakes() -> None:
    """A typo or a missing key does not hide what does not fit; what leans on a wrong key is not judged."""
    found = mistakes_of(
        '[instance]\nproduct = "jira"\n[database]\nhost = "h"\nloginn = "own"\n[cloud]\nendpoint = "http://h"\n'
        '[jmx]\ntransport = "rmii"\nuser = "u"\n[sampling]\ninterval = "x"\ndeadline = "10m"\n'
    )
    assert set(found) == {
        "instance.home",
        "instance.shared_home",
        "database.host",
        "database.loginn",
        "cloud.endpoint",
        "jmx.transport",
        "sampling.interval",
    }


@pytest.mark.parametrize("key", ["password", "token", "jmx_password", "secret"])
def test_secret_in_the_file_is_refused_and_not_repeated(key: str) -> None:
    """A secret written into the file is an unknown key; the message says where secrets go and not what it was."""
    with pytest.raises(ConfigError) as caught:
        parse_settings(f'{INSTANCE}[database]\n{key} = "hunter2-hunter2"\n', "agent.toml")
    assert "secrets do not stand in this file" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_switches_may_leave_their_options_in_place() -> None:
    """Going offline or switching a source off for a day needs one line, not ten."""
    text = (
        f'{INSTANCE}[agent]\nmode = "offline"\n[cloud]\nendpoint = "https://collector.example.com"\n'
        "[jmx]\nenabled = false\nport = 9\n"
    )
    assert parse_settings(text, "agent.toml").settings.agent.mode is Mode.OFFLINE


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[instance\nproduct = 1", 1, "column"),
        ("[instance]\nproduct = jira", 2, "column 11"),
        ("a = 1\na = 2\n", 2, "not valid TOML"),
        ("a = 1\na = 2", 2, "not valid TOML"),
        ("x = " + "[" * 100_000, None, "nested too deeply"),
        ("x = " + "9" * 5000, None, "too long"),
        ("a = '\x00'", 1, "not valid TOML"),
    ],
)
def test_syntax_error_names_line_and_column(text: str, line: int | None, words: str) -> None:
    """What is not TOML is said with its place, not with a traceback."""
    with pytest.raises(ConfigError) as caught:
        parse_settings(text, "agent.toml")
    (mistake,) = caught.value.mistakes
    assert mistake.line == line
    assert words in mistake.problem
    assert str(caught.value).isprintable() or "\x00" not in str(caught.value)


@given(st.text(max_size=200))
def test_any_text_is_settings_or_a_config_error(text: str) -> None:
    """No text makes the loader raise anything but ConfigError."""
    with contextlib.suppress(ConfigError):
        parse_settings(text, "agent.toml")


_KEYS = st.sampled_from(["instance", "jmx", "tls", "port", "user", "cloud", "endpoint", "proxy", "database", "login"])
_VALUES = st.recursive(
    st.one_of(
        st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(["own", "http://[", "//"])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(_KEYS, inner, max_size=3)),
    max_leaves=8,
)


def _toml(value: object) -> str:
    import json

    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value).replace("NaN", "nan").replace("Infinity", "inf").replace("\x7f", "\\u007f")


@given(st.dictionaries(_KEYS, _VALUES, max_size=4))
def test_any_document_is_settings_or_a_config_error(document: dict[str, object]) -> None:
    """No well-formed document makes the loader raise anything but ConfigError, whatever types stand where."""
    text = "".join(f"{key} = {_toml(value)}\n" for key, value in document.items())
    with pytest.raises(ConfigError):
        parse_settings(text, "agent.toml")


@given(st.integers(min_value=1, max_value=10**8))
def test_durations_and_sizes_read_back(number: int) -> None:
    """What is rendered parses to the same number."""
    assert parse_duration(render_duration(number / 1000)) == pytest.approx(number / 1000)
    assert parse_size(render_size(number)) == number


def test_fields_drop_their_unit_in_the_file() -> None:
    """One rule turns a field's name into its key."""
    assert [key_of(name) for name in ("interval_s", "outbox_limit_bytes", "days", "max_beans")] == [
        "interval",
        "outbox_limit",
        "days",
        "max_beans",
    ]


def test_transports_are_those_of_the_jmx_package() -> None:
    """The settings repeat the transports' names because they import no stage; the lists are the same."""
    assert set(TRANSPORTS) == {str(name) for name in TransportName}


def test_missing_file_says_how_to_begin(tmp_path: Path) -> None:
    """No configuration: the message names the command that makes one."""
    with pytest.raises(ConfigError) as caught:
        load_settings(tmp_path / "agent.toml")
    assert "portfolio-agent init" in str(caught.value)


def test_folder_world_writable_and_foreign_bytes_are_refused(tmp_path: Path) -> None:
    """A folder, a file everybody may write to, and one that is not text: each with its own words."""
    with pytest.raises(ConfigError, match="cannot be used"):
        load_settings(tmp_path)
    path = tmp_path / "agent.toml"
    path.write_text(INSTANCE)
    path.chmod(0o646)
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    assert "chmod 0640" in caught.value.do
    path.chmod(0o640)
    assert isinstance(load_settings(path), Settings)
    path.write_bytes(b"a = 1\nb = '\xff'\n")
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    assert "Line 2" in caught.value.why
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="cannot be used"):
        load_settings(tmp_path / "pipe")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_unreadable_file_names_owner_mode_and_command(tmp_path: Path) -> None:
    """Requirement C3: a permission problem is shown as that, with owner, needed mode and the command that mends it."""
    open_to_all(tmp_path)
    path = tmp_path / "agent.toml"
    path.write_text(INSTANCE)
    path.chmod(0o600)
    script = (
        "import grp, os, pwd, sys\nos.setgid(65534)\nos.setuid(65534)\n"
        "from pathlib import Path\nfrom agent.errors import ConfigError\n"
        "try:\n load_settings(Path(sys.argv[1]))\nexcept ConfigError as error:\n print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", "from agent.settings import load_settings\n" + script, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    for words in ("root:root", "mode 0600", "0640", f"chown root:portfolio-agent {path}", "uid 65534"):
        assert words in done.stdout
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_loading_stays_light() -> None:
    """`status` and the resident process load settings: nothing heavy comes with it."""
    script = (
        "import sys, agent.settings; heavy = {'h11','cryptography','typer','rich','sqlalchemy','psutil','pydantic',"
        "'difflib','asyncio','xml.etree'} & set(sys.modules); sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
