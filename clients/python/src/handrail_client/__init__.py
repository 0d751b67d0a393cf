"""Tell a handrail server what happened afterwards, and name conversations to it. Standard library only.

from handrail_client import Handrail

rail = Handrail("http://127.0.0.1:8484", api_key="hr_...")
openai.chat.completions.create(..., extra_headers=rail.headers(conversation="c-17", customer="4711"))
rail.csat(4, conversation="c-17")
rail.transfer(conversation="c-17", reason="asked")
"""

from handrail_client.client import AsyncHandrail, Handrail, Refused, Unreachable

__all__ = ["AsyncHandrail", "Handrail", "Refused", "Unreachable"]
