"""Flags of persons on interactions, in their table: statements that both engines understand."""

import msgspec

from handrail.backends.verdicts import Verdicts
from handrail.review.flags import Flag
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import InteractionId

_FLAG = msgspec.json.Decoder(Flag)


class Flags:
    """`review.flags.FlagStore`."""

    def __init__(self, verdicts: Verdicts) -> None:
        self._fetch = verdicts.fetch
        self.facts_of = verdicts.facts_of

    def of(self, interaction: InteractionId, person: str) -> Flag | None:
        found = self._fetch("SELECT body FROM flag WHERE interaction = $1 AND person = $2", (interaction, person))
        return _FLAG.decode(bytes(found[0][0])) if found else None

    def put(self, before: Flag | None, after: Flag) -> None:
        body = msgspec.json.encode(after)
        if before is None:
            done = self._fetch(
                "INSERT INTO flag (interaction, person, use_case, stands, version, body) "
                "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING version",
                (after.interaction, after.person, after.use_case, int(after.stands), after.version, body),
            )
        else:
            done = self._fetch(
                "UPDATE flag SET stands = $1, version = $2, body = $3 WHERE interaction = $4 AND person = $5 "
                "AND version = $6 RETURNING version",
                (int(after.stands), after.version, body, after.interaction, after.person, before.version),
            )
        if not done:
            raise HandrailError(Code.LOST_RACE, "your flag was changed meanwhile; look at it again")
