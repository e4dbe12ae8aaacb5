"""Why a sample is missing: the closed set of codes that may leave the building. Anything else leaves as "other"."""

from __future__ import annotations

NOT_PRESENT = "not-present"
NOT_DUE = "not-due"
OTHER_NODE = "other-node"  # another node of the cluster counts this, once for all
NOT_FINITE = "not-finite"
NOT_A_NUMBER = "not-a-number"
NOT_SUPPORTED = "not-supported"
AMBIGUOUS = "ambiguous"
QUARANTINED = "quarantined"
CUT = "cut"
PERMISSION_DENIED = "permission-denied"
TIMEOUT = "timeout"
DEADLINE = "deadline"
ROWS_CUT = "rows-cut"
UNEXPECTED_TEXT = "unexpected-text"  # a value that does not look like what the catalog says it is
NOT_USED = "not-used"  # the product does this elsewhere: an index of its own beside OpenSearch
NOT_IN_VERSION = "not-in-version"  # the entry is for other versions of the product
NOT_SEEN = "not-seen"  # the source answered, and nobody said why this is missing
KEY_AWAY = "key-away"  # a name would have to be hashed, and the key cannot be read
OTHER = "other"

# The codes of agent.jmx.errors.JmxError and of its ReadFailure, written out: words import nothing.
JMX_REASONS = frozenset(
    {
        "refused",
        "unreachable",
        "unknown-host",
        "timeout",
        "wrong-port",
        "registry-tls-missing",
        "registry-tls-unwanted",
        "tls-failed",
        "client-certificate-required",
        "login-required",
        "login-refused",
        "permission-denied",
        "serial-filter",
        "connection-lost",
        "protocol-error",
        "reply-too-large",
        "transport-unusable",
        "remote-failure",
        "not-answered",
        "not-supported",
        "not-readable",
        "not-plain",
        "server-tls-missing",
        "server-tls-unwanted",
        # An attribute that broke a reply and is left alone for an hour; beans that [jmx] max_beans left out.
        QUARANTINED,
        CUT,
    }
)
# The codes of agent.product.database.errors and agent.product.database.credentials.
DATABASE_REASONS = frozenset(
    {
        "refused",
        "unknown-host",
        "timeout",
        "login-refused",
        "permission-denied",
        "not-present",
        "read-only",
        "tls",
        "too-many-connections",
        "connection-lost",
        "pooler",
        "damaged",
        "not-supported",
        "database-error",
        "driver-missing",
        "password-encrypted",
        "login-not-followed",
        "login-unreadable",
        "login-can-write",
    }
)
# Named by the source "clientside": the unit of a log's durations is not known; a group is smaller than the setting.
UNIT_UNKNOWN = "unit-unknown"
TOO_FEW = "too-few"
TOO_COARSE = "too-coarse"  # whole seconds
MOSTLY_UNREAD = "mostly-unread"  # most lines of a log have not the form that its configuration says
PASSED_OVER = "passed-over"  # one of several logs that say the same
# Named by the source "host": a file system that does not answer.
HUNG = "hung"
CLIENTSIDE_REASONS = frozenset({UNIT_UNKNOWN, TOO_FEW, TOO_COARSE, MOSTLY_UNREAD, PASSED_OVER})
# Named by the source "apps": the product is asked too often, or takes no passwords over REST.
RATE_LIMITED = "rate-limited"
PASSWORD_BLOCKED = "password-blocked"  # noqa: S105  # a word for a reason
# Named by sampling when it gives up on a source, and by aggregation when nobody said why a series is missing.
SAMPLING_REASONS = frozenset({"deadline", "busy", "internal-error", NOT_SEEN})

REASONS = (
    frozenset(
        {
            NOT_PRESENT,
            NOT_DUE,
            OTHER_NODE,
            NOT_FINITE,
            NOT_A_NUMBER,
            NOT_SUPPORTED,
            AMBIGUOUS,
            PERMISSION_DENIED,
            TIMEOUT,
            DEADLINE,
            ROWS_CUT,
            HUNG,
            UNEXPECTED_TEXT,
            NOT_USED,
            NOT_IN_VERSION,
            KEY_AWAY,
            OTHER,
        }
    )
    | JMX_REASONS
    | DATABASE_REASONS
    | CLIENTSIDE_REASONS
    | SAMPLING_REASONS
    | {RATE_LIMITED, PASSWORD_BLOCKED}
)

# Expected on a healthy product: a feature that is off, a query that keeps within its budget, a quiet night, a node on
# standby.
HARMLESS = frozenset({NOT_PRESENT, NOT_DUE, TOO_FEW, OTHER_NODE, PASSED_OVER, NOT_USED, NOT_IN_VERSION})
