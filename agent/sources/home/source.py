"""What the product's own files say of the instance: version, build, base URL, server ID, cluster or not, licence.

In:   the product's homes and installation, read anew at each tick: an upgrade changes them.
Out:  Samples of the catalog's entries; what the files do not tell is "not-present". SourceError when the home cannot be
      read.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from agent.catalog import Catalog, DataType, Metric
from agent.errors import ConfigError, SourceError
from agent.model import Failure, Kind, Reading, Sample, Series
from agent.product.homes.dispatch import read_node
from agent.product.homes.formats import Malformed
from agent.product.homes.home_files import DO_READ, raise_barred
from agent.product.homes.licence_text import read_home_licence
from agent.product.homes.webapp import read_webapp_version
from agent.product.instance.licence import Licence, UnreadableLicence, licence_words
from agent.product.model import Clustering, NodeFacts
from agent.reasons import NOT_PRESENT, NOT_SUPPORTED
from agent.settings import InCluster
from agent.sources.base import clean_text, clean_url, no_time
from agent.sources.home.binding import LICENCE, LICENCE_ATTRIBUTES, HomeBinding, HomeFact
from agent.sources.opening import Opening

NAME = "home"
NOT_READABLE = "not-readable"


class Home:
    """The entries of the catalog that name a fact of the product's files."""

    name = NAME

    def __init__(
        self,
        catalog: Catalog,
        read: Callable[[], NodeFacts],
        version: Callable[[], str],
        licence: Callable[[], Licence | None] | None = None,
    ) -> None:
        """`licence` None: its text is not to be read."""
        entries = catalog.of_source(NAME)
        self._licence_metrics = tuple(metric for metric in entries if _fact(metric).startswith(LICENCE))
        self._metrics = tuple(metric for metric in entries if metric not in self._licence_metrics)
        self._read = read
        self._version = version
        self._licence = licence

    def read(self, deadline_s: float) -> Reading:
        """One sample for each fact that the files tell."""
        if deadline_s <= 0:
            raise no_time("The product's files were not read.")
        try:
            facts = self._read()
        except ConfigError as error:
            mistakes = "; ".join(str(mistake) for mistake in error.mistakes)
            raise SourceError(NOT_READABLE, error.what, why=mistakes or error.why, do=error.do) from None
        if facts.files and not any(os.path.lexists(file) for file in facts.files):
            why = f"None of them is there: {', '.join(str(file) for file in facts.files)}"
            do = "Mount the home, or name the right one in [instance] home."
            raise SourceError(NOT_READABLE, "The product's files cannot be read.", why=why, do=do)
        if facts.unread:
            raise_barred(facts.unread)
            why = "; ".join(str(mistake) for mistake in facts.unread)
            raise SourceError(NOT_READABLE, "The product's files cannot be read.", why=why, do=DO_READ)
        samples: list[Sample] = []
        failures: list[Failure] = []
        for metric in self._metrics:
            words = self._words(metric, facts)
            if words:
                samples.append(Sample(Series(NAME, metric.name), words))
            else:
                failures.append(Failure(metric.name, NOT_PRESENT, "the product's files do not tell it"))
        self._add_licence(samples, failures)
        return Reading(tuple(samples), tuple(failures))

    def _add_licence(self, samples: list[Sample], failures: list[Failure]) -> None:
        """What is kept of the licence; without one, the reason for each of its entries."""
        if not self._licence_metrics:
            return
        licence, reason, why = self._read_licence()
        words = {} if licence is None else licence_words(licence)
        for metric in self._licence_metrics:
            key = _fact(metric).removeprefix(LICENCE).replace("-", "_")
            if key not in words:
                failures.append(Failure(metric.name, reason, why))
                continue
            value = int(words[key]) if metric.kind is Kind.GAUGE else words[key]
            known = sorted(words.items()) if _fact(metric) is HomeFact.LICENCE_KIND else []
            attributes = tuple((name, word) for name, word in known if name in LICENCE_ATTRIBUTES)
            samples.append(Sample(Series(NAME, metric.name), value, attributes))

    def _read_licence(self) -> tuple[Licence | None, str, str]:
        """The licence, and why an entry of it is missing."""
        if self._licence is None:
            return None, NOT_PRESENT, "[instance] licence = false"
        try:
            licence = self._licence()
        except UnreadableLicence as error:
            return None, NOT_SUPPORTED, f"the licence text cannot be decoded: {error}"
        except (OSError, Malformed):
            # What is wrong with the file is told by the reader of the home, for all that it holds.
            return None, NOT_READABLE, "the file that holds it cannot be read"
        return (
            licence,
            NOT_PRESENT,
            "the product's file holds no licence" if licence is None else "the licence does not say it",
        )

    def close(self) -> None:
        """Nothing is held open."""

    def _words(self, metric: Metric, facts: NodeFacts) -> str:
        binding = metric.bound(HomeBinding)
        words = "" if binding is None else clean_text(self._text(binding.fact, facts)).strip()
        return clean_url(words) if metric.data_type is DataType.URL else words

    def _text(self, fact: HomeFact, facts: NodeFacts) -> str:
        if fact is HomeFact.VERSION:
            return self._version()
        if fact is HomeFact.CLUSTERED:
            return "" if facts.clustering is Clustering.UNKNOWN else facts.clustering.value
        texts = {HomeFact.BUILD: facts.build, HomeFact.BASE_URL: facts.base_url, HomeFact.SERVER_ID: facts.server_id}
        return texts[fact]


def _fact(metric: Metric) -> str:
    binding = metric.bound(HomeBinding)
    return "" if binding is None else binding.fact


def open_source(opening: Opening) -> Home:
    """The files of this instance; the installation is what `[clientside] install` names."""
    instance, install = opening.settings.instance, opening.settings.clientside.install

    def read() -> NodeFacts:
        facts = read_node(instance.product, instance.home, instance.shared_home)
        said = instance.cluster is not InCluster.AUTO
        return replace(facts, clustering=Clustering(instance.cluster.value)) if said else facts

    return Home(
        opening.catalog,
        read,
        lambda: "" if install is None else read_webapp_version(instance.product, install),
        (lambda: read_home_licence(instance.product, instance.home, instance.shared_home))
        if instance.licence
        else None,
    )
