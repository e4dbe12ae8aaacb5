"""The licence text of the products that keep it in their configuration file: Confluence, Bamboo and Crowd.

In:   product and homes. Out: what is kept of the licence; None when the file holds none. The text itself stays here.
Raise: OSError and Malformed for a file that cannot be read, UnreadableLicence for a text that cannot be decoded.
"""

from __future__ import annotations

import os
from pathlib import Path

from agent.product.homes import bamboo, confluence, crowd
from agent.product.homes.formats import read_elements, read_octets
from agent.product.instance.licence import Licence, decode_licence
from agent.settings import ProductType

# File and property, the usual place first.
_PLACES = {
    ProductType.CONFLUENCE: ((confluence.FILE, "atlassian.license.message"),),
    ProductType.BAMBOO: ((bamboo.FILE, "license.string"),),
    ProductType.CROWD: ((f"shared/{crowd.FILE}", "license"), (crowd.FILE, "license")),
}


def read_home_licence(product: ProductType, home: Path, shared_home: Path) -> Licence | None:
    """The licence that the product's own file holds."""
    for name, key in _PLACES.get(product, ()):
        path = shared_home / crowd.FILE if name.startswith("shared/") else home / name
        if not os.path.lexists(path):
            continue
        element = f"properties/property[{key}]"
        text = read_elements(read_octets(path), "", {element}).get(element, "")
        if text.strip():
            return decode_licence(text, product.value)[0]
    return None
