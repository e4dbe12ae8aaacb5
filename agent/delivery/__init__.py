"""Sixth stage: sealed batches leave, by push (linked) or in a bundle (offline), and by no other way.

In:   `Batch`es from the outbox. Out: acknowledgements in the store, rows in the ledger, zip files.
Push:   `delivery.http.open_client`, `delivery.push.push_waiting`   (imports h11, ssl: hourly child and commands)
Bundle: `delivery.bundle.write_bundle`                              (standard library only)
The modules are imported by name, so that whoever needs one does not pay for the other.
"""

__all__: list[str] = []
