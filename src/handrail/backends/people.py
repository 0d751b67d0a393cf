"""Persons and API keys, read beside the writer; statements that both engines understand."""

from handrail.backends.register import key_of_row, person_of_row, selected
from handrail.backends.rows import Reading
from handrail.people.key import ApiKey
from handrail.people.person import Person


class StoredPeople:
    """`people.store.PeopleReader`."""

    def __init__(self, reading: Reading) -> None:
        self._rows = reading.rows

    async def persons(self) -> list[Person]:
        return [person_of_row(row) for row in await self._rows(selected("person", "ORDER BY created_at, id"))]

    async def keys(self) -> list[ApiKey]:
        return [key_of_row(row) for row in await self._rows(selected("api_key", "ORDER BY created_at, id"))]
