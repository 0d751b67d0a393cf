"""What the rules of a home are played with, outside the server: schemas of arguments, and CEL where it is installed."""

from handrail.backends.cel import installed_cel
from handrail.backends.schemas import ArgumentSchemas
from handrail.home.check_rules import Engines


def engines() -> Engines:
    return Engines(cel=installed_cel(), schema=ArgumentSchemas().errors)
