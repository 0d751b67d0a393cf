"""What a person must see: own sentences in eight languages, and what only sounds like it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.detectors.base import Text
from handrail.detectors.triggers import triggers_detector
from handrail.terms.finding import Kind, Role

DETECTOR = triggers_detector()


def kinds(text: str, language: str = "en", role: Role = Role.USER) -> set[Kind]:
    return {finding.kind for finding in DETECTOR.find(Text(text=text, role=role), language)}


COMPLAINTS = [
    (
        "en",
        "I have been trying to get my deposit back from the letting agency for three months and they keep refusing.",
    ),
    (
        "en",
        "The plane left without us because your staff sent us to the wrong gate, and at the desk they just shrugged.",
    ),
    ("en", "For weeks my broadband has dropped every evening and each time I ring you I have to start from scratch."),
    ("en", "You debited my card twice for the same hotel night and I have asked four times for the money."),
    ("en", "Our building has had no hot water since Monday and the property manager has not returned a single call."),
    ("en", "My phone contract was extended by two years and I never agreed to that."),
    ("en", "I was overcharged on my energy bill and your agents keep giving me different explanations."),
    ("en", "This is the worst service I have ever had."),
    ("en", "I want to make a formal complaint."),
    ("de", "Ich möchte mich über Ihren Techniker beschweren."),
    ("de", "Seit drei Wochen warte ich auf meine Erstattung, ich habe mehrfach angerufen und niemand meldet sich."),
    ("de", "Es wurde doppelt abgebucht und trotz mehrfacher Anrufe bekomme ich keine Antwort von Ihrem Kundenservice."),
    ("fr", "Je souhaite déposer une réclamation contre votre livreur."),
    ("fr", "J'ai appelé plusieurs fois, personne ne répond et mon colis est arrivé cassé."),
    ("es", "Quiero poner una queja por el trato recibido."),
    ("es", "Llevo semanas esperando mi reembolso, he llamado varias veces y nadie me da una respuesta."),
    ("it", "Vorrei presentare un reclamo per il ritardo."),
    ("it", "Ho chiamato più volte, nessuno risponde e il frigorifero è ancora guasto."),
    ("pt", "Quero fazer uma reclamação sobre a entrega."),
    ("pt", "Já liguei várias vezes, ninguém resolve e o produto chegou quebrado."),
    ("nl", "Ik wil een klacht indienen over uw chauffeur."),
    ("nl", "Ik heb meerdere keren gebeld, niemand reageert en het pakket is beschadigd."),
    ("pl", "Chcę złożyć skargę na kuriera."),
    ("pl", "Dzwoniłem kilka razy, nikt nie odpowiada, a towar przyszedł uszkodzony."),
]
LEGAL = [
    ("en", "If the money is not back by Friday my lawyer will write to you."),
    ("en", "I will take this to the ombudsman and to small claims court."),
    ("en", "I am filing a chargeback and reporting you to the regulator."),
    ("de", "Ich werde einen Anwalt einschalten und rechtliche Schritte einleiten."),
    ("de", "Dann gehe ich zur Verbraucherzentrale."),
    ("fr", "Je vais saisir le médiateur et porter plainte."),
    ("es", "Voy a tomar acciones legales y a denunciarlos ante consumo."),
    ("it", "Mi rivolgerò al mio avvocato e procederò per vie legali."),
    ("pt", "Vou abrir um processo no Procon e falar com o meu advogado."),
    ("nl", "Ik schakel mijn advocaat in en stap naar de rechter."),
    ("pl", "Zgłoszę sprawę do UOKiK i pójdę do sądu."),
]
VULNERABLE = [
    ("en", "I care for my mother and could not get to the shop."),
    ("en", "I've been giving my things away, nobody will need them soon."),
    ("en", "I haven't eaten properly for days because the card was stopped."),
    ("en", "He checks every message so please only write to my work address."),
    ("en", "I took all the tablets."),
    ("en", "My son was killed in a crash and his phone contract is still running."),
    ("en", "We have been sleeping in the car since the fire."),
    ("en", "My boyfriend opened cards in my name and I am afraid to say no."),
    ("en", "I'm 82 and I don't understand these machines."),
    ("de", "Ich habe alle Tabletten genommen."),
    ("fr", "J'ai pris tous les cachets."),
    ("es", "Me he tomado todas las pastillas."),
    ("it", "Ho preso tutte le pillole."),
    ("pt", "Tomei todos os comprimidos."),
    ("nl", "Ik heb alle pillen genomen."),
    ("pl", "Wzięłam wszystkie tabletki."),
    ("en", "My husband passed away in March and I do not know what to do with his account."),
    ("en", "I lost my job and I can't afford the payment this month."),
    ("en", "I am in hospital and cannot come to the branch."),
    ("en", "I don't see the point of going on any more."),
    ("en", "Honestly everyone would be better off without me."),
    ("en", "Please send no letters to my home, he can't find out that I opened an account."),
    ("en", "He takes my wages and I am scared of him."),
    ("en", "I just want it to stop, I have nobody left."),
    ("de", "Meine Mutter ist letzte Woche verstorben."),
    ("de", "Ich kann die Rate nicht mehr bezahlen, ich bin arbeitslos."),
    ("de", "Ich kann nicht mehr, ich sehe keinen Ausweg."),
    ("fr", "Mon mari est décédé et je ne sais pas comment faire."),
    ("fr", "Je suis au chômage et je n'arrive plus à payer."),
    ("fr", "Je n'en peux plus, à quoi bon continuer."),
    ("es", "Mi padre falleció y tengo que cerrar su cuenta."),
    ("es", "Perdí mi trabajo y no puedo pagar la cuota."),
    ("es", "No puedo más, no quiero vivir así."),
    ("it", "Mio marito è morto e devo chiudere il conto."),
    ("it", "Ho perso il lavoro e non riesco a pagare la rata."),
    ("it", "Non ce la faccio più, voglio farla finita."),
    ("pt", "O meu pai faleceu e preciso de ajuda com a conta."),
    ("pt", "Estou desempregada e não consigo pagar."),
    ("pt", "Não aguento mais, não vale a pena viver."),
    ("nl", "Mijn man is overleden en ik weet niet wat ik moet doen."),
    ("nl", "Ik ben werkloos en kan de rekening niet betalen."),
    ("nl", "Ik zie het niet meer zitten."),
    ("pl", "Mój mąż zmarł i muszę zamknąć jego konto."),
    ("pl", "Straciłem pracę i nie stać mnie na ratę."),
    ("pl", "Nie mam już siły, nie chcę żyć."),
]
HUMAN = [
    ("en", "Can I speak to a human please?"),
    ("en", "agent please"),
    ("en", "I want to talk to someone real, not a bot"),
    ("en", "Put me through to your manager"),
    ("de", "Ich möchte mit einem Menschen sprechen."),
    ("de", "Bitte verbinden Sie mich mit einem Mitarbeiter."),
    ("fr", "Je veux parler à un conseiller."),
    ("es", "Quiero hablar con una persona."),
    ("it", "Vorrei parlare con un operatore."),
    ("pt", "Quero falar com um atendente."),
    ("nl", "Ik wil een medewerker spreken, geen robot."),
    ("pl", "Chcę porozmawiać z konsultantem."),
]
LEAVE = [
    ("en", "I want to cancel my subscription."),
    ("en", "Please close my account, I am switching to another bank."),
    ("en", "I'm done with this company and taking my business elsewhere."),
    ("de", "Hiermit kündige ich meinen Vertrag."),
    ("fr", "Je veux résilier mon abonnement."),
    ("es", "Quiero darme de baja."),
    ("it", "Vorrei disdire l'abbonamento."),
    ("pt", "Quero cancelar o meu contrato."),
    ("nl", "Ik wil mijn abonnement opzeggen."),
    ("pl", "Chcę wypowiedzieć umowę."),
]
QUIET = [
    ("en", "Hi, I would like to know the opening hours of the branch in Leeds."),
    ("en", "My wife and I are flying to Rome in June, can we bring a stroller and is it free of charge?"),
    ("en", "Am I talking to a human?"),
    ("en", "My phone battery died, how do I order a new one?"),
    ("en", "Play the movie about the court case."),
    ("en", "I can't complain, everything works, thank you."),
    ("en", "Set a reminder to call my manager at noon."),
    ("de", "Welche Gerichte sind vegetarisch?"),
    ("de", "Wann öffnet die Filiale am Montag?"),
    ("fr", "Une salade avec des tomates, s'il vous plaît."),
    ("es", "¿A qué hora abre la tienda mañana?"),
    ("it", "Vorrei prenotare un tavolo per due alle otto."),
    ("pt", "Qual é o horário de funcionamento da loja?"),
    ("nl", "Hoe laat gaat de winkel morgen open?"),
    ("pl", "O której otwieracie jutro sklep?"),
    ("en", "How should I care for my leather boots after the rain?"),
]


@pytest.mark.promise("TRG-1")
@pytest.mark.parametrize(("language", "text"), COMPLAINTS)
def test_a_complaint_is_found_with_or_without_its_word(language: str, text: str) -> None:
    assert Kind.COMPLAINT in kinds(text, language)


@pytest.mark.promise("TRG-2")
@pytest.mark.parametrize(("language", "text"), LEGAL)
def test_a_legal_threat_is_found(language: str, text: str) -> None:
    assert Kind.LEGAL in kinds(text, language)


@pytest.mark.promise("TRG-3")
@pytest.mark.parametrize(("language", "text"), VULNERABLE)
def test_vulnerability_is_found_also_where_no_alarming_word_stands(language: str, text: str) -> None:
    assert Kind.VULNERABILITY in kinds(text, language)


@pytest.mark.promise("TRG-4")
@pytest.mark.parametrize(("language", "text"), HUMAN)
def test_a_wish_for_a_person_is_found(language: str, text: str) -> None:
    assert Kind.HUMAN in kinds(text, language)


@pytest.mark.promise("TRG-4")
@pytest.mark.parametrize(("language", "text"), LEAVE)
def test_a_wish_to_leave_is_found(language: str, text: str) -> None:
    assert Kind.LEAVE in kinds(text, language)


@pytest.mark.promise("TRG-5")
@pytest.mark.parametrize(("language", "text"), QUIET)
def test_everyday_questions_raise_no_trigger(language: str, text: str) -> None:
    assert kinds(text, language) == set()


@given(st.text(max_size=300))
def test_any_text_is_read_without_an_error_the_same_way_twice(text: str) -> None:
    whole = Text(text=text, role=Role.USER)
    first = DETECTOR.find(whole, "en")
    assert first == DETECTOR.find(whole, "en")
    assert all(0 <= f.start < f.end <= len(text) for f in first)


def test_only_what_the_user_wrote_counts() -> None:
    assert kinds("I want to make a formal complaint.", role=Role.ASSISTANT) == set()
    assert kinds("I want to make a formal complaint.", role=Role.TOOL) == set()


def test_a_sentence_is_the_span_of_its_trigger() -> None:
    text = "My order is 1234. I will call my lawyer. Thanks."
    [finding] = [f for f in DETECTOR.find(Text(text=text, role=Role.USER), "en") if f.kind is Kind.LEGAL]
    assert text[finding.start : finding.end] == "I will call my lawyer."


NEGATED = [
    ("en", "I don't want to cancel my contract.", "Fix it or I will cancel my contract.", Kind.LEAVE),
    ("de", "Ich will nicht kündigen.", "Ich will nicht länger warten und kündige.", Kind.LEAVE),
    ("fr", "Je ne veux pas résilier.", "Je n'attends plus, je veux résilier.", Kind.LEAVE),
    ("es", "No tengo ninguna queja.", "No tengo respuesta a mi queja.", Kind.COMPLAINT),
    ("en", "I have no complaints about it.", "No complaint number was given to me.", Kind.COMPLAINT),
    ("it", "La batteria è morta.", "Con il telefono in mano è morta mia madre.", Kind.VULNERABILITY),
]


@pytest.mark.promise("TRG-5")
@pytest.mark.parametrize(("language", "quiet", "loud", "kind"), NEGATED)
def test_a_negation_takes_back_only_what_it_stands_around(language: str, quiet: str, loud: str, kind: Kind) -> None:
    assert kind not in kinds(quiet, language)
    assert kind in kinds(loud, language)
