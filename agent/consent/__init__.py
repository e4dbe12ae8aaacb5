"""Fourth stage: the only door. What leaves the building is built here, from what the owner allowed.

In:   HourlyAggregates, the catalog, the owner's Consent, the instance's Pseudonyms.
Out:  `Filtered`: ConsentedRecords, and what was withheld with the rule that kept it. Without a rule nothing leaves.
"""

from agent.consent.explain import Verdict, explain, explain_metric
from agent.consent.filter import Filtered, consented
from agent.consent.pseudonym import Pseudonyms

__all__ = ["Filtered", "Pseudonyms", "Verdict", "consented", "explain", "explain_metric"]
