"""Text from a PostgreSQL whose encoding is not UTF-8.

In:   a new driver connection that asked for UTF-8. Out: one whose texts are `str`, or `bytes` where they are no text.
The server turns every encoding that it knows into UTF-8. SQL_ASCII is none: it keeps whatever bytes it was given,
in most databases UTF-8. Checked by the server, one wrong byte would cost the whole statement; so the bytes are taken
as they are, and each value is text or not by itself.
"""

from __future__ import annotations

from typing import Any

NO_ENCODING = "SQL_ASCII"
CLIENT = "utf8"
_TYPES = ("text", "varchar", "bpchar", "name", 705, 0)  # 705: a literal of no type; 0: a type that nobody registered


def text_or_bytes(data: bytes) -> str | bytes:
    """`data` as UTF-8 where it is, else as it stands."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data


def take_text_as_it_is(connection: Any) -> None:
    """Where the server knows no encoding, have its bytes unchecked and decode each value here."""
    if connection.info.parameter_status("server_encoding") != NO_ENCODING:
        return
    from psycopg.adapt import Loader

    class AsItIs(Loader):
        def load(self, data: Any) -> str | bytes:
            return text_or_bytes(bytes(data))

    before, connection.autocommit = connection.autocommit, True
    try:
        connection.execute(f"set client_encoding to '{NO_ENCODING}'")
    finally:
        connection.autocommit = before
    for kind in _TYPES:
        connection.adapters.register_loader(kind, AsItIs)
