"""The JVM and the MariaDB server that these tests share."""

from tests.support.jvm_beans import jvm
from tests.support.mariadb import mariadb

__all__ = ["jvm", "mariadb"]
