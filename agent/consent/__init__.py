"""Fourth stage: the only door. What leaves the building is built here, from what the owner allowed.

In:   Rows, the `Rules` of the catalog, the owner's level and the instance's Pseudonyms.
Out:  ConsentedRecords one at a time, and what was withheld with the rule. Without a rule nothing leaves.
The same rules are asked once before: `Concealer` hashes and drops names in a tick before it is stored.
"""

from agent.consent.align import Material, align_names, snapshot_renamed
from agent.consent.conceal import Concealer
from agent.consent.explain import Explanation, explain, explain_metric
from agent.consent.filter import Door
from agent.consent.rules import Leaves, Part, Rules, Stays
from agent.pseudonym import KeyAway, NoPseudonyms, Pseudonyms

__all__ = [
    "Concealer",
    "Door",
    "Explanation",
    "KeyAway",
    "Leaves",
    "Material",
    "NoPseudonyms",
    "Part",
    "Pseudonyms",
    "Rules",
    "Stays",
    "align_names",
    "explain",
    "explain_metric",
    "snapshot_renamed",
]
