"""Linking: a pasted security key becomes a confirmed link, kept sealed in the shared home.

In:   a pasted key, the owner's consent, and a `CloudClient` for the handshake.
Out:  `<shared home>/portfolio-agent/link.json` (sealed key, organisation, consent) and its master key file.
      Delivery reads `read_link` and, when it sends, `reveal_key`, both with `owners=trusted_owners(state folder)`, so
      that root believes the service account's files. Missing means not linked: nothing is sent.
Import: nothing here loads cryptography before a key is sealed or opened, so `status` and the daemon may read the link.
"""

from agent.link.record import LinkRecord, key_warning, read_link, reveal_key, warning_days
from agent.system.private_file import trusted_owners

__all__ = ["LinkRecord", "key_warning", "read_link", "reveal_key", "trusted_owners", "warning_days"]
