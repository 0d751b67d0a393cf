# ruff: noqa: E501  a table reads best with one row on a line
"""Every kind of mistake in a home: its code, its place and its message.

Each row changes a good home. `¤` stands where the mistake is expected to be found (it is taken out before reading), so
that file, line and column are checked, and the row stays readable.
"""

from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from fakes.home import CHAT, HANDRAIL, home

from handrail.home.check import check, look
from handrail.home.mistake import Mistake
from handrail.home.notes import notes
from handrail.home.parameters import DOCUMENTED
from handrail.home.read import read
from handrail.home.text import HomeText
from handrail.policy.ruleset import Dialect

MARK = "¤"
TOP, UC = "handrail.yaml", "use-cases/chat.yaml"
GOOD = {TOP: HANDRAIL, UC: CHAT}


class Row(NamedTuple):
    """`old` is replaced by `new` in `file` (old empty: `new` is put at the end)."""

    code: str
    file: str
    old: str
    new: str
    says: str


ROWS = [
    # --- YAML
    Row("yaml.syntax", UC, "channels: [chat]", "channels: [chat\naudience¤: customer", "what began on line 4 is not closed"),
    Row("yaml.syntax", UC, "name: Chat", "name: ¤@chat", "cannot start any token"),
    Row("yaml.syntax", UC, "  read:", "¤\tread:", "a tab is used to indent; use spaces"),
    Row("yaml.syntax", UC, "", "¤---\nid: other\n", "a second document starts here"),
    Row("yaml.syntax", UC, "name: Chat", "name: ¤*other", "aliases (*name) are not supported"),
    Row("yaml.alias", UC, "channels: [chat]", "channels: ¤&c [chat]\nlinks_allowed: *c", "aliases (*name) are not supported"),
    Row("yaml.syntax", UC, CHAT, f"¤%YAML 1.1\n---\n{CHAT}", "another version of YAML is asked for"),
    Row("yaml.alias", UC, "name: Chat", "name: ¤&n Chat\n*n : other", "aliases (*name) are not supported"),
    Row("yaml.anchor", UC, "name: Chat\n", "name: &n Chat\nmode: ¤&n observe\n", "the anchor &n stands here twice; first on line 2"),
    Row("yaml.anchor", UC, "name: Chat\n", "name: &n Chat\n¤&n mode: observe\n", "the anchor &n stands here twice; first on line 2"),
    Row("yaml.merge", UC, "  read: {", "  read: {¤<<: {risk: R1}, ", "merge keys (<<) are not supported"),
    Row("yaml.tag", UC, "name: Chat", "name: ¤!text Chat", "tags (!name) are not supported"),
    Row("yaml.repeated", UC, "name: Chat", "name: Chat\n¤name: Chat 2", '"name" stands here twice; first on line 2'),
    Row("yaml.key", UC, "name: Chat", "name: Chat\n¤[a, b]: c", "a key must be one word"),
    Row("text.forbidden", UC, "name: Chat", "name: Ch¤\u202eat", "the character U+202E is not allowed"),
    Row("text.forbidden", UC, "name: Chat", "name: Chat¤\x07", "the character U+0007 is not allowed"),
    # --- form
    Row("file.empty", UC, CHAT, "¤", "use-cases/chat.yaml is empty"),
    Row("file.empty", TOP, HANDRAIL, "¤# nothing\n", "handrail.yaml is empty"),
    Row("value.type", UC, CHAT, "¤- a list", "the file cannot be a list"),
    Row("field.missing", UC, "purpose: Answers questions about orders.\n", "", '"purpose" is missing; expected a text'),
    Row("field.missing", UC, "model:\n  route: [openai/gpt-4.1]", "¤model:\n  parameters: {}", '"route" is missing in model'),
    Row("field.missing", TOP, "  owner: ada@shop.example\n", "", '"owner" is missing'),
    Row("field.unknown", UC, "name: Chat", "name: Chat\n¤langages: [en]", '"langages" does not exist; did you mean "languages"?'),
    Row("field.unknown", UC, "  route:", "  ¤rout: [x]\n  route:", 'in model; did you mean "route"?'),
    Row("value.empty", UC, "name: Chat", "name:¤", '"name" is empty; expected a text'),
    Row("value.empty", UC, "name: Chat", 'name: ¤"  "', '"name" is empty'),
    Row("value.type", UC, "channels: [chat]", "channels: ¤chat", '"channels" cannot be "chat"; expected a list'),
    Row("value.type", UC, "name: Chat", "name: ¤[Chat]", '"name" cannot be a list'),
    Row("value.type", UC, "name: Chat", "name: ¤{a: b}", '"name" cannot be a mapping'),
    Row("value.type", UC, "", "forward_customer: ¤'yes'\n", 'cannot be "yes"; expected true or false'),
    Row("value.quotes", UC, "name: Chat", "name: ¤2026", '2026 is not one without quotes; expected a text; write "2026"'),
    Row("value.quotes", UC, "name: Chat", "name: ¤true", 'write "true"'),
    Row("value.form", UC, "id: chat", "id: ¤Chat Bot", '"id" cannot be "Chat Bot"; expected 2 to 63 lower-case letters'),
    Row("value.form", TOP, "ada@shop.example", "¤Ada", "expected an e-mail address of a named person"),
    Row("value.form", TOP, "OPENAI_API_KEY", "¤openai-key", "expected the name of an environment variable"),
    Row("value.form", TOP, "  openai:\n", "  ¤Open AI:\n", "cannot be a name in providers"),
    Row("value.choice", UC, "audience: customer", "audience: ¤custmer", 'expected one of customer, staff; did you mean "customer"?'),
    Row("value.choice", UC, "", "mode: ¤enforced\n", 'did you mean "enforce"?'),
    Row("value.choice", UC, "read: {risk: R1", "read: {risk: ¤R5", "expected one of R0, R1, R2, R3, R4"),
    Row("value.choice", UC, "data_classes: [contact]", "data_classes: [¤contacts]", 'did you mean "contact"?'),
    Row("value.choice", UC, "", "accepted_failures: [{metric: ¤complaints, limit: 0.1}]\n", "expected one of complaint_rate"),
    Row("value.range", UC, "", "accepted_failures: [{metric: complaint_rate, limit: ¤2}]\n", "a number from 0 to 1"),
    Row("value.range", UC, "", "budget: {requests: ¤-5}\n", '"requests" cannot be -5; expected a whole number of at least 1'),
    Row("value.range", UC, "", "budget: {tokens: ¤0}\n", "expected a whole number of at least 1"),
    Row("value.range", UC, "", "detector_deadline_ms: ¤5\n", "a whole number from 10 to 60000"),
    Row("value.type", UC, "", "budget: {requests: ¤1.5}\n", '"requests" cannot be "1.5"; expected a whole number'),
    Row("value.few", UC, "channels: [chat]", "channels: ¤[]", '"channels" needs at least 1'),
    Row("value.few", UC, "[openai/gpt-4.1]", "¤[]", '"route" needs at least 1'),
    Row("value.long", UC, "name: Chat", f"name: ¤{'x' * 2001}", "longer than 2000 characters"),
    Row("list.repeated", UC, "channels: [chat]", "channels: [chat, ¤chat]", '"chat" stands twice in "channels"'),
    Row("key.unknown", UC, "", "findings: {input: {¤CARDS: mask}}\n", 'is unknown in findings.input; expected a kind of finding (handrail scan --kinds); did you mean "CARD"?'),
    Row("value.choice", UC, "", "findings: {input: {CARD: ¤masks}}\n", 'did you mean "mask"?'),
    # --- secrets
    Row("secret.inline", TOP, "    key_env: OPENAI_API_KEY", "    ¤api_key: abc", "secrets never stand in the home; write key_env"),
    Row("secret.inline", TOP, "organisation: Example Shop", "organisation: ¤sk-abcdefghijklmnop123456", "this looks like a secret"),
    Row("secret.inline", TOP, "currency: EUR", "currency: EUR\ndatabase: ¤postgresql://a:hunter2@db/handrail", "this looks like a secret"),
    # --- handrail.yaml
    Row("time_zone.unknown", TOP, "Europe/Berlin", "¤Europe/Berln", 'did you mean "Europe/Berlin"?'),
    Row("currency.unknown", TOP, "currency: EUR", "currency: ¤EURO", 'did you mean "EUR"?'),
    Row("database.unknown", TOP, "currency: EUR", "currency: EUR\ndatabase: ¤mysql://db", "expected sqlite, postgresql://user@host/name"),
    Row("data_dir.place", TOP, "currency: EUR", "currency: EUR\ndata_dir: ¤.", "the data folder cannot be the home itself"),
    Row("listen.port", TOP, "currency: EUR", "currency: EUR\nlisten: ¤127.0.0.1:99999", "there is no port 99999"),
    Row("listen.public", TOP, "currency: EUR", "currency: EUR\nlisten: ¤0.0.0.0:8080", "in clear over the network; expected 127.0.0.1, or tls:"),
    Row("value.form", TOP, "currency: EUR", "currency: EUR\nlisten: ¤localhost", "expected an address and a port"),
    Row("value.type", TOP, "currency: EUR", "currency: EUR\nlisten: ¤8080", 'cannot be "8080"; expected an address and a port'),
    Row("public_url.clear", TOP, "currency: EUR", "currency: EUR\npublic_url: ¤http://ai.shop.example", "a public address needs https"),
    Row("public_url.form", TOP, "currency: EUR", "currency: EUR\npublic_url: ¤ai.shop.example", "this is not an address"),
    Row("keys.twice", TOP, "currency: EUR", "currency: EUR\nkeys: {kek_file: kek, ¤kek_env: KEK}", "kek_file and kek_env are both given"),
    Row("value.form", TOP, "currency: EUR", "currency: EUR\nlog: {origin: ¤'Shop log'}", "expected a name like shop.example/handrail"),
    Row("address.form", TOP, "https://api.openai.com/v1", "¤api.openai.com", "base_url is not an address"),
    Row("address.clear", TOP, "https://api.openai.com/v1", "¤http://api.openai.com/v1", "sends customers' text to api.openai.com in clear"),
    Row("address.private", TOP, "https://api.openai.com/v1", "¤http://10.0.0.7:8000/v1", "private network; expected private_network: true"),
    Row("address.private", TOP, "https://api.openai.com/v1", "¤http://ollama:11434/v1", "ollama lies in a private network"),
    Row("address.never", TOP, "https://api.openai.com/v1", "¤http://169.254.169.254/v1", "is never called"),
    Row("address.version", TOP, "https://api.openai.com/v1", "¤https://api.openai.com", "no version path; expected such as https://api.openai.com/v1"),
    Row("address.rest", TOP, "https://api.openai.com/v1", "¤https://api.openai.com/v1?key=1", "has a query or a fragment"),
    Row("address.user", TOP, "https://api.openai.com/v1", "¤https://me@api.openai.com/v1", "base_url names a user"),
    Row("provider.key", TOP, "  openai:\n    dialect: openai\n    base_url: https://api.openai.com/v1\n    key_env: OPENAI_API_KEY", "  ¤openai:\n    dialect: openai\n    base_url: https://api.openai.com/v1", 'the provider "openai" has no key'),
    Row("provider.keys", TOP, "OPENAI_API_KEY", "OPENAI_API_KEY\n    ¤key_file: k", "key_env and key_file are both given"),
    Row("provider.api_version", TOP, "  openai:\n    dialect: openai\n    base_url: https://api.openai.com/v1", "  ¤openai:\n    dialect: azure\n    base_url: https://x.openai.azure.com/openai", "needs api_version"),
    Row("provider.api_version", TOP, "dialect: openai", "dialect: openai\n    ¤api_version: v1", "api_version is for azure and anthropic only"),
    Row("provider.ca_file", TOP, "dialect: openai", "dialect: openai\n    ca_file: ¤ca.pem", 'there is no file "ca.pem" in the home'),
    Row("price.form", TOP, "  openai/gpt-4.1: {", "  ¤gpt-4.1: {", "is no price; expected provider/model"),
    Row("price.provider", TOP, "  openai/gpt-4.1: {", "  ¤openia/gpt-4.1: {", 'there is no provider "openia"; did you mean "openai"?'),
    Row("value.range", TOP, "input: 2.00", "input: ¤-2", "expected a number of at least 0"),
    # --- notices
    Row("receiver.lacks", TOP, "", "notices: {receivers: {¤leads: {kind: webhook, secret_env: S}}}\n", 'the receiver "leads" is not whole: it has no address; expected url, or url_env with hosts'),
    Row("receiver.lacks", TOP, "", "notices: {receivers: {¤leads: {kind: webhook, url: 'https://x.shop.example/h'}}}\n", "a webhook is signed; expected secret_env or secret_file"),
    Row("receiver.lacks", TOP, "", "notices: {receivers: {¤leads: {kind: chat, url_env: CHAT_URL}}}\n", "nobody can see where it leads; expected hosts: [the host of that address]"),
    Row("receiver.lacks", TOP, "", "notices: {receivers: {¤phones: {kind: apprise, hosts: [api.pushover.net]}}}\n", "the address of Apprise is a secret as a whole; expected url_env or url_file"),
    Row("receiver.lacks", TOP, "", "notices: {receivers: {¤mail: {kind: email, hosts: [smtp.shop.example], sender: a@shop.example}}}\n", "a receiver of kind email needs to"),
    Row("receiver.lacks", TOP, "", "notices: {receivers: {¤mail: {kind: email, hosts: [smtp.shop.example], sender: a@shop.example, to: [b@shop.example], user: u}}}\n", "the user stands alone; expected both user and secret_env"),
    Row("receiver.field", TOP, "", "notices: {receivers: {leads: {kind: chat, url: 'https://chat.shop.example/h', ¤port: 25}}}\n", "a receiver of kind chat has no port; expected port only with kind email"),
    Row("receiver.address", TOP, "", "notices: {receivers: {leads: {kind: chat, url: ¤chat.shop.example}}}\n", "this is not an address; expected https://host/path"),
    Row("receiver.secret_address", TOP, "", "notices: {receivers: {leads: {kind: chat, url: ¤'https://hooks.slack.com/services/T0/B0/x'}}}\n", "this address is a secret as a whole; expected url_env: NAME_OF_THE_VARIABLE and hosts: [hooks.slack.com]"),
    Row("receiver.secret_address", TOP, "", "notices: {receivers: {leads: {kind: chat, url: ¤'https://chat.shop.example/h?sig=1'}}}\n", "this address is a secret as a whole"),
    Row("receiver.never", TOP, "", "notices: {receivers: {leads: {kind: chat, url: ¤'http://169.254.169.254/h'}}}\n", "169.254.169.254 is never called"),
    Row("receiver.private", TOP, "", "notices: {receivers: {leads: {kind: chat, url: ¤'https://chat.internal/h'}}}\n", "chat.internal lies in a private network; expected private_network: true"),
    Row("receiver.private", TOP, "", "notices: {receivers: {leads: {kind: chat, url_env: CHAT_URL, hosts: [¤10.0.0.7]}}}\n", "10.0.0.7 lies in a private network"),
    Row("receiver.clear", TOP, "", "notices: {receivers: {leads: {kind: chat, url: ¤'http://chat.shop.example/h'}}}\n", "http sends notices to chat.shop.example in clear"),
    Row("receiver.clear", TOP, "", "notices: {receivers: {mail: {kind: email, hosts: [smtp.shop.example], sender: a@shop.example, to: [b@shop.example], encryption: ¤none}}}\n", "expected starttls or tls; none only with private_network: true"),
    Row("receiver.hosts", TOP, "", "notices: {receivers: {leads: {kind: chat, url_env: CHAT_URL, hosts: [¤'hooks.slack.com/services']}}}\n", "is no host; expected a name, or a name and a port"),
    Row("receiver.hosts", TOP, "", "notices: {receivers: {mail: {kind: email, hosts: ¤['smtp.shop.example:25'], sender: a@shop.example, to: [b@shop.example]}}}\n", "a mail server is one host"),
    Row("receiver.twice", TOP, "", "notices: {receivers: {leads: {kind: chat, url_env: CHAT_URL, ¤url_file: chat, hosts: [hooks.slack.com]}}}\n", "url_env and url_file are both given"),
    Row("receiver.name", TOP, "", "notices: {receivers: {leads: {kind: chat, url: 'https://chat.shop.example/h', use_cases: [¤chats]}}}\n", 'there is no use case "chats"; did you mean "chat"?'),
    Row("receiver.name", TOP, "", "notices: {receivers: {leads: {kind: chat, url: 'https://chat.shop.example/h', routes: [¤leads]}}}\n", 'there is no route "leads"'),
    Row("receiver.event", TOP, "", "notices: {receivers: {leads: {kind: chat, url: 'https://chat.shop.example/h', events: [¤test]}}}\n", "test is sent by handrail notices test only"),
    Row("receiver.ca_file", TOP, "", "notices: {receivers: {leads: {kind: chat, url: 'https://chat.shop.example/h', ca_file: ¤ca.pem}}}\n", 'there is no file "ca.pem" in the home'),
    Row("receiver.unknown", UC, "", "tell_ended: [¤agent]\n", 'there is no receiver "agent" in notices of handrail.yaml'),
    Row("value.choice", TOP, "", "notices: {receivers: {leads: {kind: ¤slack, url: 'https://chat.shop.example/h'}}}\n", "expected one of email, chat, webhook, apprise"),
    Row("value.choice", TOP, "", "notices: {receivers: {leads: {kind: chat, url: 'https://chat.shop.example/h', events: [¤action.hold]}}}\n", 'did you mean "action.held"?'),
    Row("secret.inline", TOP, "", "notices: {receivers: {leads: {kind: webhook, url: 'https://x.shop.example/h', ¤secret: abc}}}\n", "secrets never stand in the home"),
    # --- use cases
    Row("deputy.same", UC, "", "deputy: ¤ADA@shop.example\n", "owner and deputy are the same person; expected two people"),
    Row("deputy.same", TOP, "ben@shop.example", "¤ada@shop.example", "owner and deputy are the same person"),
    Row("escalation.form", UC, "", "escalation: ¤the boss\n", "expected an e-mail address, tel:+44..., or https://"),
    Row("language.unknown", UC, "", "languages: [en, ¤xx]\n", 'the language "xx" is unknown'),
    Row("language.unknown", TOP, "[en, de]", "[en, ¤english]", "expected an ISO 639-1 code"),
    Row("region.unknown", UC, "", "regions: [¤UK]\n", 'did you mean "GB"?'),
    Row("region.unknown", UC, "", "regions: [¤de]\n", 'did you mean "DE"?'),
    Row("levels.none", UC, "  read: {risk: R1, autonomy: A3}\n  assert: {risk: R1, autonomy: A3}", "  ¤{}", "no action type has a level"),
    Row("levels.half", UC, "  read: {", "  ¤risk: R1\n  read: {", "the shorthand needs both"),
    Row("levels.forbidden", UC, "  assert:", "  money: ¤{risk: R3, autonomy: A4}\n  assert:", "money: R3 with A4 is forbidden"),
    Row("levels.forbidden", UC, "  assert:", "  adverse: ¤{risk: R4, autonomy: A3}\n  assert:", "adverse: R4 with A3 is forbidden"),
    Row("levels.forbidden", UC, "  assert:", "  write-undoable: ¤{risk: R2, autonomy: A4}\n  assert:", "write-undoable: R2 with A4 is forbidden"),
    Row("levels.a0", UC, "  assert:", "  money: ¤{risk: R3, autonomy: A0}\n  assert:", "money: A0 only reads"),
    Row("levels.low", UC, "  assert:", "  money: ¤{risk: R1, autonomy: A2}\n  assert:", "money is at least R3 when no person does it; expected risk: R3"),
    Row("levels.low", UC, "  read: {risk: R1, autonomy: A3}\n  assert: {risk: R1, autonomy: A3}", "  risk: ¤R1\n  autonomy: A3", "list only the action types that this use case has"),
    Row("levels.assert", UC, "assert: {risk: R1, autonomy: A3}", "assert: ¤{risk: R1, autonomy: A1}", "if staff send the answers, write audience: staff"),
    Row("levels.assert", UC, "levels:\n  read: {risk: R1, autonomy: A3}\n  assert: {risk: R1, autonomy: A3}", "levels:\n  ¤read: {risk: R1, autonomy: A3}", "so assert is A3 or A4"),
    Row("data.forbidden", UC, "[contact]", "[¤staff-emotion]", "EU AI Act, article 5(1)(f)"),
    Row("data.forbidden", UC, "[contact]", "[¤social-score]", "no waiver opens this"),
    Row("data.forbidden", UC, "[contact]", "[contact, ¤card-verification]", "PCI DSS 4.0.1, 3.3.1"),
    Row("data.low", UC, "[contact]", "[¤health]", "health makes a use case at least R3"),
    Row("data.low", UC, "[contact]", "[¤voice-emotion]", "high-risk (EU AI Act, annex III 1(c))"),
    Row("data.r0", UC, "data_classes: [contact]\nlevels:\n  read: {risk: R1, autonomy: A3}\n  assert: {risk: R1,", "data_classes: ¤[contact]\nlevels:\n  read: {risk: R0, autonomy: A3}\n  assert: {risk: R0,", "R0 means no personal data"),
    Row("ramp.unit", UC, "", "ramp:\n  unit: ¤turn\n  stages: [{share: 0.05}]\n", "its turns fail together"),
    Row("ramp.unit", UC, "", "ramp:\n  unit: ¤household\n  stages: [{share: 0.05}]\n", "cannot be drawn"),
    Row("ramp.salt", UC, "", "ramp:\n  ¤salt: spring\n  stages: [{share: 0.05}]\n", "the same customers are canaries each time"),
    Row("ramp.pool", UC, "", "ramp:\n  ¤pool_stages: true\n  stages: [{share: 0.05}]\n", "cannot be counted together"),
    Row("ramp.share", UC, "", "ramp:\n  stages: [{share: ¤0}]\n", "a stage of nobody"),
    Row("ramp.share", UC, "", "ramp:\n  stages: [{share: ¤1}]\n", "nobody is left to compare with"),
    Row("ramp.order", UC, "", "ramp:\n  stages: [{share: 0.5}, {share: ¤0.1}]\n", "the share falls from 0.5 to 0.1"),
    Row("ramp.pilot", UC, "", "ramp:\n  stages: [{share: 1, pilot: {¤mood: good}}, {share: 0.1}]\n", "cannot be chosen by"),
    Row("ramp.pilot", UC, "", "ramp:\n  stages: [{share: 1, pilot: {region: ¤ZZ}}, {share: 0.1}]\n", "regions, so nobody would"),
    Row("ramp.pilot", UC, "", "ramp:\n  stages: [{share: 1, pilot: {channel: ¤fax}}, {share: 0.1}]\n", "channels, so nobody"),
    Row("ramp.role", UC, "", "ramp:\n  stages: [{share: 0.05}]\n  sign_offs: [¤staff]\n", "cannot sign a release off"),
    Row("ramp.guards", UC, "", "ramp:\n  stages: [{share: 0.05}]\n  ¤metrics: {complaint: {guards: true}}\n", "nothing could ever be shown to be safe"),
    Row("ramp.cap", UC, "", "ramp:\n  stages: [{share: 0.05}]\n  metrics: {complaint: {¤cap: 5}}\n", "is not measured in seconds"),
    Row("ramp.immediate", UC, "", "rollout: ¤immediate\nramp:\n  stages: [{share: 0.05}]\n", "does not go live at once"),
    Row("rollout.immediate", UC, "  assert: {risk: R1, autonomy: A3}", "  assert: {risk: R2, autonomy: A3}\nrollout: ¤immediate", "refused from R2 up, and this use case is R2"),
    Row("accepted.repeated", UC, "", "accepted_failures: [{metric: complaint_rate, limit: 0.1}, {metric: ¤complaint_rate, limit: 0.2}]\n", "complaint_rate has two limits"),
    Row("finding.elsewhere", UC, "", "findings: {input: {¤UNREADABLE: mark}}\n", "write on_unreadable_part: mark or refuse"),
    Row("finding.never_rest", UC, "", "findings: {input: {CVV: ¤mark}}\n", "CVV may never be stored or passed on; expected mask, block or handover"),
    Row("finding.never_rest", UC, "", "findings: {input: {PIN: {action: mask, min_score: ¤0.9}}}\n", "PIN counts from a score of 0.5"),
    Row("finding.side", UC, "", "findings: {input: {¤UNGROUNDED: mark}}\n", "UNGROUNDED is not looked for in input, so this rule would never act; move it below answers:"),
    Row("finding.side", UC, "", "findings: {answers: {¤COMPLAINT: mark}}\n", "COMPLAINT is not looked for in answers, so this rule would never act; move it below input:"),
    Row("finding.side", UC, "", "findings: {answers: {¤INJECTION: mark}}\n", "move it below input: or sources:"),
    Row("finding.mask", UC, "", "findings: {input: {COMPLAINT: ¤mask}}\n", "cannot be masked; expected mark, block or handover"),
    Row("finding.sentences", UC, "", "findings: {input: {CARD: {action: mask, ¤sentences: No.}}}\n", "mask says nothing"),
    Row("sentence.missing", UC, "", "findings: {input: {SECRET: ¤block}}\n", "block for SECRET has no sentence for en, de"),
    Row("sentence.missing", UC, "", "sentences: {handover: {en: Wait.}}\nfindings: {input: {HUMAN: ¤handover}}\n", "handover for HUMAN has no sentence for de"),
    Row("sentence.missing", UC, "", "findings: {answers: {LINK: ¤{action: block, sentences: {de: Nein.}}}}\n", "block for LINK has no sentence for en"),
    Row("language.unknown", UC, "", "sentences: {block: {'*': No., ¤xx: No.}}\n", "expected an ISO 639-1 code such as en, or *"),
    Row("disclosure.required", UC, "", "disclosure: {required: ¤false}\n", "customers must be told that they talk to an AI (EU AI Act, article 50(1))"),
    Row("disclosure.wording", UC, "", "languages: [ja]\ndisclosure: ¤{version: '2'}\n", "the disclosure has no wording for ja"),
    Row("route.form", UC, "[openai/gpt-4.1]", "[¤gpt-4.1]", '"gpt-4.1" is no target; expected provider/model'),
    Row("route.provider", UC, "[openai/gpt-4.1]", "[¤opnai/gpt-4.1]", 'there is no provider "opnai" in handrail.yaml; did you mean "openai"?'),
    Row("route.model", UC, "[openai/gpt-4.1]", "[¤openai/gpt-4.1-min]", 'did you mean "gpt-4.1-mini"?'),
    Row("parameter.ours", UC, "", "  parameters: {¤messages: []}\n", "messages cannot be set as a parameter; the prompt has its own field"),
    Row("parameter.range", UC, "", "  parameters: {temperature: ¤3}\n", "temperature is out of range; expected a number from 0 to 2"),
    Row("prompt.file", UC, "", "prompt: ¤managed\n", "a managed prompt needs a file"),
    Row("prompt.file", UC, "", "prompt: ¤{mode: managed}\n", "expected file: NAME.md"),
    Row("prompt.client", UC, "", "prompt: {mode: client, file: ¤chat.md}\n", "with mode: client the file is never used"),
    Row("prompt.unknown", UC, "", "prompt: {mode: managed, file: ¤chatt.md}\n", 'there is no file "chatt.md" in prompts/; did you mean "chat.md"?'),
    Row("prompt.unknown", UC, "", "prompt: {mode: managed, file: ¤prompts/chat.md}\n", 'write "chat.md"'),
    Row("prompt.empty", UC, "", "prompt: {mode: managed, file: ¤empty.md}\n", "prompts/empty.md is empty"),
    Row("link.form", UC, "", "links_allowed: [¤'https://shop.example/x']\n", 'is not a host name; expected shop.example, or *.shop.example; write "shop.example"'),
    Row("link.form", UC, "", "links_allowed: [¤'*']\n", '"*" is not a host name'),
    Row("tool.form", UC, "", "hosted_tools_allowed: [¤'web search']\n", "is not the name of a tool"),
    Row("retention.order", UC, "", "retention: {payload_days: 30, minimum_days: ¤60}\n", "kept longer than they may be; expected minimum_days of at most 30"),
    Row("retention.order", TOP, "", "  retention: {minimum_days: ¤400}\n", "expected minimum_days of at most 365"),
    Row("budget.order", UC, "", "budget: {requests: 10, requests_per_minute: ¤20}\n", "one minute may have more requests than the whole day"),
    Row("budget.fine", UC, "", "budget: {cost: ¤0.005}\n", "EUR has 2 decimal places"),
    Row("price.missing", UC, "  route: [openai/gpt-4.1]", "  route: [¤openai/gpt-4.1-mini]\nbudget: {cost: 5}", "has no price, so its cost cannot be limited"),
]  # fmt: skip

PROMPTS = {"prompts/chat.md": "Be kind.", "prompts/empty.md": "  \n"}


def with_row(row: Row) -> tuple[HomeText, tuple[int, int] | None]:
    """The changed home, and where the mark stood; None for a row without one (the place is that of the file)."""
    before = GOOD[row.file]
    assert row.old in before
    marked = before.replace(row.old, row.new, 1) if row.old else before + row.new
    place = None
    if MARK in marked:
        ahead = marked[: marked.index(MARK)]
        place = (ahead.count("\n") + 1, len(ahead) - (ahead.rfind("\n") + 1) + 1)
    return home({**PROMPTS, row.file: marked.replace(MARK, "")}), place


@pytest.mark.promise("HOM-1")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.code}: {row.new.strip()[:30]}")
def test_a_mistake_is_found_at_its_place_and_says_how_to_mend_it(row: Row) -> None:
    text, place = with_row(row)
    of_code = [found for found in check(text) if found.code == row.code]
    assert of_code, [str(found) for found in check(text)]
    told = [found for found in of_code if row.says in str(found)]
    assert told, [str(found) for found in of_code]
    if place is not None:
        assert (row.file, *place) in [(found.file, found.line, found.column) for found in told], [str(f) for f in told]


def test_the_good_home_has_no_mistake() -> None:
    assert check(home(PROMPTS)) == []


@pytest.mark.promise("HOM-1")
def test_at_least_forty_kinds_of_mistakes_have_their_row() -> None:
    assert len({row.code for row in ROWS}) >= 40


@pytest.mark.promise("HOM-1")
def test_every_mistake_is_told_at_once_in_the_order_of_the_files() -> None:
    text = home(
        {
            TOP: HANDRAIL.replace("EUR", "EURO").replace("Europe/Berlin", "Nowhere"),
            UC: CHAT.replace("audience: customer", "audience: nobody").replace("openai/gpt-4.1", "other/x"),
        }
    )
    assert [(found.file, found.code) for found in check(text)] == [
        (TOP, "time_zone.unknown"),
        (TOP, "currency.unknown"),
        (UC, "value.choice"),
        (UC, "route.provider"),
    ]


@pytest.mark.promise("HOM-2")
@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefghijklmnop",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_abcdefghijklmnopqrstuvwx",
        "xoxb-1234567890-abc",
        "postgresql://me:hunter2hunter2@db/x",
        "Bearer abcdefghijklmnop",
        "-----BEGIN PRIVATE KEY-----",
        "hr_abcdefghijklmnop_secret",
        "hp_abcdefghijklmnop_secret",
    ],
)
def test_a_pasted_secret_is_refused_and_never_repeated(secret: str) -> None:
    for row in (
        ("organisation: Example Shop", f'organisation: "{secret}"'),
        ("EUR", f'"{secret}"'),
        ("OPENAI_API_KEY", f'"{secret}"'),
    ):
        found = check(home({TOP: HANDRAIL.replace(*row)}))
        assert "secret.inline" in [each.code for each in found]
        assert not any(secret in str(each) for each in found)


@pytest.mark.promise("HOM-2")
def test_a_secret_or_hidden_text_in_a_prompt_is_found_with_its_line() -> None:
    found = check(home({"prompts/chat.md": "Be kind.\nUse sk-abcdefghijklmnop1234 for it.\nAnd\u200b so on."}))
    assert [(each.file, each.line, each.column, each.code) for each in found] == [
        ("prompts/chat.md", 2, 5, "secret.inline"),
        ("prompts/chat.md", 3, 4, "text.forbidden"),
    ]


def test_the_same_id_in_two_files_is_found_in_the_second() -> None:
    found = check(home({"use-cases/other.yaml": CHAT}))
    assert [str(each) for each in found] == [
        'use-cases/other.yaml:1:5: the id "chat" is taken; by use-cases/chat.yaml:1'
    ]


def test_a_default_without_a_sentence_is_told_for_each_use_case_that_lacks_it() -> None:
    top = HANDRAIL + "  findings: {input: {SECRET: block}}\n"
    assert [str(each) for each in check(home({TOP: top}))] == [
        (
            "use-cases/chat.yaml:1:1: block for SECRET (declared in defaults of handrail.yaml) has no sentence for en, de; "
            "expected sentences for SECRET, or sentences: {block: ...}; * stands for any language"
        )
    ]
    assert check(home({TOP: top, UC: CHAT + "sentences: {block: {'*': No.}}\n"})) == []


def test_one_mistake_is_told_once_and_not_again_in_every_file_that_leans_on_it() -> None:
    broken = check(home({TOP: HANDRAIL.replace("currency: EUR", "currency: [EUR")}))
    assert {each.file for each in broken} == {TOP}
    owner = check(home({TOP: HANDRAIL.replace("ada@shop.example", "Ada")}))
    assert [(each.file, each.code) for each in owner] == [(TOP, "value.form")]


def test_a_machine_without_time_zones_says_so_and_takes_utc() -> None:
    bare = msgspec.structs.replace(home(), time_zones=frozenset())
    assert [each.hint for each in check(bare)] == ["this machine knows none: install tzdata, or write UTC"]
    utc = home({TOP: HANDRAIL.replace("Europe/Berlin", "UTC")})
    assert check(msgspec.structs.replace(utc, time_zones=frozenset())) == []


def test_no_use_case_and_no_handrail_file_are_mistakes() -> None:
    assert [each.code for each in check(HomeText(texts={}, names=frozenset({"handrail.yml"})))] == [
        "file.missing",
        "use_case.none",
    ]
    assert 'did you mean "handrail.yml"?' in str(check(HomeText(texts={}, names=frozenset({"handrail.yml"})))[0])


def test_a_file_that_would_be_ignored_is_told() -> None:
    names = frozenset({"use-cases/refunds.yml", "prompts/refunds.txt"})
    assert [str(each) for each in check(home(names=names))] == [
        'prompts/refunds.txt:0:0: this file is not read; rename it to "refunds.md"',
        'use-cases/refunds.yml:0:0: this file is not read; rename it to "refunds.yaml"',
    ]


def test_the_language_no_is_norwegian_and_not_false() -> None:
    assert check(home({UC: CHAT + "languages: [no]\ndisclosure: {wording: {no: Du snakker med en KI.}}\n"})) == []


def test_a_bom_and_windows_line_ends_are_read() -> None:
    assert check(home({UC: "\ufeff" + CHAT.replace("\n", "\r\n")})) == []


def test_a_mistake_prints_as_editors_read_it() -> None:
    shown = Mistake("handrail.yaml", 3, 11, "currency.unknown", "the currency is unknown", "EUR", "did you mean it?")
    assert str(shown) == "handrail.yaml:3:11: the currency is unknown; expected EUR; did you mean it?"


def test_a_customer_facing_use_case_without_a_disclosure_is_good_and_gets_a_note() -> None:
    said = [str(note) for note in notes(look(home()))]
    assert len(said) == 1
    assert said[0].startswith(f"{UC}:1:1: no disclosure is written: the built-in wording says")
    for written in (
        {UC: CHAT + "disclosure: {wording: {en: I am a machine., de: Ich bin eine Maschine.}}\n"},
        {TOP: HANDRAIL + "  disclosure: {wording: {en: I am a machine., de: Ich bin eine Maschine.}}\n"},
        {UC: CHAT.replace("audience: customer", "audience: staff")},
    ):
        assert check(home(written)) == []
        assert notes(look(home(written))) == []
    assert [each.code for each in check(home({UC: CHAT + "disclosure: {required: false}\n"}))] == [
        "disclosure.required"
    ]


@pytest.mark.promise("HOM-1")
def test_a_parameter_that_nobody_documents_is_good_and_gets_a_note_with_the_likely_name() -> None:
    written = CHAT.replace("model:\n", "model:\n  parameters: {temprature: 0.2, seed: 1, brand_new_thing: x}\n")
    assert written != CHAT
    text = home({UC: written})
    assert check(text) == []
    said = [note for note in notes(look(text)) if note.code == "parameter.unknown"]
    assert [(note.line, note.hint) for note in said] == [
        (said[0].line, 'did you mean "temperature"?'),
        (said[0].line, ""),
    ]
    assert "temprature" in said[0].message
    assert "brand_new_thing" in said[1].message


def test_the_documented_parameters_are_those_of_the_official_clients() -> None:
    from anthropic.types.beta import message_create_params as messages
    from openai.types import embedding_create_params as embeddings
    from openai.types.chat import completion_create_params as chat
    from openai.types.responses import response_create_params as responses

    openai = {
        *chat.CompletionCreateParamsBase.__annotations__,
        *responses.ResponseCreateParamsBase.__annotations__,
        *embeddings.EmbeddingCreateParams.__annotations__,
    }
    assert openai <= DOCUMENTED[Dialect.OPENAI] <= DOCUMENTED[Dialect.AZURE]
    assert {*messages.MessageCreateParamsBase.__annotations__} <= DOCUMENTED[Dialect.ANTHROPIC]


def test_one_wrong_pair_for_all_actions_is_one_mistake() -> None:
    old = "  read: {risk: R1, autonomy: A3}\n  assert: {risk: R1, autonomy: A3}"
    written = CHAT.replace(old, "  risk: R4\n  autonomy: A4")
    assert written != CHAT
    assert [(each.code, each.message) for each in check(home({UC: written}))] == [
        ("levels.forbidden", "R4 with A4 is forbidden")
    ]


def test_a_use_case_of_staff_needs_no_disclosure_in_a_further_language() -> None:
    written = CHAT.replace("audience: customer", "audience: staff\nlanguages: [en, sw]")
    codes = {each.code for each in check(home({UC: written}))}
    assert "disclosure.wording" not in codes
    asked = written + "disclosure: {required: true}\n"
    assert "disclosure.wording" in {each.code for each in check(home({UC: asked}))}


def test_a_folder_that_is_not_there_is_one_mistake(tmp_path: Path) -> None:
    said = check(read(tmp_path / "nothere"))
    assert [(each.message, each.hint) for each in said] == [("there is no such folder", "handrail init makes one")]
