"""The guess of the language."""

import pytest

from handrail.detectors.language import guess


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("where is my order", "en"),
        ("I want to talk to someone about my bill", "en"),
        ("wo bleibt meine Bestellung", "de"),
        ("ich möchte mein Geld zurück", "de"),
        ("où est ma commande", "fr"),
        ("je veux un remboursement", "fr"),
        ("dónde está mi pedido", "es"),
        ("quiero cancelar mi cuenta", "es"),
        ("dove è il mio ordine", "it"),
        ("vorrei un rimborso per favore, non funziona", "it"),
        ("onde está o meu pedido", "pt"),
        ("não consigo entrar na minha conta", "pt"),
        ("waar is mijn bestelling", "nl"),
        ("ik wil graag mijn geld terug", "nl"),
        ("gdzie jest moje zamówienie", "pl"),
        ("chcę zwrotu pieniędzy za to", "pl"),
        ("", "en"),
        ("12345", "en"),
    ],
)
def test_a_short_message_is_recognised(text, code):
    assert guess(text) == code
