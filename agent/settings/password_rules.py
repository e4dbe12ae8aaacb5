"""A user and the place of its password: what must fit together, the same in each section that logs in somewhere."""

from __future__ import annotations

from collections.abc import Iterator


def password_problems(section: str, user: str | None, by_file: bool, by_credential: bool) -> Iterator[tuple[str, str]]:
    """(key, problem) of a login whose password comes from a file, a systemd credential, both or neither."""
    if by_file and by_credential:
        yield f"{section}.password_credential", "has no effect beside password_file; keep one of the two"
    if user is None and (by_file or by_credential):
        key = "password_file" if by_file else "password_credential"
        yield f"{section}.{key}", f"has no effect without {section}.user"
    if user is not None and not (by_file or by_credential):
        yield f"{section}.user", f"needs a password: set {section}.password_file or {section}.password_credential"
