"""Choosing a role: in the demo's own database, and nowhere else."""

from pathlib import Path
from typing import Any

import pytest
from e2e.test_sign_in import housed, settled
from fakes.signing_in import House
from fakes.storage import IDS

from handrail.people.demo import AddDemoPerson, BeDemoPerson, MarkDemo
from handrail.people.desk import add_person
from handrail.people.role import Role
from handrail.terms.actor import Actor, ActorKind
from handrail.terms.errors import Code, HandrailError
from handrail.terms.ids import PersonId


async def marked(house: House) -> None:
    await house.store.journal.run(MarkDemo(ids=IDS))
    for name, role in (("Ana Approver", Role.APPROVER), ("Abe Auditor", Role.AUDITOR)):
        mail = f"{role.value}@demo.invalid"
        await house.store.journal.run(AddDemoPerson(ids=IDS, mail=mail, name=name, roles=frozenset({role})))


async def refused(house: House, command: Any) -> HandrailError:
    with pytest.raises(HandrailError) as caught:
        await house.store.journal.run(command)
    assert caught.value.code is Code.NOT_ALLOWED
    return caught.value


async def real(house: House) -> PersonId:
    """Somebody who was not made for visitors, such as the demo's own admin."""

    def add(tx: Any) -> PersonId:
        by = Actor(ActorKind.SYSTEM, "operator")
        return add_person(tx, IDS, "ada@example.com", "Ada", frozenset({Role.ADMIN}), by).id

    return PersonId(await house.store.journal.run(add))


@pytest.mark.promise("SGN-12")
def test_a_visitor_of_the_demo_chooses_a_role(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        await marked(house)
        browser = house.browser()
        assert "choose a role" in (await browser.get("/sign-in")).text
        page = await browser.get("/sign-in/demo")
        assert "Decides about the refunds that wait" in page.text
        name = page.text.split('value="pe_')[1].split('"')[0]
        page = await browser.post("/sign-in/demo", person=f"pe_{name}")
        assert page.text.startswith("Ana Approver")
        await browser.get("/account")
        assert 'href="/sign-in/demo"' in (await browser.post("/sign-out")).text

    housed(tmp_path, work, demo=True)


@pytest.mark.promise("SGN-12")
def test_a_database_that_anybody_used_never_becomes_the_demos(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        await settled(house)
        assert "used before" in (await refused(house, MarkDemo(ids=IDS))).message
        roles = frozenset({Role.ADMIN})
        await refused(house, AddDemoPerson(ids=IDS, mail="x@demo.invalid", name="X", roles=roles))
        person = await house.store.journal.run(lambda tx: tx.persons.all()[0].id)
        await refused(house, BeDemoPerson(ids=IDS, person_id=person))
        # even with the routes there by a mistake of the wiring
        page = await house.browser().get("/sign-in/demo")
        assert "pe_" not in page.text
        other = house.browser()
        await other.get("/sign-in/demo")
        assert (await other.post("/sign-in/demo", person=person)).status_code == 403
        assert (await other.get("/")).text == "nobody"

    housed(tmp_path, work, demo=True)


@pytest.mark.promise("SGN-12")
def test_outside_the_demo_there_is_no_such_page_and_in_it_nobody_else_can_be_chosen(tmp_path: Path) -> None:
    async def work(house: House) -> None:
        browser = house.browser()
        assert (await browser.get("/sign-in/demo")).status_code == 404
        await marked(house)
        await house.store.journal.run(MarkDemo(ids=IDS))  # twice changes nothing
        await refused(house, AddDemoPerson(ids=IDS, mail="real@example.com", name="R", roles=frozenset({Role.STAFF})))
        await refused(house, BeDemoPerson(ids=IDS, person_id=await real(house)))
        await refused(house, BeDemoPerson(ids=IDS, person_id="pe_nobody"))  # type: ignore[arg-type]  # anybody's word

    housed(tmp_path, work)
