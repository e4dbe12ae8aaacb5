"""Fourth stage: the only door. What leaves the building is built here, from what the owner allowed.

In:   HourlyAggregates, the catalog, the owner's Consent, the instance's Pseudonyms.
Out:  `Filtered`: ConsentedRecords, and what was withheld with the rule that kept it. Without a rule nothing leaves.
The same rules are asked once before: `Concealer` hashes and drops names in a tick before it is stored.
"""

from agent.consent.conceal import Concealer
from agent.consent.explain import Verdict, explain, explain_metric
from agent.consent.filter import Filtered, consented
from agent.consent.rules import Kept, attribute_out, figure_out
from agent.pseudonym import NoPseudonyms, Pseudonyms

__all__ = [
    "Concealer",
    "Filtered",
    "Kept",
    "NoPseudonyms",
    "Pseudonyms",
    "Verdict",
    "attribute_out",
    "consented",
    "explain",
    "explain_metric",
    "figure_out",
]
