"""Debian's Tomcat 10 under a private CATALINA_BASE, with the JMX options of `tests.support.jvm`."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.support.jvm import JvmFixture, compiled, free_port, missing_packages

HOME = Path("/usr/share/tomcat10")
_SERVER_XML = """<?xml version="1.0" encoding="UTF-8"?>
<Server port="-1">
  <Listener className="org.apache.catalina.core.JreMemoryLeakPreventionListener"/>
  <GlobalNamingResources>
    <Resource name="UserDatabase" auth="Container" type="org.apache.catalina.UserDatabase"
              pathname="conf/tomcat-users.xml" factory="org.apache.catalina.users.MemoryUserDatabaseFactory"/>
  </GlobalNamingResources>
  <Service name="Catalina">
    <Connector address="127.0.0.1" port="{port}" protocol="HTTP/1.1"/>
    <Engine name="Catalina" defaultHost="localhost">
      <Host name="localhost" appBase="webapps"/>
    </Engine>
  </Service>
</Server>
"""


def missing_for_tomcat() -> list[str]:
    """Names the apt packages without which Tomcat cannot be run."""
    return missing_packages() + ([] if (HOME / "bin" / "bootstrap.jar").exists() else ["tomcat10"])


class TomcatFixture(JvmFixture):
    """A Tomcat with one empty web application."""

    def program(self, folder: Path, words: Sequence[str]) -> list[str]:
        base = folder / "base"
        shutil.rmtree(base, ignore_errors=True)
        for name in ("conf", "logs", "temp", "work", "webapps/ROOT"):
            (base / name).mkdir(parents=True)
        (base / "webapps" / "ROOT" / "index.html").write_text("<p>fixture</p>\n")
        for name in ("catalina.properties", "context.xml", "tomcat-users.xml", "web.xml"):
            shutil.copyfile(HOME / "etc" / name, base / "conf" / name)
        (base / "conf" / "server.xml").write_text(_SERVER_XML.format(port=free_port()))
        classes = ":".join(map(str, (compiled(), HOME / "bin" / "bootstrap.jar", HOME / "bin" / "tomcat-juli.jar")))
        return [
            f"-Dcatalina.home={HOME}",
            f"-Dcatalina.base={base}",
            f"-Djava.io.tmpdir={base / 'temp'}",
            "-cp",
            classes,
            "TomcatFixture",
        ]
