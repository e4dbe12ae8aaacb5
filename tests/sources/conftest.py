"""The JVM that the JMX tests share."""

from tests.support.jvm_beans import jvm

__all__ = ["jvm"]
