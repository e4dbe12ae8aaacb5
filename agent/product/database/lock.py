"""One lock in the product's own database tells which node of a cluster counts: no further server, no right to write.

In:   the instance's id, from which the lock's name is made; a read-only engine. Out: a `ClusterTurn` each time asked.
The holder keeps one connection of its own, in no transaction, and asks on it each tick whether it still holds; the
others open one each tick, try, and close it. The database frees the lock when the session ends: at once when the
process dies, after about a minute when the machine does (PostgreSQL: the keepalives asked for below; SQL Server: its
own; MySQL: `wait_timeout`, one and a half ticks; Oracle: SQLNET.EXPIRE_TIME of the server, in minutes).

All nodes must ask the same server. A pooler in transaction mode (PgBouncer) hands the session to others, the other
node among them, and both would hold: that is found out before the lock is taken, and refused (`pooled.py`). Where
something ends idle sessions, the holder's is used between the ticks (`lock_beat.py`). MySQL's locks are local to one
server of a Galera or group cluster. SQLite has one node by nature, which always counts. Oracle needs: grant execute on
dbms_lock.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, text

from agent.errors import SourceError
from agent.log import log, logger
from agent.model import ClusterTurn, Role
from agent.product.database.errors import database_errors
from agent.product.database.lock_beat import SHORTEST_S, LockBeat
from agent.product.database.pooled import SHARED, is_pooled, refuse_shared
from agent.system.clock import unix_s

LOG = logger("cluster")
ORACLE_IDS = 1 << 30  # dbms_lock takes 0 .. 1073741823
ORACLE_GRANT = "As an administrator: grant execute on dbms_lock to the agent's account (config/database/oracle.sql)."
RELEASE_WAIT_S = 0.5
LOST = frozenset({"connection-lost", "refused"})
# A firewall that forgot the connection drops what is sent on it: nothing comes back.
SILENCED = LOST | {"timeout"}
LOSSES_NAMED = 3  # in a row, with the session used as often as it can be


@dataclass(frozen=True, slots=True)
class LockName:
    """The lock's name in the forms the databases want, derived from the instance's id: the same on every node."""

    text: str
    number: int

    @classmethod
    def of(cls, instance_id: str) -> LockName:
        """The name for one instance."""
        digest = hashlib.sha256(f"portfolio-agent|{instance_id}".encode()).digest()
        return cls(f"portfolio-agent:{digest.hex()[:32]}", int.from_bytes(digest[:8], "big", signed=True))

    def values(self, idle_s: int) -> dict[str, Any]:
        """Everything a statement below may name."""
        unsigned = self.number % (1 << 64)
        return {
            "name": self.text,
            "number": self.number,
            "high": unsigned >> 32,
            "low": unsigned & 0xFFFFFFFF,
            "small": unsigned % ORACLE_IDS,
            "idle_s": idle_s,
        }


@dataclass(frozen=True, slots=True)
class _Words:
    """One dialect: `settle` prepares the session, `take` gives one truth value, `check` (session, holds, seconds)."""

    settle: str
    take: str
    check: str


_WORDS = {
    "postgresql": _Words(
        # A server process notices a vanished client after 20 + 3 x 10 s; a holder must not be ended for being idle.
        settle="select set_config('tcp_keepalives_idle', '20', false), set_config('tcp_keepalives_interval', '10', "
        "false), set_config('tcp_keepalives_count', '3', false), case when current_setting('idle_session_timeout', "
        "true) is not null then set_config('idle_session_timeout', '0', false) end",
        take="select pg_try_advisory_lock(cast(:number as bigint))",
        # A key of 64 bits lies in two columns; the same numbers under another `objsubid` are a lock of two keys of 32
        # bits.
        check="select pg_backend_pid(), exists (select 1 from pg_locks where locktype = 'advisory' and granted and "
        "pid = pg_backend_pid() and cast(classid as bigint) = :high and cast(objid as bigint) = :low and "
        "objsubid = 1), extract(epoch from clock_timestamp())",
    ),
    "mysql": _Words(
        settle="set session wait_timeout = :idle_s",
        # Zero seconds: a node that waited for the lock would hold up its own tick.
        take="select get_lock(:name, 0)",
        check="select connection_id(), coalesce(is_used_lock(:name) = connection_id(), 0), "
        "timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) / 1000000",
    ),
    "mssql": _Words(
        settle="",
        take="set nocount on; declare @answer int; exec @answer = sp_getapplock @Resource = :name, "
        "@LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = 0, @DbPrincipal = 'public'; "
        "select case when @answer >= 0 then 1 else 0 end",
        check="select @@spid, case when applock_mode('public', :name, 'Session') = 'Exclusive' then 1 else 0 end, "
        "datediff(second, '1970-01-01', sysutcdatetime())",
    ),
    "oracle": _Words(
        settle="",
        take="begin :answer := dbms_lock.request(:small, dbms_lock.x_mode, 0, false); end;",
        check="select sys_context('userenv', 'sessionid'), 1, "
        "(cast(sys_extract_utc(systimestamp) as date) - date '1970-01-01') * 86400 from dual",
    ),
}
_WORDS["mariadb"] = _WORDS["mysql"]


class ClusterLock:
    """The lock of one instance, as this node sees it. May be asked from several threads."""

    def __init__(
        self,
        open_engine: Callable[[], Engine],
        instance_id: str,
        *,
        interval_s: float = 120.0,
        shortest_beat_s: float = SHORTEST_S,
        clock: Callable[[], float] = unix_s,
    ) -> None:
        self._open_engine = open_engine
        self._values = LockName.of(instance_id).values(max(round(interval_s * 1.5) + 10, 30))
        self._clock = clock
        self._mutex = threading.Lock()
        self._held: tuple[Connection, Engine] | None = None
        self._server_session = ""
        self._turn = ClusterTurn(Role.UNKNOWN)
        self._beat = LockBeat(interval_s, shortest_beat_s, self._use)
        self._losses = 0  # in a row, of sessions that nobody used

    def turn(self) -> ClusterTurn:
        """Whether this node counts now: confirmed on the session that holds the lock, else tried for.

        Raises SourceError when the database cannot be asked; whatever was held counts as lost then.
        """
        with self._mutex:
            if self._held is not None:
                try:
                    return self._confirm(self._held[0])
                except SourceError as error:
                    self._note_loss(error)
                    # A session that is gone took the lock with it: this very tick may take it again, as a hold of its
                    # own.
                    if error.reason not in LOST:
                        raise
            if self._losses >= LOSSES_NAMED and self._beat.exhausted:
                self._losses = 0  # said in this tick; the next one tries again
                raise self._cut_while_idle()
            return self._try()

    def release(self) -> None:
        """End the session that holds the lock, so that another node may take over at once.

        Not while another thread waits for the database: a stop does not wait with it, and the end of this process ends
        the session as well.
        """
        self._beat.stop()
        if self._mutex.acquire(timeout=RELEASE_WAIT_S):
            try:
                self._let_go()
            finally:
                self._mutex.release()

    def _use(self) -> None:
        """Between two ticks: the session is asked once, so that it is not idle; a lost one is noted."""
        with self._mutex:
            if self._held is not None:
                try:
                    self._confirm(self._held[0])
                except SourceError as error:
                    self._note_loss(error)

    def _note_loss(self, error: SourceError) -> None:
        self._let_go()
        if error.reason in SILENCED:
            self._beat.shorten()
            self._losses += 1
            log(LOG, logging.WARNING, "cluster.lock_lost", reason=error.reason, used_every_s=self._beat.every_s)

    def _cut_while_idle(self) -> SourceError:
        return SourceError(
            "connection-lost",
            "The session that holds the cluster's lock is ended again and again, so no node can count for an hour.",
            why=f"Something between here and the database, or the database itself, ends a session that was silent for "
            f"{self._beat.every_s:g} s.",
            do="Raise that limit above one minute (HAProxy: timeout client and timeout server; PostgreSQL: "
            "idle_session_timeout; MySQL: wait_timeout), or let the agent reach the database directly.",
        )

    def _confirm(self, connection: Connection) -> ClusterTurn:
        with database_errors():
            session, holds, seconds = self._ask(connection)
        if not holds or session != self._server_session:
            raise SourceError(SHARED.reason, SHARED.what, why=SHARED.why, do=SHARED.do)
        self._losses = 0
        self._turn = ClusterTurn(
            Role.COUNTING, self._turn.session, self._turn.since_s, seconds, self._clock() - seconds
        )
        return self._turn

    def _try(self) -> ClusterTurn:
        engine = self._open_engine()
        try:
            with database_errors():
                connection = engine.connect()
            # Noted before it is used: whatever fails from here on, letting go finds it and closes it.
            self._held = (connection, engine)
            with database_errors():
                # In no transaction: idle in one, the session would keep the product's server from cleaning up behind
                # it, and be ended by servers that do not allow it.
                connection.execution_options(isolation_level="AUTOCOMMIT")
                if is_pooled(connection):
                    refuse_shared(connection, lambda: engine.connect().execution_options(isolation_level="AUTOCOMMIT"))
                self._settle(connection)
                # Taken and then asked about, on what should be one session: behind a pooler it is two, and the second
                # does not hold it.
                got = self._take(connection)
                session, holds, seconds = self._ask(connection)
        except SourceError:
            self._let_go()
            raise
        ahead_s = self._clock() - seconds
        if not (got and holds):
            self._beat.stop()
            self._let_go()
            return ClusterTurn(Role.STANDBY, ahead_s=ahead_s)
        self._server_session = session
        # A name of our own: the server gives its session numbers to others again.
        self._turn = ClusterTurn(Role.COUNTING, uuid.uuid4().hex, seconds, seconds, ahead_s)
        self._beat.start()
        return self._turn

    def _settle(self, connection: Connection) -> None:
        words = _WORDS.get(connection.dialect.name)
        if words is not None and words.settle:
            self._run(connection, words.settle)

    def _take(self, connection: Connection) -> bool:
        dialect = connection.dialect.name
        if dialect == "sqlite":
            return True
        if dialect == "oracle":
            return self._take_oracle(connection)
        return bool(self._run(connection, _WORDS[dialect].take)[0])

    def _take_oracle(self, connection: Connection) -> bool:
        cursor: Any = connection.connection.cursor()
        try:
            answer = cursor.var(int)
            cursor.execute(_WORDS["oracle"].take, {"answer": answer, "small": self._values["small"]})
            return int(answer.getvalue()) in (0, 4)  # got, or held by this session already
        except Exception as error:
            # PLS-00201 inside ORA-06550: the package is not visible. Whatever else it is goes the usual way.
            if "PLS-00201" not in str(error):
                raise
            raise SourceError(
                "permission-denied",
                "The account may not use the cluster's lock.",
                why="DBMS_LOCK is not granted to it.",
                do=ORACLE_GRANT,
            ) from None
        finally:
            cursor.close()

    def _ask(self, connection: Connection) -> tuple[str, bool, float]:
        """(the server's name for this session, whether it holds the lock, the server's Unix time in seconds)."""
        if connection.dialect.name == "sqlite":
            return "sqlite", True, self._clock()
        session, holds, seconds = self._run(connection, _WORDS[connection.dialect.name].check)
        return str(session), bool(holds), float(seconds)

    def _run(self, connection: Connection, sql: str) -> Any:
        """One statement, outside of any transaction on the server; its row, or ()."""
        statement = text(sql)
        known = statement.compile().params
        result = connection.execute(statement, {name: self._values[name] for name in known})
        row = tuple(result.one()) if result.returns_rows else ()
        connection.rollback()  # SQLAlchemy's own bookkeeping; the server saw no BEGIN
        return row

    def _let_go(self) -> None:
        held, self._held = self._held, None
        self._turn, self._server_session = ClusterTurn(Role.UNKNOWN), ""
        if held is None:
            return
        connection, engine = held
        # Closing a session that is dead already fails in every driver's own way, and dead is what is wanted.
        with contextlib.suppress(Exception):
            connection.invalidate()
        with contextlib.suppress(Exception):
            connection.close()
        engine.dispose()
