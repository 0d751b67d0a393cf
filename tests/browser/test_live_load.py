"""Many changes, many open pages, cut connections and a killed console: the short form of `bench/console_live.py`."""

import pytest
from browser_site import Site
from live_load import measure
from playwright.sync_api import Browser


@pytest.mark.promise("CSF-7")
def test_no_row_is_lost_or_doubled_under_many_changes_cuts_and_a_restart(own: Site, browser: Browser) -> None:
    found = measure(own, browser, seconds=8, per_second=100, contexts=3, readers=10)
    assert not found.wrong, found.wrong
    assert found.changes >= 600
    assert found.held >= 5
    assert found.signals
    assert max(found.signals.values()) <= 2, found.signals
    assert found.rates["interactions"] > 0.5, found.rates
    assert max(found.rates.values()) <= 2, found.rates
