"""What each reason for a missing value means to a person, and what can be done about it.

The words of `agent.reasons`, one sentence each; a test holds the two against each other. Where a source said more, that
is shown beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

DOCTOR = "Run: portfolio-agent doctor"
NOTHING = ""


@dataclass(frozen=True, slots=True)
class ReasonWords:
    """What happened, and what to do; "" where there is nothing to do."""

    what: str
    do: str = NOTHING


_SLOWER = "Nothing, if it is rare. Else give it time: [sampling] deadline, or [database] statement_timeout"

REASON_WORDS: Mapping[str, ReasonWords] = {
    # What is so on a healthy product.
    "not-present": ReasonWords("This product does not have it: a feature that is off, or another version."),
    "not-due": ReasonWords("Its question costs much, so it is asked less often than each tick."),
    "other-node": ReasonWords(
        "Another node of the cluster counts it, once for all.", "Ask there: explain it on that node"
    ),
    "too-few": ReasonWords("Fewer requests than [clientside] smallest_group: so small a group would tell of a person."),
    "not-used": ReasonWords("The product does this elsewhere: it searches in OpenSearch, not in an index of its own."),
    "not-in-version": ReasonWords("This version of the product does not have it."),
    # What the value was.
    "not-finite": ReasonWords("What was read is infinite or not a number, which is no measurement."),
    "not-a-number": ReasonWords("What was read is no number."),
    "not-plain": ReasonWords("What was read is an object, not a number or a text."),
    "unexpected-text": ReasonWords("What was read does not look like what the catalog says it is, so it is not kept."),
    "ambiguous": ReasonWords("Several things answer to this name, and nothing tells which one is meant."),
    "unit-unknown": ReasonWords(
        "The log's durations are in a unit that cannot be known.",
        "See which Tomcat writes it: portfolio-agent doctor",
    ),
    "too-coarse": ReasonWords("The log writes whole seconds, of which no percentile can be made."),
    "mostly-unread": ReasonWords(
        "Most lines of the log have not the form that its configuration says.", "See which: portfolio-agent doctor"
    ),
    "passed-over": ReasonWords("Another log says the same and is read in its place."),
    "key-away": ReasonWords(
        "Its name has to be hashed, and the key of the hashes cannot be read.",
        "Bring the shared home back; portfolio-agent status names the file",
    ),
    "quarantined": ReasonWords("Reading it broke the answer of the JVM, so it is left alone for an hour."),
    "cut": ReasonWords("There are more beans than [jmx] max_beans.", "Raise [jmx] max_beans, or leave it"),
    "rows-cut": ReasonWords("There are more rows than are taken, so their number is not known."),
    # What the source did not do.
    "not-seen": ReasonWords("The source answered, and this was not in the answer."),
    "timeout": ReasonWords("It did not answer in time.", _SLOWER),
    "deadline": ReasonWords("The time of the tick was used up before it was its turn.", _SLOWER),
    "busy": ReasonWords("The reading before it still goes on.", DOCTOR),
    "hung": ReasonWords("A file system does not answer.", "Look at the mount: portfolio-agent doctor"),
    "internal-error": ReasonWords(
        "A fault in the agent.", "Please report it with: journalctl -u portfolio-agent -n 50"
    ),
    "other": ReasonWords("Something that has no word of its own.", DOCTOR),
    # The way to it.
    "refused": ReasonWords("Nobody listens at that address.", DOCTOR),
    "unreachable": ReasonWords("That address cannot be reached.", DOCTOR),
    "unknown-host": ReasonWords("That host name is not known.", DOCTOR),
    "wrong-port": ReasonWords("Something else answers at that port.", DOCTOR),
    "connection-lost": ReasonWords("The connection was lost on the way.", DOCTOR),
    "protocol-error": ReasonWords("What answers does not speak as it should.", DOCTOR),
    "reply-too-large": ReasonWords("The answer is larger than any that is taken.", DOCTOR),
    "transport-unusable": ReasonWords("The configured way to the JVM cannot be used here.", DOCTOR),
    "serial-filter": ReasonWords("The JVM's serial filter lets no question about MBeans in.", DOCTOR),
    "remote-failure": ReasonWords("The other side failed while it answered.", "See the product's own log"),
    "password-blocked": ReasonWords(
        "The product takes no passwords over REST.", "Set [apps] token_file, a personal access token"
    ),
    "rate-limited": ReasonWords("The product says that it is asked too often; it is asked again later."),
    "registry-tls-missing": ReasonWords("The JVM's registry wants TLS.", "Set [jmx.tls] registry = true"),
    "registry-tls-unwanted": ReasonWords("The JVM's registry speaks no TLS.", "Set [jmx.tls] registry = false"),
    "server-tls-missing": ReasonWords("The JVM's port wants TLS.", "Set [jmx.tls] server = true"),
    "server-tls-unwanted": ReasonWords("The JVM's port speaks no TLS.", "Set [jmx.tls] server = false"),
    "tls-failed": ReasonWords("No TLS connection could be agreed on.", DOCTOR),
    "tls": ReasonWords("No TLS connection could be agreed on with the database.", DOCTOR),
    "client-certificate-required": ReasonWords("The other side wants a certificate of ours.", DOCTOR),
    "driver-missing": ReasonWords("The driver of this database is not installed.", DOCTOR),
    # The login and its rights.
    "login-required": ReasonWords("It wants a login.", DOCTOR),
    "login-refused": ReasonWords("It refuses the login.", DOCTOR),
    "login-unreadable": ReasonWords("The place of the login cannot be read.", DOCTOR),
    "login-can-write": ReasonWords("The database login may write, so it is not used.", DOCTOR),
    "password-encrypted": ReasonWords("The product keeps its database password encrypted.", DOCTOR),
    "login-not-followed": ReasonWords("The product logs in to its database in a way that only it can.", DOCTOR),
    "permission-denied": ReasonWords("The account may not read it.", DOCTOR),
    "not-readable": ReasonWords("The JVM says that it cannot be read."),
    "not-answered": ReasonWords("The JVM gave no answer for it."),
    "not-supported": ReasonWords("It cannot be read in this way, on this database or in this version."),
    "read-only": ReasonWords("The database did not open a read-only session.", DOCTOR),
    "too-many-connections": ReasonWords("The database takes no further connection.", DOCTOR),
    "pooler": ReasonWords("A pooler before the database shares its sessions among its clients.", DOCTOR),
    "damaged": ReasonWords("The database says that it is damaged.", "See the database's own log"),
    "database-error": ReasonWords("The database reported an error.", "See the database's own log"),
}


def reason_words(reason: str) -> ReasonWords:
    """The words of a reason; those of "other" for one that is not known."""
    return REASON_WORDS.get(reason, REASON_WORDS["other"])
