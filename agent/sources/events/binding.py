"""Events have a name in the catalog like any source, and no `source.py`: nothing is opened for them."""

from __future__ import annotations

from agent.catalog.declaration import SourceDeclaration

DECLARATION = SourceDeclaration(
    names={"events": "comparing what was read with what was read before"}, order=90, noticed=True
)
