"""The store's tables, as numbered steps on `PRAGMA user_version`; a step is never edited once released.

Plain `sqlite3` rather than SQLAlchemy: ten tables, one writer, and `status` must answer in 150 ms, which importing
SQLAlchemy alone would use up.
"""

from __future__ import annotations

APPLICATION_ID = 0x50464131  # "PFA1"

STEPS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        # A layout is the list of series of a tick; it changes rarely, so ticks name it instead of repeating it.
        "CREATE TABLE layout (id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, body BLOB NOT NULL)",
        # AUTOINCREMENT: a number is never given again, not even when the newest rows were deleted. It is the only order
        # there is.
        """CREATE TABLE tick (
             number INTEGER PRIMARY KEY AUTOINCREMENT,
             taken_ms INTEGER NOT NULL,
             hour_s INTEGER NOT NULL,
             layout INTEGER NOT NULL REFERENCES layout (id),
             body BLOB NOT NULL)""",
        "CREATE INDEX tick_hour ON tick (hour_s)",
        # A body is what consent has not seen yet: it leaves this table through the door only.
        """CREATE TABLE hour (
             start_s INTEGER NOT NULL,
             revision INTEGER NOT NULL,
             length_s INTEGER NOT NULL,
             closed_ms INTEGER NOT NULL,
             last_tick INTEGER NOT NULL,
             ticks INTEGER NOT NULL,
             body BLOB NOT NULL,
             PRIMARY KEY (start_s, revision)) WITHOUT ROWID""",
        # The row stays when its body is gone: an hour whose batch is not known would be sealed a second time.
        """CREATE TABLE batch (
             id TEXT PRIMARY KEY,
             hour_s INTEGER NOT NULL,
             length_s INTEGER NOT NULL,
             revision INTEGER NOT NULL,
             part TEXT NOT NULL,
             state TEXT NOT NULL
               CHECK (state IN ('waiting', 'acknowledged', 'set-aside', 'split', 'replaced', 'dropped')),
             level TEXT NOT NULL,
             field_list_version TEXT NOT NULL,
             granted_ms INTEGER,
             sha256 TEXT NOT NULL,
             size_bytes INTEGER NOT NULL,
             entries INTEGER NOT NULL,
             body BLOB,
             sealed_ms INTEGER NOT NULL,
             attempts INTEGER NOT NULL DEFAULT 0,
             last_answer TEXT NOT NULL DEFAULT '',
             settled_ms INTEGER)""",
        # Every run asks for what waits, oldest hour first; the acknowledged rows of weeks lie beside it.
        "CREATE INDEX batch_state ON batch (state, hour_s)",
        # What left, byte by byte accountable: one row for each request that carried data, never changed afterwards.
        """CREATE TABLE ledger (
             number INTEGER PRIMARY KEY AUTOINCREMENT,
             at_ms INTEGER NOT NULL,
             batch_id TEXT NOT NULL,
             way TEXT NOT NULL CHECK (way IN ('push', 'bundle')),
             destination TEXT NOT NULL,
             size_bytes INTEGER NOT NULL,
             sha256 TEXT NOT NULL,
             level TEXT NOT NULL,
             answer TEXT NOT NULL)""",
        # Who did what: linked, unlinked, consent changed, bundle written.
        """CREATE TABLE audit (
             number INTEGER PRIMARY KEY AUTOINCREMENT,
             at_ms INTEGER NOT NULL,
             actor TEXT NOT NULL,
             event TEXT NOT NULL,
             detail TEXT NOT NULL)""",
        """CREATE TABLE source_state (
             source TEXT PRIMARY KEY,
             outcome TEXT NOT NULL,
             since_ms INTEGER NOT NULL,
             seen_ms INTEGER NOT NULL,
             ok_ms INTEGER,
             samples INTEGER NOT NULL,
             took_s REAL NOT NULL,
             failures TEXT NOT NULL,
             why TEXT NOT NULL,
             "do" TEXT NOT NULL) WITHOUT ROWID""",
        # Losses that were not meant (outbox full, late samples), each with its count.
        """CREATE TABLE loss (
             reason TEXT PRIMARY KEY,
             count INTEGER NOT NULL,
             first_ms INTEGER NOT NULL,
             last_ms INTEGER NOT NULL) WITHOUT ROWID""",
    ),
    (
        # What each watched list held at the end of an hour: what the next hour is compared with to find events.
        "CREATE TABLE snapshot (hour_s INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    ),
    (
        # From here on layouts, ticks, hours and snapshots may say which names in them are pseudonyms already. Older
        # rows are read as before; an older program would hash such a name once more, so it must refuse this file. The
        # state of each source goes: its failures quoted names, and the next tick writes it anew.
        "DELETE FROM source_state",
    ),
    (
        # When a tick was taken by the clock that is never set, in which boot, and whether its label is vouched for.
        "ALTER TABLE tick ADD COLUMN steady_ms INTEGER",
        # NULL in the rows of an older agent, "" where the kernel tells no boot: the two are read differently.
        "ALTER TABLE tick ADD COLUMN boot_id TEXT",
        "ALTER TABLE tick ADD COLUMN vouched INTEGER NOT NULL DEFAULT 1",
        # Every hour that was ever closed, with its last tick: eight bytes an hour, so that none is closed twice.
        "CREATE TABLE closed (start_s INTEGER PRIMARY KEY, last_tick INTEGER NOT NULL)",
        # Which hours are the newest is asked for at every closing, each time things are tidied, and by `status`.
        "CREATE INDEX closed_order ON closed (last_tick)",
        # Hours of which only a batch is left were closed too; 0 puts them before all that has a number.
        "INSERT INTO closed SELECT hour_s, 0 FROM batch GROUP BY hour_s",
        """INSERT INTO closed SELECT start_s, max(last_tick) FROM hour WHERE true GROUP BY start_s
           ON CONFLICT (start_s) DO UPDATE SET last_tick = excluded.last_tick""",
        # Snapshots are found by the store's order, like everything that one hour has from the one before it.
        "ALTER TABLE snapshot ADD COLUMN last_tick INTEGER NOT NULL DEFAULT 0",
        "UPDATE snapshot SET last_tick = coalesce((SELECT max(last_tick) FROM hour WHERE start_s = hour_s), 0)",
    ),
)
