"""A licence with names in it beside a whole agent: SEN and kind arrive, and nobody's name is anywhere."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.support.agent import arrived, running_agent
from tests.support.cloud import receiver
from tests.support.licences import PLANTED, licence_text
from tests.support.planting import stored_bytes


def test_of_a_licence_only_the_list_is_kept(tmp_path: Path) -> None:
    """From the product's table to the sealed batch: the list is there; store, log and receiver hold no more of it."""
    with receiver(tmp_path / "cloud") as cloud, running_agent(tmp_path, cloud) as agent:
        assert agent.database.sqlite_file is not None
        connection = sqlite3.connect(agent.database.sqlite_file)
        connection.execute("delete from productlicense")
        connection.execute("insert into productlicense values (1, ?)", (licence_text(),))
        connection.commit()
        connection.close()
        agent.link("extended")
        agent.start(ticks=2)
        agent.wait(lambda: "licence.sen" in repr(arrived(cloud)))
        agent.stop()
        shown = [agent.run("explain", name).stdout for name in ("licence.sen", "licence.kind")]
        sample = agent.run("sample").stdout
        batches = arrived(cloud)
        kept = [*stored_bytes(agent.state), agent.log_text().encode(), repr(batches).encode(), sample.encode()]
        kept += [text.encode() for text in shown]
    entries = {entry["metricName"]: entry for batch in batches for entry in batch["entries"]}
    assert entries["licence.sen"]["attributes"]["value"] == "SEN-12345678"
    assert entries["licence.kind"]["attributes"]["data_center"] == "true"
    assert entries["licence.users"]["attributes"]["last"] == 2000
    assert "SEN-12345678" in shown[0]
    for word in (*PLANTED, licence_text()[:40]):
        assert not [text for text in kept if word.encode() in text], word
