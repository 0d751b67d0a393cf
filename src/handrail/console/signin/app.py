"""The addresses of sign-in, beside the table of pages: they deal in cookies, and are open to who is not signed in yet.

GET changes nothing but for one: the provider sends the visitor back by GET (`/sign-in/provider/back`), and what it
brings counts once, in the browser that asked.
"""

from starlette.routing import Route

from handrail.console.signin.account_pages import AccountPages
from handrail.console.signin.again import Again
from handrail.console.signin.demo import DemoPages
from handrail.console.signin.desk import Desk, Endpoint
from handrail.console.signin.enter import Enter
from handrail.console.signin.passkey_pages import PasskeyPages
from handrail.console.signin.provider_pages import Provider, ProviderPages


def routes(desk: Desk, *, provider: Provider | None = None, demo: bool = False) -> list[Route]:
    """`provider`: where the home names one. `demo`: whether this database is the demo's own, and this console is
    reached on this machine alone."""
    enter, again, account = Enter(desk, demo=demo), Again(desk), AccountPages(desk)
    keys = PasskeyPages(desk, again)
    found = [
        _get("/sign-in", desk.endpoint(enter.sign_in)),
        _post("/sign-in", desk.endpoint(enter.try_password)),
        _get("/sign-in/second", desk.endpoint(enter.second)),
        _post("/sign-in/second", desk.endpoint(enter.try_second)),
        _get("/sign-in/set-up", desk.endpoint(enter.set_up)),
        _post("/sign-in/set-up", desk.endpoint(enter.show_app)),
        _get("/sign-in/link", desk.endpoint(enter.link)),
        _post("/sign-in/link", desk.endpoint(enter.use_link)),
        _get("/sign-in/again", desk.endpoint(again.ask)),
        _post("/sign-in/again", desk.endpoint(again.confirm)),
        _get("/sign-in/continue", desk.endpoint(again.go_on)),
        _post("/sign-in/passkey/ask", desk.endpoint(keys.ask, api=True)),
        _post("/sign-in/passkey", desk.endpoint(keys.show, api=True)),
        _post("/sign-out", desk.endpoint(enter.sign_out)),
        _get("/account", desk.endpoint(account.account)),
        _post("/account/sessions/end", desk.endpoint(account.end_session)),
        _post("/account/password", desk.endpoint(account.password)),
        _post("/account/app", desk.endpoint(account.app)),
        _post("/account/app/add", desk.endpoint(account.add_app)),
        _post("/account/app/remove", desk.endpoint(account.remove_app)),
        _post("/account/recovery", desk.endpoint(account.recovery)),
        _post("/account/passkeys/ask", desk.endpoint(keys.ask_new, api=True)),
        _post("/account/passkeys", desk.endpoint(keys.add, api=True)),
        _post("/account/passkeys/remove", desk.endpoint(account.remove_passkey)),
        _post("/account/taste", desk.endpoint(account.taste)),
    ]
    if provider is not None:
        pages = ProviderPages(desk, provider, enter, again)
        found += [
            _post("/sign-in/provider", desk.endpoint(pages.leave)),
            _get("/sign-in/provider/back", desk.endpoint(pages.back)),
            _post("/sign-in/provider/logout", desk.endpoint(pages.left, api=True)),
        ]
    if demo:
        demos = DemoPages(desk)
        found += [_get("/sign-in/demo", desk.endpoint(demos.choose)), _post("/sign-in/demo", desk.endpoint(demos.be))]
    return found


def _get(path: str, endpoint: Endpoint) -> Route:
    return Route(path, endpoint, methods=["GET"])


def _post(path: str, endpoint: Endpoint) -> Route:
    return Route(path, endpoint, methods=["POST"])
