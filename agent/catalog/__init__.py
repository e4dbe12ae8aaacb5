"""What may be read and what may leave, as data: TOML entries and `.sql` files, never Python.

In:   `common/` and one folder a product: `*.toml` with [[metric]] tables, `guardrails/*.sql` (one row each),
      `listings/*.sql` (many rows each), `estimates/*.sql` (explained, never run), `public_apps.toml`.
Out:  a `Catalog`: each metric with unit, kind, category, consent level, data type and a rule for each tag.
      A field without a class is a fault: the catalog does not load and the wheel is not built.
"""

from agent.catalog.binding import Binding, JoinedQuery, Merge, SqlBinding
from agent.catalog.check import check_all
from agent.catalog.declaration import SourceDeclaration, cluster_sources, declared_sources
from agent.catalog.load import CatalogError, load_catalog, products
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
    "check_all",
    "cluster_sources",
    "declared_sources",
    "load_catalog",
    "products",
]
