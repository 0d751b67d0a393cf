"""What the rules of a home are played with outside the server (schemas of arguments, CEL if installed), and who asks an
MCP server for its tools."""

from handrail.backends.cel import installed_cel
from handrail.backends.schemas import ArgumentSchemas
from handrail.backends.tools.mcp_listing import listed
from handrail.home.check_rules import Engines

__all__ = ["engines", "listed"]


def engines() -> Engines:
    return Engines(cel=installed_cel(), schema=ArgumentSchemas().errors)
