"""Ids from the real source of randomness: never two alike, in whichever process or thread they are made."""

import os
import threading
from collections import Counter

from handrail.backends.system import SystemIds
from handrail.terms.ids import ALPHABET, made_at_ms

IDS = SystemIds()


def random_part(made: str) -> str:
    return made[-16:]


def test_ids_never_repeat_and_sort_by_the_millisecond_they_were_made_in() -> None:
    made = [IDS.new("in") for _ in range(20_000)]
    assert len({random_part(each) for each in made}) == len(made)
    times = [made_at_ms(each) for each in made]
    assert times == sorted(times)
    assert [each[:13] for each in made] == sorted(each[:13] for each in made)


def test_every_random_letter_is_as_frequent_as_every_other_in_every_place() -> None:
    made = [random_part(IDS.new("in")) for _ in range(32_000)]
    for place in range(16):
        seen = Counter(each[place] for each in made)
        assert set(seen) == set(ALPHABET)
        assert all(800 < count < 1_200 for count in seen.values())  # 1,000 each; six standard deviations


def test_a_forked_child_makes_none_of_its_parents_ids() -> None:
    IDS.new("in")  # from here on the parent has letters in store
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, "".join([random_part(IDS.new("in")) for _ in range(200)]).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    theirs = {text[at : at + 16] for at in range(0, len(text), 16)}
    ours = {random_part(IDS.new("in")) for _ in range(200)}
    assert len(theirs) == len(ours) == 200
    assert not theirs & ours


def test_threads_that_make_ids_at_once_make_different_ones() -> None:
    made: list[list[str]] = [[] for _ in range(4)]
    begin = threading.Barrier(4)

    def make(mine: list[str]) -> None:
        begin.wait()
        mine += [random_part(IDS.new("in")) for _ in range(5_000)]

    threads = [threading.Thread(target=make, args=(mine,)) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each for mine in made for each in mine}) == 20_000
