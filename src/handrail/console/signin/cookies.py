"""The cookies of sign-in. Over https each is named `__Host-...`, so that no other host and no other path can set one.

All are HttpOnly and SameSite=Lax: no script reads them, and another site's form does not carry them.
"""

from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from starlette.types import Scope

SESSION = "handrail"
BROWSER = "handrail-browser"
"""Of one browser, for a year: ties the steps of a sign-in together, and tells it from a stranger's."""
YEAR_S = 365 * 86_400


@dataclass(frozen=True, slots=True)
class Cookies:
    """`secure`: the console is reached over https."""

    secure: bool

    def name(self, which: str) -> str:
        return f"__Host-{which}" if self.secure else which

    def read(self, scope: Scope, which: str) -> str:
        """Empty when there is none, or more than one: then one of them was planted."""
        wanted, found = self.name(which), []
        for name, value in scope["headers"]:
            if name != b"cookie":
                continue
            for part in value.decode("latin-1").split(";"):
                key, equals, text = part.strip().partition("=")
                if equals and key == wanted:
                    found.append(text.strip('"'))
        return found[0] if len(found) == 1 and len(found[0]) <= 200 else ""

    def written(self, which: str, value: str, *, max_age_s: int | None = None) -> bytes:
        """The value of a `set-cookie` header. `max_age_s` None: until the browser closes; 0: forget it."""
        jar: SimpleCookie = SimpleCookie()
        name = self.name(which)
        try:
            jar[name] = value
        except CookieError:
            raise ValueError("not a name of a cookie") from None
        jar[name]["path"] = "/"
        jar[name]["httponly"] = True
        jar[name]["samesite"] = "Lax"
        if self.secure:
            jar[name]["secure"] = True
        if max_age_s is not None:
            jar[name]["max-age"] = max_age_s
        return jar[name].OutputString().encode("latin-1")
