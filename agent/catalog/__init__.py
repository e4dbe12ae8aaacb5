"""What may be read and what may leave, as data: TOML entries and `.sql` files, never Python.

In:   `common/` and one folder a product: `*.toml` with [[metric]] tables, `guardrails/*.sql` (one row each),
      `listings/*.sql` (many rows each), `estimates/*.sql` (explained, never run), `public_apps.toml`.
Out:  a `Catalog`: each metric with unit, kind, category, consent level, data type and a rule for each tag.
      A field without a class is a fault: the catalog does not load and the wheel is not built.
"""

from agent.catalog.check import check_all
from agent.catalog.load import CatalogError, load_catalog, products
from agent.catalog.model import (
    CLUSTER_SOURCES,
    Catalog,
    DataType,
    Estimate,
    Every,
    FolderBinding,
    FolderFigure,
    HomeFact,
    HomeFolder,
    JmxBinding,
    JoinedQuery,
    Merge,
    Metric,
    NullMeans,
    Planned,
    RestBinding,
    SqlBinding,
    SqlQuery,
    TagRule,
    TagTreatment,
    Threshold,
    ThresholdState,
    Unpack,
    is_cluster_wide,
)

__all__ = [
    "CLUSTER_SOURCES",
    "Catalog",
    "CatalogError",
    "DataType",
    "Estimate",
    "Every",
    "FolderBinding",
    "FolderFigure",
    "HomeFact",
    "HomeFolder",
    "JmxBinding",
    "JoinedQuery",
    "Merge",
    "Metric",
    "NullMeans",
    "Planned",
    "RestBinding",
    "SqlBinding",
    "SqlQuery",
    "TagRule",
    "TagTreatment",
    "Threshold",
    "ThresholdState",
    "Unpack",
    "check_all",
    "is_cluster_wide",
    "load_catalog",
    "products",
]
