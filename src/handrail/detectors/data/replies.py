"""Words around a value that somebody gives when asked, lower case without accents. Written for this project."""

AROUND = frozenset(
    """its it is it's s yes yeah yep sure ok okay oh sorry here you go are the my no nr number and name namely sir mam maam madam please thanks thank
    fine alright well absolutely perfect great correct right of course that thats this they them these id one moment hi hello
    ja klar hier bitte danke es ist sind das und meine mein die der nummer name gerne moment
    oui bien sur voici c est et mon ma le la merci nom numero d accord si claro aqui tiene es y mi el gracias nombre vale
    certo ecco e il mio mia grazie sim aqui esta o meu minha obrigado obrigada nome ja natuurlijk hier het is en mijn de dank bedankt naam
    tak prosze to jest i moj moja oto dziekuje numer imie""".split()
)

UNITS = frozenset(
    """dollars dollar euros euro eur usd gbp pounds pound rupees rs inr zl pln brl reais percent days day weeks week months month years year hours hour minutes
    minute am pm km miles points items pieces people persons tickets bags times gb mb mbps gig tage wochen monate jahre uhr jours semaines mois ans heures
    dias semanas meses anos horas giorni settimane mesi anni ore dagen weken maanden jaren uur dni tygodnie lata godzin transfer pay paid deposit withdraw
    amount cost price total bought spend refund credit per for in at by from to on about around approximately than over under since until before after
    cancel cancelling change changing edit update check checking status find show make actually square root percent divided plus minus set
model windows version iphone galaxy android office type class grade level flight room gate""".split()
)
"""Words beside a number that is no identifier."""

SET_PHRASES = (
    r"\b(?:i am|i['’ ]?m|ich bin|je suis|soy|sono|sou|ik ben|jestem)\b|"
    r"\b(?:last|final) (?:4|four)(?: digits?| numbers?)?\b|\bletzten? (?:4|vier)(?: ziffern?| stellen)?\b|"
    r"\b(?:4|quatre) derniers(?: chiffres)?\b|\b(?:4|cuatro) ultimos(?: digitos| numeros)?\b|\bultimos (?:4|cuatro|quatro)(?: digitos| numeros| algarismos)?\b|"
    r"\bultime (?:4|quattro)(?: cifre)?\b|\blaatste (?:4|vier)(?: cijfers)?\b|\bostatnie (?:4|cztery)(?: cyfry)?\b|"
    r"\b(?:new|los|san|santa|saint|st|bad|le|la|el|den|de) (?=[^\W\d_]{3,} \d)"
)
"""Words around a bare value that say nothing else: who one is, which digits they are, the first half of a town's name."""
