"""`console` in `handrail.yaml`: each mistake with its place, and what a good one means to the console."""

import pytest
from fakes.home import CHAT, HANDRAIL, home

from handrail.home.bootstrap import bootstrap
from handrail.home.check import check

MARK = "¤"
GOOD = """\
console:
  public_url: https://console.shop.example
  sign_in:
    idle_minutes: 15
    most_hours: 8
    fresh_minutes: 10
    fresh_above: 250.50
    second_factor: [admin]
    oidc:
      name: Shop ID
      issuer: https://id.shop.example
      client_id: handrail
      secret_env: OIDC_SECRET
      hosts: [https://keys.shop.example]
      groups: {cx-leads: [owner, approver]}
      create: true
"""
ROWS = [
    ("console.public_url", "https://console.shop.example", "¤console.shop.example", "not an address of a console"),
    (
        "console.public_url",
        "https://console.shop.example",
        "¤https://console.shop.example/handrail",
        "not an address of a console",
    ),
    ("console.clear", "https://console.shop.example", "¤http://console.shop.example", "in clear"),
    (
        "sign_in.lengths",
        "idle_minutes: 15\n    most_hours: 8",
        "idle_minutes: ¤90\n    most_hours: 1",
        "idle for longer",
    ),
    ("value.range", "idle_minutes: 15", "idle_minutes: ¤4", ""),
    ("oidc.address", "issuer: https://id.shop.example", "issuer: ¤id.shop.example", "not an address"),
    ("oidc.clear", "issuer: https://id.shop.example", "issuer: ¤http://id.shop.example", "in clear"),
    ("oidc.private", "issuer: https://id.shop.example", "issuer: ¤https://10.0.0.7", "private network"),
    ("oidc.never", "issuer: https://id.shop.example", "issuer: ¤http://169.254.169.254", "never called"),
    ("oidc.private", "[https://keys.shop.example]", "[¤https://keys.internal]", "private network"),
    ("oidc.secret", "secret_env: OIDC_SECRET\n", "secret_env: OIDC_SECRET\n      ¤secret_file: x\n", "both given"),
    ("oidc.public_url", "  public_url: https://console.shop.example\n", "", "where to send people back"),
    ("oidc.scopes", "create: true", "create: true\n      scopes: ¤[email]", "openid is missing"),
    ("oidc.create", "groups: {cx-leads: [owner, approver]}\n      create", "¤create", "without groups"),
    ("oidc.admin", "[owner, approver]", "¤[owner, admin]", "make admins by itself"),
    ("oidc.roles", "[owner, approver]", "¤[owner, auditor]", "an auditor cannot also be owner"),
    ("value.choice", "[owner, approver]", "[owner, ¤aprover]", "approver"),
    ("field.unknown", "create: true", "¤creates: true", "create"),
]


def found(extra: str) -> list[tuple[str, int, int, str]]:
    texts = {"handrail.yaml": HANDRAIL + extra, "use-cases/chat.yaml": CHAT}
    return [(each.code, each.line, each.column, str(each)) for each in check(home(texts))]


def test_a_good_console_has_no_mistake_and_says_what_it_means() -> None:
    assert found(GOOD) == []
    boot = bootstrap(home({"handrail.yaml": HANDRAIL + GOOD}))
    said = boot.sign_in
    assert boot.console_url == "https://console.shop.example"
    assert (said.idle_ms, said.most_ms, said.fresh_ms) == (900_000, 28_800_000, 600_000)
    assert said.fresh_above_minor == 25_050
    assert said.time_zone == "Europe/Berlin", "times of sign-in are those of the other pages"
    assert said.second_factor == ("admin",)
    assert said.oidc is not None
    assert said.oidc.groups == {"cx-leads": ("owner", "approver")}
    assert said.organisation == "Example Shop"
    plain = bootstrap(home()).sign_in
    assert plain.second_factor == ("approver", "admin")
    assert plain.oidc is None


@pytest.mark.parametrize(("code", "old", "new", "says"), ROWS)
def test_a_mistake_is_found_at_its_place_and_says_how_to_mend_it(code: str, old: str, new: str, says: str) -> None:
    assert old in GOOD
    text = GOOD.replace(old, new)
    told = [each for each in found(text.replace(MARK, "")) if each[0] == code and says in each[3]]
    assert told, found(text.replace(MARK, ""))
    if MARK in text:
        before = (HANDRAIL + text).split(MARK)[0]
        place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
        assert place in [(line, column) for _, line, column, _ in told], told
