"""What each code and text of a database means: the reason, what happened in the database's own sense, what mends it.

Tables only; `errors.py` reads them. A cause is finer than a reason: the reasons are the closed set that may leave the
building, the words are for the person who has to mend it. Texts are needed where a driver gives no code: libpq while it
connects, and SQLite.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DatabaseCause:
    """A reason code with its words."""

    reason: str
    what: str
    do: str


_CHECK_LOGIN = 'Check user and password; with login = "product" compare with the product\'s own configuration.'
_CA = (
    "Name the certificate of the authority that signed the server's certificate in the TLS options of the database's "
    "address (PostgreSQL: sslrootcert; elsewhere the CA or trust store), as PEM."
)
_PG_ENDED = (
    "If they are right, the password may have ended, which PostgreSQL does not tell; psql's \\du shows it, and the "
    "cure is: ALTER ROLE <user> VALID UNTIL 'infinity'."
)
_AUTH = "Give the agent an account of its own with a plain password (README, Database) and the way that is named above."


def _login(what: str, do: str) -> DatabaseCause:
    return DatabaseCause("login-refused", what, do)


def _tls(what: str, do: str) -> DatabaseCause:
    return DatabaseCause("tls", what, do)


CAUSES: Mapping[str, DatabaseCause] = {
    "refused": DatabaseCause(
        "refused",
        "The database does not accept connections.",
        "Check that the database runs and that host, port and firewall are right.",
    ),
    "starting": DatabaseCause(
        "refused",
        "The database is starting or stopping, or in recovery.",
        "Nothing, if it soon ends: the next tick tries.",
    ),
    "not-served": DatabaseCause(
        "refused",
        "This server does not serve the database now: a standby, or closed by its administrators.",
        "Give the address of the primary server, or ask the database's administrators.",
    ),
    "host-blocked": DatabaseCause(
        "refused",
        "The database server has blocked this host after many broken connections.",
        "As its administrator: FLUSH HOSTS (or mariadb-admin flush-hosts), then find what broke them in its error log.",
    ),
    "other-protocol": DatabaseCause(
        "refused",
        "What answers at this port is not this kind of database.",
        "Check host and port of the database's address; another service may listen there.",
    ),
    "unknown-host": DatabaseCause(
        "unknown-host",
        "The database host's name cannot be resolved.",
        "Check the name in the configuration and this machine's DNS.",
    ),
    "timeout": DatabaseCause(
        "timeout",
        "The database did not answer in time.",
        "Look for locks or load on the database; a longer time is [database] statement_timeout.",
    ),
    "not-reached": DatabaseCause(
        "timeout",
        "No connection to the database within the time: nothing answers.",
        "A firewall between here and the database drops what is sent, or the host is down; check host and port.",
    ),
    # The login, each in its own words.
    "login-refused": _login("The database refuses the login.", _CHECK_LOGIN),
    "password-or-validity": _login("The database refuses user and password.", f"{_CHECK_LOGIN} {_PG_ENDED}"),
    "no-password": _login(
        "The database wants a password, and none is known.",
        "Set [database] password_file, or see the product's own file.",
    ),
    "role-unknown": _login("The database does not know this user.", _CHECK_LOGIN),
    "role-nologin": _login("The database role may not log in.", "As an administrator: ALTER ROLE <user> LOGIN."),
    "pg-hba": _login(
        "The server's pg_hba.conf has no line for this user, database and address.",
        "Add one for this machine: hostssl <database> <user> <this machine's address>/32 scram-sha-256; then: "
        "SELECT pg_reload_conf(). A hostssl line is for TLS only (sslmode=require or stricter in the address).",
    ),
    "auth-method": _login(
        "The server wants a way to log in that is not spoken (Kerberos, SSPI, LDAP ticket, or a newer one).",
        "Let the server take a password of this account: PostgreSQL scram-sha-256 in pg_hba.conf. " + _AUTH,
    ),
    "ident": _login(
        "The server wants the operating system's account of the same name (peer or ident).",
        "Give this account a password and a scram-sha-256 line in pg_hba.conf.",
    ),
    "auth-plugin": _login(
        "The account's authentication plug-in is not spoken by the agent.",
        "Give the agent an account of its own. MySQL: IDENTIFIED WITH caching_sha2_password BY '...'; "
        "MariaDB: IDENTIFIED VIA mysql_native_password USING PASSWORD('...').",
    ),
    "auth-needs-tls": _login(
        "The account's way to log in needs TLS, or a Python package that is not installed.",
        "Use TLS for the database's address (MySQL: sslMode=REQUIRED or stricter).",
    ),
    "old-password": _login(
        "The account's password is stored in a form that is too old for the driver.",
        "Set the password anew; Oracle: with a 12C verifier; MySQL: caching_sha2_password.",
    ),
    "mysql-expired": _login(
        "The account's password has expired.",
        "As an administrator: ALTER USER '<user>'@'<host>' IDENTIFIED BY '<new>' PASSWORD EXPIRE NEVER, and put the "
        "new password where the agent reads it.",
    ),
    "mysql-locked": _login(
        "The account is locked.", "As an administrator: ALTER USER '<user>'@'<host>' ACCOUNT UNLOCK."
    ),
    "mysql-host": _login(
        "The database does not let this user in from this machine.",
        "As an administrator: CREATE USER '<user>'@'<this machine>' with the same rights, or RENAME USER.",
    ),
    "oracle-expired": _login(
        "The account's password has expired.",
        "As an administrator: ALTER USER <user> IDENTIFIED BY <new>, and put it where the agent reads it; a profile "
        "with PASSWORD_LIFE_TIME UNLIMITED keeps it so.",
    ),
    "oracle-locked": _login("The account is locked.", "As an administrator: ALTER USER <user> ACCOUNT UNLOCK."),
    "oracle-session": _login("The account may not log in.", "As an administrator: GRANT CREATE SESSION TO <user>."),
    "mssql-expired": _login(
        "The login's password has expired.",
        "As an administrator: ALTER LOGIN [<user>] WITH PASSWORD = '<new>', CHECK_EXPIRATION = OFF, and put the new "
        "password where the agent reads it.",
    ),
    "mssql-must-change": _login(
        "The login's password must be changed before it can be used.",
        "As an administrator: ALTER LOGIN [<user>] WITH PASSWORD = '<new>', and put it where the agent reads it.",
    ),
    "mssql-locked": _login(
        "The login is locked out.", "As an administrator: ALTER LOGIN [<user>] WITH PASSWORD = '<password>' UNLOCK."
    ),
    "mssql-disabled": _login("The login is disabled.", "As an administrator: ALTER LOGIN [<user>] ENABLE."),
    "mssql-windows": _login(
        "The server takes only Windows accounts here, or this one is of another domain.",
        "Switch on SQL Server and Windows Authentication mode, and give the agent a SQL login.",
    ),
    "mssql-firewall": _login(
        "The server's firewall does not let this machine in.",
        "Add this machine's address to the server's firewall rules.",
    ),
    # TLS.
    "tls": _tls(
        "No TLS connection to the database could be made.",
        "Check the server's certificate and the TLS options of the product's database URL.",
    ),
    "tls-not-offered": _tls(
        "TLS is wanted, and the database server offers none.",
        "Switch TLS on at the server (PostgreSQL: ssl = on), or, if the way is safe, ask for none in the address.",
    ),
    "tls-required": _tls("The server wants TLS.", "Ask for TLS in the address (MySQL: sslMode=REQUIRED or stricter)."),
    "ca-unknown": _tls("The database server's certificate is not signed by a known authority.", _CA),
    "name-differs": _tls(
        "The database server's certificate is for another host name.",
        "Use a name in the address that the certificate has, or have it issued for this name.",
    ),
    "certificate-ended": _tls(
        "The database server's certificate is not valid at this time.",
        "Renew it at the server; check this machine's clock too: timedatectl status.",
    ),
    "client-certificate": _tls(
        "The server wants a certificate of the client.",
        "Name certificate and key in the address (PostgreSQL: sslcert and sslkey).",
    ),
    "ca-file": _tls("A TLS file of the database's address cannot be read.", _CA),
    "tls-old": _tls(
        "Server and agent have no TLS version or cipher in common.", "Let the server speak TLS 1.2 or newer."
    ),
    # Rights, names, room.
    "permission-denied": DatabaseCause(
        "permission-denied",
        "The database account may not read this.",
        "Grant the account SELECT on the table, or use another account.",
    ),
    "connect-denied": DatabaseCause(
        "permission-denied",
        "The account may not connect to this database.",
        "As an administrator: GRANT CONNECT ON DATABASE <database> TO <user> (MySQL: GRANT SELECT ON <database>.*).",
    ),
    "not-present": DatabaseCause(
        "not-present",
        "The database, table or column does not exist.",
        "Check database name and schema; a table another version has is left out.",
    ),
    "no-database": DatabaseCause(
        "not-present", "The server has no such database.", "Check the database's name in the address, and the server."
    ),
    "no-service": DatabaseCause(
        "not-present",
        "The listener does not know this service or SID.",
        "Check it with: lsnrctl status (as the database's account); a SID and a service name are two things.",
    ),
    "read-only": DatabaseCause(
        "read-only", "The read-only session refused a write.", "Report this: the agent only reads."
    ),
    "too-many-connections": DatabaseCause(
        "too-many-connections",
        "The database has no connection free.",
        "Raise the connection limit of the server or of the account.",
    ),
    "account-connections": DatabaseCause(
        "too-many-connections",
        "The account or the database has no connection free.",
        "Raise its own limit (PostgreSQL: ALTER ROLE <user> CONNECTION LIMIT 5; MySQL: MAX_USER_CONNECTIONS; Oracle: "
        "SESSIONS_PER_USER of its profile): the agent uses two at most.",
    ),
    "connection-lost": DatabaseCause(
        "connection-lost",
        "The connection to the database broke.",
        "Check that the database runs; the next tick connects again.",
    ),
    "pooler": DatabaseCause(
        "pooler",
        "The pooler before the database does not allow what the agent needs.",
        "Give the agent's user pool_mode = session (or transaction) there, or let it reach the database directly.",
    ),
    "pooler-login": _login(
        "The pooler before the database does not know this user or database.",
        "Add the user to its auth_file (userlist.txt) and the database to its [databases], or go past the pooler.",
    ),
    "encoding": DatabaseCause(
        "unexpected-text",
        "The database holds bytes that are no text in its own encoding.",
        "Nothing for the agent: what holds them is left out. The database's administrators may mend them.",
    ),
    "damaged": DatabaseCause(
        "damaged", "The database file cannot be read.", "Check the file: it is no database, or it is damaged."
    ),
    "not-supported": DatabaseCause(
        "not-supported",
        "The driver cannot speak with this server.",
        "Oracle before 12.1 and native network encryption are not supported; check the listener's settings.",
    ),
    "database-error": DatabaseCause(
        "database-error", "The database reported an error.", "See the database server's own log at this time."
    ),
}

# PostgreSQL: SQLSTATE or its class of two characters.
SQLSTATES: Mapping[str, str] = {
    "57014": "timeout",
    "55P03": "timeout",
    "25P03": "timeout",
    "57P05": "connection-lost",
    "25006": "read-only",
    "42501": "permission-denied",
    "42P01": "not-present",
    "42703": "not-present",
    "3F000": "not-present",
    "3D000": "no-database",
    "53300": "too-many-connections",
    "57P03": "starting",
    "57P01": "connection-lost",
    "57P02": "connection-lost",
    "22021": "encoding",
    "22P05": "encoding",
    "28P01": "password-or-validity",
    "08": "connection-lost",
    "28": "login-refused",
}
# MySQL and MariaDB, SQL Server: the server's or driver's number.
NUMBERS: Mapping[int, str] = {
    1045: "login-refused",
    1698: "auth-plugin",
    1130: "mysql-host",
    1129: "host-blocked",
    1820: "mysql-expired",
    1862: "mysql-expired",
    3118: "mysql-locked",
    3955: "mysql-locked",
    4151: "mysql-locked",
    1251: "auth-plugin",
    1275: "old-password",
    1524: "auth-plugin",
    2049: "old-password",
    2054: "auth-plugin",
    2059: "auth-plugin",
    2061: "auth-needs-tls",
    3159: "tls-required",
    1044: "connect-denied",
    1049: "no-database",
    1142: "permission-denied",
    1143: "permission-denied",
    1227: "permission-denied",
    1146: "not-present",
    1054: "not-present",
    1053: "starting",
    1927: "connection-lost",
    4031: "connection-lost",
    3024: "timeout",
    1969: "timeout",
    1205: "timeout",
    1040: "too-many-connections",
    1203: "account-connections",
    1226: "account-connections",
    1792: "read-only",
    2006: "connection-lost",
    2013: "connection-lost",
    # SQL Server.
    18456: "login-refused",
    18452: "mssql-windows",
    18470: "mssql-disabled",
    18486: "mssql-locked",
    18487: "mssql-expired",
    18488: "mssql-must-change",
    18461: "not-served",
    17142: "not-served",
    17187: "starting",
    40615: "mssql-firewall",
    40613: "not-served",
    976: "not-served",
    978: "not-served",
    983: "not-served",
    4060: "no-database",
    4064: "no-database",
    911: "no-database",
    916: "connect-denied",
    10928: "account-connections",
    10929: "account-connections",
    17809: "too-many-connections",
    208: "not-present",
    207: "not-present",
    229: "permission-denied",
    230: "permission-denied",
    1222: "timeout",
    20003: "timeout",
    20004: "connection-lost",
    20006: "connection-lost",
    20047: "connection-lost",
}
ORACLE: Mapping[str, str] = {
    "ORA-01017": "login-refused",
    "ORA-01005": "no-password",
    "ORA-28000": "oracle-locked",
    "ORA-28001": "oracle-expired",
    "ORA-28040": "old-password",
    "DPY-3015": "old-password",
    "ORA-01045": "oracle-session",
    "ORA-28030": "auth-method",
    "ORA-00942": "not-present",
    "ORA-00904": "not-present",
    "ORA-12514": "no-service",
    "ORA-12505": "no-service",
    "DPY-6001": "no-service",
    "DPY-6003": "no-service",
    "ORA-01031": "permission-denied",
    "ORA-01456": "read-only",
    "ORA-00018": "too-many-connections",
    "ORA-00020": "too-many-connections",
    "ORA-12516": "too-many-connections",
    "ORA-12519": "too-many-connections",
    "ORA-12520": "too-many-connections",
    "ORA-02391": "account-connections",
    "ORA-01033": "starting",
    "ORA-01034": "not-served",
    "ORA-01035": "not-served",
    "ORA-01089": "starting",
    "ORA-01090": "starting",
    "ORA-01109": "not-served",
    "ORA-12526": "not-served",
    "ORA-12528": "not-served",
    "ORA-12541": "refused",
    "ORA-12170": "not-reached",
    "ORA-12535": "not-reached",
    "ORA-01013": "timeout",
    "DPY-4024": "timeout",
    "DPY-3001": "not-supported",
    "DPY-3010": "not-supported",
    "ORA-28860": "tls-old",
    "ORA-29024": "ca-unknown",
    "DPY-6006": "name-differs",
    "DPY-4011": "connection-lost",
    "ORA-02396": "connection-lost",
    "ORA-03113": "connection-lost",
    "ORA-03114": "connection-lost",
    "ORA-03135": "connection-lost",
}
# The first that is found in the text decides. In this order: "too many connections for role ..." names a role and is no
# refused login, and a line about a certificate comes behind "connection failed".
TEXTS: tuple[tuple[str, str], ...] = (
    ("too many connections for", "account-connections"),
    ("too many", "too-many-connections"),
    ("remaining connection slots", "too-many-connections"),
    ("no more connections allowed", "too-many-connections"),
    ("statement pooling", "pooler"),
    ("no such user", "pooler-login"),
    ("no such database", "pooler-login"),
    ("not allowed to connect", "pooler-login"),
    ("connection requires a valid client certificate", "client-certificate"),
    ("certificate authentication failed", "client-certificate"),
    ("certificate required", "client-certificate"),
    ("password authentication failed", "password-or-validity"),
    ("sasl authentication failed", "password-or-validity"),
    # A server tells this in its own language, and libpq has no code for it while it connects.
    ("passwort-authentifizierung", "password-or-validity"),
    ("authentification par mot de passe", "password-or-validity"),
    ("autentificación password", "password-or-validity"),
    ("autenticazione con password fallita", "password-or-validity"),
    ("autenticação do tipo senha falhou", "password-or-validity"),
    ("не прошёл проверку подлинности", "password-or-validity"),
    ("パスワード認証に失敗", "password-or-validity"),
    ("认证失败", "password-or-validity"),
    ("no password supplied", "no-password"),
    ("no pg_hba.conf entry", "pg-hba"),
    ("pg_hba.conf", "pg-hba"),
    ("peer authentication failed", "ident"),
    ("ident authentication failed", "ident"),
    ("gssapi", "auth-method"),
    ("sspi", "auth-method"),
    ("gss authentication", "auth-method"),
    ("sasl authentication mechanisms", "auth-method"),
    ("authentication method", "auth-method"),
    ("cryptography' package is required", "auth-needs-tls"),
    ("pynacl", "auth-plugin"),
    ("authentication plugin", "auth-plugin"),
    ("authentication failed", "login-refused"),
    ("is not permitted to log in", "role-nologin"),
    ('role "" does not exist', "role-unknown"),
    ('database "" does not exist', "no-database"),
    ("root certificate file", "ca-file"),
    ("could not load private key", "ca-file"),
    ("could not read certificate", "ca-file"),
    ("does not exist", "not-present"),
    ("starting up", "starting"),
    ("shutting down", "starting"),
    ("not yet accepting connections", "starting"),
    ("in recovery mode", "starting"),
    ("not accepting connections", "not-served"),
    ("not currently accepting connections", "not-served"),
    ("session is read-only", "not-served"),
    ("session is not read-only", "not-served"),
    ("in hot standby mode", "not-served"),
    ("permission denied for database", "connect-denied"),
    ("does not support ssl", "tls-not-offered"),
    ("doesn't support ssl", "tls-not-offered"),
    ("ssl is required but", "tls-not-offered"),
    ("received invalid response to ssl", "other-protocol"),
    ("invalid response to gss", "other-protocol"),
    ("expected authentication request", "other-protocol"),
    ("packet sequence number wrong", "other-protocol"),
    ("unsupported protocol", "tls-old"),
    ("no shared cipher", "tls-old"),
    ("alert protocol version", "tls-old"),
    ("handshake failure", "tls-old"),
    ("certificate has expired", "certificate-ended"),
    ("certificate is not yet valid", "certificate-ended"),
    ("certificate expired", "certificate-ended"),
    ("does not match host name", "name-differs"),
    ("hostname mismatch", "name-differs"),
    ("doesn't match", "name-differs"),
    ("ip address mismatch", "name-differs"),
    ("certificate verify failed", "ca-unknown"),
    ("self-signed", "ca-unknown"),
    ("self signed", "ca-unknown"),
    ("unable to get local issuer", "ca-unknown"),
    ("unknown ca", "ca-unknown"),
    ("certificate", "tls"),
    ("ssl", "tls"),
    ("name or service not known", "unknown-host"),
    ("could not translate host name", "unknown-host"),
    ("failed to resolve host", "unknown-host"),
    ("temporary failure in name resolution", "unknown-host"),
    ("no address associated", "unknown-host"),
    ("getaddrinfo", "unknown-host"),
    ("name lookup", "unknown-host"),
    ("connection timeout expired", "not-reached"),
    ("timed out", "timeout"),
    ("timeout", "timeout"),
    ("connection refused", "refused"),
    ("no route to host", "refused"),
    ("network is unreachable", "refused"),
    ("server closed the connection", "connection-lost"),
    ("terminating connection", "connection-lost"),
    ("connection reset", "connection-lost"),
    ("lost", "connection-lost"),
    ("interrupted", "timeout"),
    ("no such", "not-present"),
    ("readonly", "read-only"),
    ("is locked", "timeout"),
    ("not a database", "damaged"),
    ("malformed", "damaged"),
    ("unable to open", "permission-denied"),
    ("adaptive server is unavailable", "refused"),
    ("unable to connect", "refused"),
    ("can't connect", "refused"),
    ("cannot connect", "refused"),
    ("connection is bad", "refused"),
)
