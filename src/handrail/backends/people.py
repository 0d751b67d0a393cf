"""Persons and API keys, read beside the writer; statements that both engines understand."""

import msgspec

from handrail.backends.register import key_of_row, person_of_row, selected
from handrail.backends.rows import Reading
from handrail.people.key import ApiKey
from handrail.people.person import Person
from handrail.people.saved_view import SavedView
from handrail.terms.ids import PersonId


class StoredPeople:
    """`people.store.PeopleReader`."""

    def __init__(self, reading: Reading) -> None:
        self._rows = reading.rows

    async def persons(self) -> list[Person]:
        return [person_of_row(row) for row in await self._rows(selected("person", "ORDER BY created_at, id"))]

    async def keys(self) -> list[ApiKey]:
        return [key_of_row(row) for row in await self._rows(selected("api_key", "ORDER BY created_at, id"))]

    async def views(self, person: PersonId) -> list[SavedView]:
        rows = await self._rows("SELECT body FROM saved_view WHERE person = $1", (person,))
        found = [msgspec.json.decode(bytes(body), type=SavedView) for (body,) in rows]
        return sorted(found, key=lambda one: (one.name.casefold(), one.id))
