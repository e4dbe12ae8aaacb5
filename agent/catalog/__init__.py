"""What may be read and what may leave, as data: TOML entries and `.sql` files, never Python.

In:   `common/` and one folder a product: `*.toml` with [[metric]] tables, `guardrails/*.sql` (one row each),
      `listings/*.sql` (many rows each), `tables.toml` (how its tables are spelt), `public_apps.toml`.
      `parse.py` reads them, `dialects.py` says each statement to every database, `compile.py` packs the whole; what
      runs loads only that (`compiled.py`).
Out:  a `Catalog`: each metric with unit, kind, category, consent level, data type and a rule for each tag.
      A field without a class is a fault: the catalog does not load and the wheel is not built.
"""

from agent.catalog.binding import Binding, JoinedQuery, Merge, SqlBinding
from agent.catalog.compiled import load_catalog, products
from agent.catalog.declaration import SourceDeclaration, cluster_sources, declared_sources
from agent.catalog.errors import CatalogError
from agent.catalog.model import (
    Catalog,
    DataType,
    Estimate,
    Every,
    Metric,
    NullMeans,
    Planned,
    SqlQuery,
    TagRule,
    TagTreatment,
    Threshold,
    ThresholdState,
    Unpack,
)

__all__ = [
    "Binding",
    "Catalog",
    "CatalogError",
    "DataType",
    "Estimate",
    "Every",
    "JoinedQuery",
    "Merge",
    "Metric",
    "NullMeans",
    "Planned",
    "SourceDeclaration",
    "SqlBinding",
    "SqlQuery",
    "TagRule",
    "TagTreatment",
    "Threshold",
    "ThresholdState",
    "Unpack",
    "cluster_sources",
    "declared_sources",
    "load_catalog",
    "products",
]
