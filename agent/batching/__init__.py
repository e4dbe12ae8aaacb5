"""Fifth stage: consented records become sealed batches in the outbox, in order.

In:   ConsentedRecords of one hour, who they are about, under which consent.
Out:  `Batch`: bytes that never change again under an id derived from them; they wait in `store.outbox`.
`reseal` keeps the outbox within the present consent; `split` halves a batch the receiver finds too large.
"""

from agent.batching.refilter import Resealed, reseal
from agent.batching.seal import document_bytes, open_document, render_entry, render_instant, seal, split

__all__ = [
    "Resealed",
    "document_bytes",
    "open_document",
    "render_entry",
    "render_instant",
    "reseal",
    "seal",
    "split",
]
