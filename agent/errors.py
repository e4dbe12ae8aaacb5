"""Every error a person may meet; the type says what happens next, the three facts say it in words.

AgentError
├── ConfigError        exit 10: nothing starts until the file is right
├── KeyUnreadable      exit 11: vault or key file; sampling goes on, nothing is sent
├── KeyRejected        exit 11: the cloud refuses the key; everything is held, a new key is asked for
├── StoreError         exit 12: the local store cannot be used
├── AlreadyRunning     exit 13: another agent holds this state folder
├── NotLinked          exit  4: no link, so nothing may leave over the network
├── NotDelivering      exit  3: a push did not arrive; all batches are kept
│   ├── PushDeferred            try again later (network, 5xx, 429)
│   ├── BatchRefused            set this batch aside, go on with the next (400, 422)
│   ├── BatchTooLarge           split this batch, push the parts (413)
│   └── ConsentChanged          begin the run again: what waits passes consent once more
├── SourceError        exit  1: one source gave nothing; costs its own samples only
├── UsageError         exit  2: the command cannot do what was asked
└── Degraded           exit  1: done in part; the text says what is missing
"""

from __future__ import annotations

from dataclasses import dataclass


class AgentError(Exception):
    """What happened, why, and what to do; `exit_code` is what the command line returns for it.

    `code` is the stable word of this kind of error for scripts (`--json`); docs/json.md lists them.
    """

    exit_code = 1
    code = "error"

    def __init__(self, what: str, *, why: str = "", do: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.do = do

    def __str__(self) -> str:
        parts = [self.what]
        if self.why:
            parts.append(f"Why: {self.why}")
        if self.do:
            parts.append(f"Do: {self.do}")
        return "\n  ".join(parts)


@dataclass(frozen=True, slots=True)
class Mistake:
    """One fault in a configuration file: where (file, line when known, key) and what is wrong with it."""

    file: str
    key: str
    problem: str
    nearest: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        hint = f" Did you mean '{self.nearest}'?" if self.nearest else ""
        return f"{place}: {self.key}: {self.problem}{hint}" if self.key else f"{place}: {self.problem}{hint}"


class ConfigError(AgentError):
    """All mistakes of the configuration together, never only the first."""

    exit_code = 10
    code = "configuration"

    def __init__(self, what: str, mistakes: tuple[Mistake, ...] = (), *, why: str = "", do: str = "") -> None:
        super().__init__(what, why=why, do=do)
        self.mistakes = mistakes

    def __str__(self) -> str:
        lines = [self.what, *(f"  - {mistake}" for mistake in self.mistakes)]
        if self.why:
            lines.append(f"  Why: {self.why}")
        if self.do:
            lines.append(f"  Do: {self.do}")
        return "\n".join(lines)


class KeyUnreadable(AgentError):
    """The stored key or its master key cannot be read or does not authenticate.

    `code` is stable and printed behind the first sentence, so that support can tell the cases apart.
    """

    exit_code = 11
    code = "key-unreadable"

    def __init__(self, what: str, *, why: str = "", do: str = "", code: str = "") -> None:
        super().__init__(f"{what} [{code}]" if code else what, why=why, do=do)
        self.code = code or type(self).code


class KeyRejected(AgentError):
    """The cloud refuses the key (401, 403, 410): hold everything, ask for a new key."""

    exit_code = 11
    code = "key-rejected"


class StoreError(AgentError):
    """The local store cannot be opened, read or written."""

    exit_code = 12
    code = "store"


class AlreadyRunning(AgentError):
    """Another agent holds the lock of this state folder."""

    exit_code = 13
    code = "already-running"


class NotLinked(AgentError):
    """There is no link to a cloud organisation."""

    exit_code = 4
    code = "not-linked"


class NotDelivering(AgentError):
    """Something that should have left is still here."""

    exit_code = 3
    code = "not-delivering"


class PushDeferred(NotDelivering):
    """Try again later: no network, 429, 5xx. `wait_s` is what the receiver asked for, if it did.

    `sent` is False only when it is certain that no byte of the request left this host.
    """

    code = "push-deferred"

    def __init__(
        self, what: str, *, why: str = "", do: str = "", wait_s: float | None = None, sent: bool = True
    ) -> None:
        super().__init__(what, why=why, do=do)
        self.wait_s = wait_s
        self.sent = sent


class BatchRefused(NotDelivering):
    """The receiver will never take this batch (400, 422): set it aside, push the next."""

    code = "batch-refused"


class BatchTooLarge(NotDelivering):
    """The receiver wants smaller batches (413): split, push the parts under ids of their own."""

    code = "batch-too-large"


class ConsentChanged(NotDelivering):
    """Consent was lowered, or the link ended, while a run was at work."""

    code = "consent-changed"


class SourceError(AgentError):
    """A source gave nothing this tick. `reason` is a short code that may leave the building, never text.

    It is the error's `code` too.
    """

    def __init__(self, reason: str, what: str, *, why: str = "", do: str = "") -> None:
        super().__init__(what, why=why, do=do)
        self.reason = self.code = reason


class UsageError(AgentError):
    """The command cannot do what was asked."""

    exit_code = 2
    code = "usage"


class Degraded(AgentError):
    """The command did part of its work."""

    code = "degraded"
