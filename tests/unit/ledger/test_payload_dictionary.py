"""The dictionary that payloads are compressed with: as shipped, as trained, and with nobody's data in it."""

import importlib.util
import re
from hashlib import sha256
from pathlib import Path
from types import ModuleType

import pytest
import zstandard

from handrail.app.demo.script import load
from handrail.app.wire.request import ranking_runner
from handrail.detectors.scan import scan
from handrail.ledger.seal import DICTIONARY, dictionary
from handrail.terms.finding import PERSONAL

SCRIPT = Path(__file__).parents[3] / "scripts/train/payload_dictionary.py"
SHIPPED = {1: "9874a343449c5da56c84bb4d6638564e4f393d82b6c11489d83c1e8a1a1c08d4"}
"""Every dictionary that was ever shipped. Payloads sealed with it open with nothing else: never change a line here."""
TRAINED_WITH = (1, 5, 7)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("payload_dictionary", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.promise("STO-SEALED")
def test_a_dictionary_once_shipped_is_there_and_as_it_was() -> None:
    found = {path.name: sha256(path.read_bytes()).hexdigest() for path in DICTIONARY.parent.glob("*.dict")}
    assert found == {f"payload-{number}.dict": digest for number, digest in SHIPPED.items()}
    assert dictionary().dict_id() == max(SHIPPED)
    assert dictionary() is dictionary()


@pytest.mark.promise("STO-OWN-TEXTS")
def test_the_shipped_dictionary_is_what_the_script_makes_of_the_samples(script: ModuleType) -> None:
    if zstandard.ZSTD_VERSION != TRAINED_WITH:
        pytest.skip("another release of zstd may choose other pieces; the digest above is what counts")
    assert script.train(script.samples()) == DICTIONARY.read_bytes()


@pytest.mark.promise("STO-OWN-TEXTS")
def test_neither_dictionary_nor_samples_hold_anything_personal(script: ModuleType) -> None:
    planted = [value.encode() for value in load().planted if not value.startswith("Ignore")]
    assert len(planted) > 10
    runner = ranking_runner()
    for data in (DICTIONARY.read_bytes(), *script.samples()):
        assert not [value for value in planted if value in data]
        assert not re.search(rb"\d{3}|://|[a-z]@[a-z]", data)
        found = scan({"id": "", "text": data.decode("utf-8", "replace")}, runner).findings
        assert not [each.kind for each in found if each.kind in PERSONAL]


def test_the_filter_leaves_out_what_is_personal(script: ModuleType) -> None:
    gathered = b"\n".join(script.collect())
    assert b"Thanks. Then that is all for today." in gathered
    assert b"Kestrel" not in gathered
    for value in load().planted:
        assert value.encode() not in gathered or value.startswith("Ignore")
