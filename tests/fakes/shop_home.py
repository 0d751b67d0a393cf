"""A home with the starter's tools and rules switched on, as text."""

from importlib import resources

from fakes.home import CHAT, home
from handrail.home.text import HomeText

UC = "use-cases/chat.yaml"
TOOLS, RULES, CASES = "tools/shop.yaml", "rules/shop.yaml", "rules/shop.test.yaml"


def switched_on(name: str) -> str:
    """A file of the starter without its header and the first two characters of every line."""
    text = (resources.files("handrail.home") / "starter" / name).read_text(encoding="utf-8")
    return "\n".join(line[2:] for line in text.split("\n")[3:])


SHOP: dict[str, str] = {
    UC: CHAT.replace("  read:", "  money: {risk: R3, autonomy: A3}\n  read:")
    + "mode: enforce\ntools: [get_customer, get_order, refund_order]\n",
    **{name: switched_on(name) for name in (TOOLS, RULES, CASES)},
}


def shop_home(texts: dict[str, str] | None = None) -> HomeText:
    """A good home with tools and rules, `texts` over it."""
    return home({**SHOP, **(texts or {})})
