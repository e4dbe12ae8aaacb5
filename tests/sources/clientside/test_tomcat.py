"""What is taken from a Tomcat install."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from agent.errors import SourceError
from agent.sources.clientside.forms import Form
from agent.sources.clientside.tomcat import JAR_LIMIT_BYTES, AccessLogValve, read_valve, read_version
from tests.support.access_logs import JIRA, make_install
from tests.support.servers import require


def test_valve_of_an_install(tmp_path: Path) -> None:
    """Folder, names, pattern and version, as server.xml and the jar tell them."""
    valve = read_valve(make_install(tmp_path / "jira", more='directory="${catalina.base}/logs" suffix=".log"'))
    assert (valve.folder, valve.pattern, valve.version) == (tmp_path / "jira" / "logs", JIRA, 9)
    assert valve.accepts("access_log.2026-11-22.log")
    assert valve.accepts("access_log.2026-11-22.log.1.gz")
    assert not valve.accepts("access_logs-of-someone.log")
    assert not valve.accepts("catalina.2026-11-22.log")


def test_crowd_keeps_tomcat_one_level_down(tmp_path: Path) -> None:
    """The folder an admin names is the product's."""
    make_install(tmp_path / "crowd" / "apache-tomcat")
    assert read_valve(tmp_path / "crowd").folder == tmp_path / "crowd" / "apache-tomcat" / "logs"


def test_own_folder_wins(tmp_path: Path) -> None:
    """access_log_dir replaces the folder, not names and pattern."""
    assert read_valve(make_install(tmp_path / "jira"), tmp_path).folder == tmp_path


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<Server/>", "not-present"),
        ("<Server>", "not-supported"),
        ('<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><Server>&a;</Server>', "not-supported"),
        (
            '<Server><Valve className="org.apache.catalina.valves.AccessLogValve" directory="${our.logs}"/></Server>',
            "not-supported",
        ),
    ],
)
def test_files_that_do_not_tell(tmp_path: Path, text: str, reason: str) -> None:
    """Each gets its reason and what to do; nothing outside the file is opened."""
    install = make_install(tmp_path / "jira")
    (install / "conf" / "server.xml").write_text(text)
    with pytest.raises(SourceError) as caught:
        read_valve(install)
    assert caught.value.reason == reason
    assert caught.value.do


def test_version_is_known_or_zero(tmp_path: Path) -> None:
    """The jar tells, then the release notes; neither means 0, not a guess."""
    install = make_install(tmp_path / "jira", version="")
    assert read_version(install) == 0
    (install / "lib" / "catalina.jar").write_bytes(b"no zip")
    assert read_version(install) == 0
    (install / "RELEASE-NOTES").write_text("\n                     Apache Tomcat Version 11.0.2\n")
    assert read_version(install) == 11


@pytest.mark.timeout(20)
def test_pipes_and_damaged_jars_give_no_version(tmp_path: Path) -> None:
    """What the product's account can put there holds nobody and costs nothing but the version."""
    (tmp_path / "lib").mkdir()
    jar = tmp_path / "lib" / "catalina.jar"
    os.mkfifo(jar)
    os.mkfifo(tmp_path / "RELEASE-NOTES")
    assert read_version(tmp_path) == 0
    jar.unlink()
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("META-INF/MANIFEST.MF", "Implementation-Version: 9.0.1\n" * 50)
    octets = bytearray(jar.read_bytes())
    at = 30 + len("META-INF/MANIFEST.MF")
    octets[at : at + 8] = b"\xff" * 8  # no deflate stream begins so
    jar.write_bytes(octets)
    assert read_version(tmp_path) == 0
    with open(jar, "r+b") as stream:
        stream.truncate(JAR_LIMIT_BYTES + 1)
    assert read_version(tmp_path) == 0


def test_version_of_a_real_tomcat() -> None:
    """Debian's Tomcat 10 says so in its jar."""
    home = require("tomcat").parent.parent
    assert read_version(home) == 10


OWN = "org.apache.catalina.valves."
FULL = '%h %u %t "%r" %s %b %D'


def valve(class_name: str = "AccessLogValve", more: str = "", pattern: str = FULL) -> str:
    """One valve; a class without dots is one of Tomcat's."""
    name = class_name if "." in class_name else OWN + class_name
    return f"<Valve className=\"{name}\" {more} pattern='{pattern}'/>"


def layout(tmp_path: Path, engine: str = "", host: str = "", contexts: str = "<Context path='' docBase='x'/>") -> Path:
    """An install whose server.xml has these valves and contexts."""
    install = make_install(tmp_path / "jira", version="10.1.30")
    (install / "conf" / "server.xml").write_text(
        f"<Server><Service name='S'><Engine name='Catalina'>{engine}<Host name='localhost'>{host}{contexts}</Host>"
        "</Engine></Service></Server>"
    )
    return install


def refusal(install: Path) -> SourceError:
    """Why nothing is read."""
    with pytest.raises(SourceError) as caught:
        read_valve(install)
    assert caught.value.do
    return caught.value


# What must be taken is called "right".
RIGHT = 'prefix="right"'
CHOICES = {
    "only one": {"host": valve(more=RIGHT)},
    "the one with a duration": {"host": valve(pattern="common") + valve(more=RIGHT)},
    "a fine duration before whole seconds": {"host": valve(pattern="%r %s %T") + valve(more=RIGHT)},
    "in the engine, full": {"engine": valve(more=RIGHT), "host": valve(pattern="common")},
    "in the host, full": {"engine": valve(pattern="common"), "host": valve(more=RIGHT)},
    "the first of two alike": {"engine": valve(more=RIGHT), "host": valve()},
    "not switched off": {"engine": valve(more='enabled="false"'), "host": valve(more=RIGHT)},
    "without a condition": {"engine": valve(more='conditionIf="x"'), "host": valve(more=RIGHT, pattern="common")},
    "no condition of any kind": {
        "engine": valve(more='condition="x"') + valve(more='conditionUnless="y"'),
        "host": valve(more=RIGHT),
    },
    "conditional, when there is no other": {"host": valve(more=f'{RIGHT} conditionUnless="health"')},
    "of the host before another context": {
        "host": valve(more=RIGHT, pattern="common"),
        "contexts": f"<Context path='' docBase='x'/><Context path='/static'>{valve()}</Context>",
    },
    "in the product's context": {
        "contexts": f"<Context path='/static'>{valve()}</Context>"
        f"<Context path='/c' docBase='../confluence'>{valve(more=RIGHT)}</Context>",
    },
    "one that is read before a class that is not known": {
        "engine": valve("com.example.FastAccessLogValve"),
        "host": valve(more=RIGHT),
    },
    "JSON": {"host": valve("JsonAccessLogValve", RIGHT)},
    "W3C": {"host": valve("ExtendedAccessLogValve", RIGHT, "cs-method cs-uri-stem sc-status time-taken-ms")},
    "names before the empty pattern": {"host": valve(pattern="") + valve(more=RIGHT)},
    "one whose pattern tells something": {"host": valve(pattern="%t") + valve(more=RIGHT)},
    "commented out": {"host": f"<!-- {valve()} -->" + valve(more=RIGHT)},
}


@pytest.mark.parametrize("name", CHOICES)
def test_choice_between_valves(tmp_path: Path, name: str) -> None:
    """The valve that sees all of the product's requests and tells the most; each other one is named with the reason."""
    install = layout(tmp_path, **CHOICES[name])
    chosen = read_valve(install)
    assert chosen.prefix == "right"
    text = (install / "conf" / "server.xml").read_text()
    live = text.replace("<!-- " + valve() + " -->", "")
    assert len(chosen.passed_over) == live.count("<Valve") - 1
    assert all("server.xml line" in other for other in (chosen.place, *chosen.passed_over))


def test_another_services_valve_is_not_the_products(tmp_path: Path) -> None:
    """Two services: the log of the one that runs the product."""
    install = make_install(tmp_path / "jira")
    other = f"<Service name='A'><Engine name='A'>{valve()}<Host name='h'><Context path='/x'/></Host></Engine></Service>"
    own = (
        f"<Service name='B'><Engine name='B'>{valve(more=RIGHT, pattern='common')}<Host name='h'>"
        "<Context path='/jira' docBase='${catalina.home}/atlassian-jira'/></Host></Engine></Service>"
    )
    (install / "conf" / "server.xml").write_text(f"<Server>{other}{own}</Server>")
    chosen = read_valve(install)
    assert (chosen.prefix, chosen.context_path) == ("right", "/jira")
    assert "does not see the product's requests" in chosen.passed_over[0]


REFUSED = {
    "JDBC": (valve("JDBCAccessLogValve"), "into a database"),
    "a class of one's own": (valve("com.example.AccessLogValve"), "com.example.AccessLogValve is not one of Tomcat's"),
    "logback": (valve("ch.qos.logback.access.tomcat.LogbackValve"), "LogbackValve is not one of Tomcat's"),
    "switched off": (valve(more='enabled="false"'), "switched off"),
    "unknown prefix": (valve(more='prefix="access_${HOSTNAME}"'), "${HOSTNAME}"),
    "unknown prefix with a default": (valve(more='prefix="a${x:-b}"'), "${x}"),
    "unknown suffix": (valve(more='suffix="${my.suffix}"'), "${my.suffix}"),
    "unknown date": (valve(more='fileDateFormat="${my.date}"'), "${my.date}"),
    "unknown folder": (valve(more='directory="${LOG_DIR}/x"'), "${LOG_DIR}"),
    "a folder a day": (valve(more='fileDateFormat="yyyy/MM/dd"'), "a folder of their own"),
    "no date format": (valve(more='fileDateFormat=".yyyy-bb"'), "'b' is no letter"),
    "two bytes a letter": (valve(more='encoding="UTF-16"'), "UTF-16"),
    "unknown switch": (valve(more='enabled="${log.on:-true}"'), "enabled is ${log.on}"),
    "unknown pattern": (valve(pattern="%r ${more}"), "pattern is ${more}"),
    "EBCDIC": (valve(more='encoding="Cp1047"'), "Cp1047"),
    "empty pattern": (valve(pattern=""), "empty"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_valve_that_is_not_read_is_named(tmp_path: Path, name: str) -> None:
    """Not supported, with the place, the reason and what to do: never taken for a log without requests."""
    host, words = REFUSED[name]
    error = refusal(layout(tmp_path, host=host))
    assert error.reason == "not-supported"
    assert words in error.why
    assert "server.xml line 1 (Host 'localhost')" in error.why


def named(tmp_path: Path, more: str) -> AccessLogValve:
    """The valve of an install with these attributes."""
    return read_valve(layout(tmp_path, host=valve(more=more)))


NAMES = {
    "": (["access_log.2026-11-27", "access_log.2026-11-27.gz", "access_log.2026-11-27.1"], ["access_log.txt"]),
    'prefix="conf_access_log" suffix=".log"': (
        ["conf_access_log.2026-11-27.log", "conf_access_log.2026-11-27.log.gz"],
        ["conf_access_log_2.2026-11-27.log", "conf_access_log.2026-11-27.txt"],
    ),
    'fileDateFormat=".dd-MMM-yyyy"': (["access_log.27-Nov-2026", "access_log.27-Nov-2026.gz"], ["access_log.x"]),
    "fileDateFormat=\"_yyyyMMdd'T'HH\"": (["access_log_20261127T09"], ["access_log_20261127Tx"]),
    'rotatable="false"': (["access_log", "access_log.1", "access_log-20261127.gz"], ["access_log.old"]),
    'renameOnRotate="true" suffix=".log"': (["access_log.log", "access_log.2026-11-27.log"], ["access_log.x.log"]),
    'locale="de_DE" fileDateFormat=".EEE"': (["access_log.Fr."], ["access_log.Fr/x"]),
    'prefix="a.b(c)"': (["a.b(c).2026-11-27"], ["aXb(c).2026-11-27"]),
    'maxDays="30" buffered="false" encoding="ISO-8859-1"': (["access_log.2026-11-27"], []),
}


@pytest.mark.parametrize("more", NAMES)
def test_names_of_files(tmp_path: Path, more: str) -> None:
    """Every name that Tomcat or a rotation gives, and no other log's."""
    found = named(tmp_path, more)
    accepted, others = NAMES[more]
    assert [name for name in accepted if not found.accepts(name)] == []
    assert [name for name in others if found.accepts(name)] == []


@pytest.mark.parametrize("name", ["UTF-8", "utf8", "ISO8859_15", "US-ASCII", "windows-1252", "Cp1252", "GBK"])
def test_encodings_like_ascii(tmp_path: Path, name: str) -> None:
    """Status, time and path are the same bytes in them."""
    assert named(tmp_path, f'encoding="{name}"').prefix == "access_log"


def test_names_as_a_real_tomcat_wrote_them(tmp_path: Path) -> None:
    """Tomcat 10.1.60: a language's date, a folder in the prefix, a default, a property of a file, one nobody sets."""
    dated = named(
        tmp_path / "1",
        "prefix='d' suffix='.log' fileDateFormat=\".dd-MMM-yyyy'T'EEE\"".replace("'d'", '"d"').replace(
            "'.log'", '".log"'
        ),
    )
    assert dated.accepts("d.27-Nov-2026TFri.log")
    deep = named(tmp_path / "2", 'prefix="sub/a" suffix=".log" renameOnRotate="true"')
    assert (deep.folder.name, deep.prefix) == ("sub", "a")
    install = layout(tmp_path / "3", host=valve(more='prefix="e${nope:-dflt}-${my.prop}-${un.known}"'))
    (install / "conf" / "catalina.properties").write_text("my.prop=fromprops\n")
    assert refusal(install).reason == "not-supported"
    (install / "logs" / "edflt-fromprops-${un.known}.2026-11-27").touch()
    assert read_valve(install).accepts("edflt-fromprops-${un.known}.2026-11-27")


@pytest.mark.parametrize(
    ("directory", "expected"),
    [
        ("logs", "logs"),
        ("${catalina.base}/other", "other"),
        ("${catalina.home}/x", "x"),
        ("/var/log/jira", "/var/log/jira"),
        ("${jira.logs}", "/srv/logs"),
        ("${from.props}/y", "/srv/props/y"),
        ("${quoted}", "/srv/quoted"),
    ],
)
def test_folder_with_what_is_known(tmp_path: Path, directory: str, expected: str) -> None:
    """Tomcat's own folders, properties of catalina.properties and of setenv.sh; a shell variable is not a value."""
    install = layout(tmp_path, host=valve(more=f'directory="{directory}"'))
    (install / "bin").mkdir()
    (install / "bin" / "setenv.sh").write_text(
        'JVM="-Djira.logs=/srv/logs -Dshell=$HOME/x"\nexport X="-Dquoted=/srv/quoted"\n# -Djira.logs=/old\n'
    )
    (install / "conf" / "catalina.properties").write_text("# from.props=/no\nfrom.props = /srv/props\n")
    assert read_valve(install).folder == install / expected


@pytest.mark.parametrize("directory", ["${shell}", "${nobody.knows}"])
def test_folder_given_by_the_setting(tmp_path: Path, directory: str) -> None:
    """What is not known is refused until [clientside] access_log_dir says it."""
    install = layout(tmp_path, host=valve(more=f'directory="{directory}"'))
    assert "access_log_dir" in refusal(install).do
    assert read_valve(install, tmp_path).folder == tmp_path


CONTEXTS = {
    "<Context path='' docBase='x'/><Context path='/static'/>": "",
    "<Context path='/static'/><Context path='' docBase='x'/>": "",
    "<Context path='/static'/><Context path='/jira' docBase='${catalina.home}/atlassian-jira'/>": "/jira",
    "<Context path='/synchrony-proxy'/><Context path='/wiki' docBase='../confluence'/>": "/wiki",
    "<Context path='/bamboo' docBase='/opt/atlassian/bamboo/atlassian-bamboo/'/>": "/bamboo",
    "<Context path='/only'/>": "/only",
    "<Context path='${confluence.context.path}' docBase='../confluence'/>": "",
    "": "",
}


@pytest.mark.parametrize("contexts", CONTEXTS)
def test_context_of_the_product(tmp_path: Path, contexts: str) -> None:
    """By what it is made of, else the one at the root, else the first there is."""
    install = layout(tmp_path, host=valve(), contexts=contexts)
    assert read_valve(install).context_path == CONTEXTS[contexts]


def test_contexts_in_files_of_their_own(tmp_path: Path) -> None:
    """Crowd's way: conf/Catalina/localhost/crowd.xml is the context /crowd, with a valve of its own or without."""
    install = layout(tmp_path, engine=valve(pattern="common"), contexts="")
    folder = install / "conf" / "Catalina" / "localhost"
    folder.mkdir(parents=True)
    (folder / "openidclient.xml").write_text(f"<Context docBase='x'>{valve()}</Context>")
    (folder / "crowd.xml").write_text("<Context docBase='${catalina.home}/../crowd-webapp'/>")
    found = read_valve(install)
    assert (found.context_path, found.pattern) == ("/crowd", "common")
    (folder / "crowd.xml").write_text(
        f"<Context docBase='${{catalina.home}}/../crowd-webapp'>{valve(more=RIGHT)}</Context>"
    )
    assert read_valve(install).prefix == "right"
    (folder / "a#b.xml").write_text("<not closed")
    assert read_valve(install).prefix == "right"


def test_server_xml_as_people_write_it(tmp_path: Path) -> None:
    """Entities, line breaks in an attribute, a comment and CDATA around: the pattern is what Tomcat reads."""
    install = make_install(tmp_path / "jira")
    (install / "conf" / "server.xml").write_text(
        "<Server><!-- <Valve className='x.AccessLogValve'/> --><![CDATA[<Valve/>]]><Service><Engine name='E'>"
        f"<Valve className='{OWN}AccessLogValve' pattern='%h &quot;%r&quot; &#37;s\n%D'/></Engine></Service></Server>"
    )
    assert read_valve(install).pattern == '%h "%r" %s %D'


def test_forms_of_valves(tmp_path: Path) -> None:
    """The class decides how a line is read."""
    for number, (name, form) in enumerate(
        {"AccessLogValve": Form.PLAIN, "JsonAccessLogValve": Form.JSON, "ExtendedAccessLogValve": Form.EXTENDED}.items()
    ):
        assert read_valve(layout(tmp_path / str(number), host=valve(name, pattern="sc-status"))).form is form
