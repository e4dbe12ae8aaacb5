"""A proxy's address is read by one function, for `config check` and for the connection."""

from __future__ import annotations

import pytest

from agent.net.options import Proxy
from agent.settings.address import ProxyAddress, parse_proxy, proxy_problem

GOOD = {
    "http://proxy.example.com": ProxyAddress("proxy.example.com", 3128, False, None),
    "http://proxy.example.com:8080": ProxyAddress("proxy.example.com", 8080, False, None),
    "http://proxy.example.com:80/": ProxyAddress("proxy.example.com", 80, False, None),
    "https://proxy.example.com": ProxyAddress("proxy.example.com", 443, True, None),
    "https://proxy.example.com:3129": ProxyAddress("proxy.example.com", 3129, True, None),
    "http://[2001:db8::1]:3128": ProxyAddress("2001:db8::1", 3128, False, None),
    "http://192.0.2.7:3128": ProxyAddress("192.0.2.7", 3128, False, None),
    "http://svc@proxy.example.com": ProxyAddress("proxy.example.com", 3128, False, "svc"),
    "http://CORP%5Csvc@proxy.example.com": ProxyAddress("proxy.example.com", 3128, False, "CORP\\svc"),
    "http://CORP\\svc@proxy.example.com": ProxyAddress("proxy.example.com", 3128, False, "CORP\\svc"),
    "http://svc%40corp.example@proxy.example.com": ProxyAddress("proxy.example.com", 3128, False, "svc@corp.example"),
    "http://svc@corp.example@proxy.example.com": ProxyAddress("proxy.example.com", 3128, False, "svc@corp.example"),
    "http://a%20b%3Dc%25@proxy.example.com": ProxyAddress("proxy.example.com", 3128, False, "a b=c%"),
    "http://50%@proxy.example.com": ProxyAddress("proxy.example.com", 3128, False, "50%"),
}
BAD = {
    "proxy.example.com:3128": "http:// or https://",
    "socks5://proxy.example.com": "http:// or https://",
    "http://svc:canary@proxy.example.com": "password",
    "http://svc:@proxy.example.com": "password",
    "http://svc%3Acanary@proxy.example.com": "colon",
    "http://canary%0Aa@proxy.example.com": "control",
    "http://canary%00@proxy.example.com": "control",
    "http://canary%FF@proxy.example.com": "UTF-8",
    "http://@proxy.example.com": "empty user",
    "http://proxy.example.com/canary.pac": "path",
    "http://proxy.example.com?canary": "query",
    "http://proxy.example.com#canary": "query or fragment",
    "http://proxy.example.com:0": "not an address",
    "http://proxy.example.com:70000": "not an address",
    "http://proxy.example.com:canary": "not an address",
    "http://[canary]:3128": "not an address",
    "http://": "not an address",
}


@pytest.mark.parametrize("text", GOOD)
def test_every_form_a_site_writes(text: str) -> None:
    """Host, port (3128, or 443 for TLS), TLS and user, percent-codes of the user read as in any URL."""
    assert proxy_problem(text) is None
    assert parse_proxy(text) == GOOD[text]


@pytest.mark.parametrize("text", BAD)
def test_what_is_refused_is_said_without_repeating_it(text: str) -> None:
    """Each other form is refused in words that do not hold what may be a password."""
    problem = proxy_problem(text)
    assert problem is not None
    assert BAD[text] in problem
    assert "canary" not in problem
    with pytest.raises(ValueError, match=r".") as caught:
        parse_proxy(text)
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://[2001:db8::1]:3128", "[2001:db8::1]:3128"),
        ("https://[::1]", "[::1]:443"),
        ("http://192.0.2.1", "192.0.2.1:3128"),
        ("http://proxy.example.com:80", "proxy.example.com:80"),
    ],
)
def test_a_proxy_is_shown_as_one_writes_it(text: str, shown: str) -> None:
    """Host and port can be told apart, by the check and by the connection's own words."""
    found = parse_proxy(text)
    assert str(found) == str(Proxy(found.host, found.port)) == shown
