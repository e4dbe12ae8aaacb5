"""What may be read and what may leave, as data: TOML entries and `.sql` files, never Python.

In:   `common/` and one folder a product: `*.toml` with [[metric]] tables, `guardrails/*.sql` (one row each),
      `listings/*.sql` (many rows each), `tables.toml` (how its tables are spelt), `public_apps.toml`.
      `parse.py` reads them, `dialects.py` says each statement to every database, `compile.py` packs the whole; what
      runs loads only that (`compiled.py`).
Out:  a `Catalog`: each metric with unit, kind, category, consent level, data type and a rule for each tag.
      A field without a class is a fault: the catalog does not load and the wheel is not built.
"""

from agent.catalog.compiled import load_catalog, products
from agent.catalog.errors import CatalogError
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
    "is_cluster_wide",
    "load_catalog",
    "products",
]
