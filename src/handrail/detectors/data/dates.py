"""Month names, lower case and without accents, as written in eight languages (CLDR 46 forms, plus short ones)."""

MONTHS = (
    "january|february|march|april|may|june|july|august|september|october|november|december|jan|feb|mar|apr|jun|jul|aug|"
    "sept|sep|oct|nov|dec|januar|februar|marz|maerz|mai|juni|juli|oktober|dezember|dez|janvier|fevrier|mars|avril|juin|juillet|aout|"
    "septembre|octobre|novembre|decembre|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|setiembre|octubre|"
    "noviembre|diciembre|gennaio|febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|dicembre|janeiro|fevereiro|marco|"
    "maio|junho|julho|setembro|outubro|novembro|dezembro|januari|februari|maart|mei|augustus|stycznia|lutego|marca|kwietnia|"
    "maja|czerwca|lipca|sierpnia|wrzesnia|pazdziernika|listopada|grudnia"
)

DATE = (
    r"(?<![\w./\-])(?:\d{1,2}(?P<s>[./\-])\s?\d{1,2}(?P=s)\s?(?:\d{4}|\d{2})|(?:19|20)\d{2}(?P<t>[./\-])\d{1,2}(?P=t)\d{1,2}"
    rf"|\d{{1,2}}(?:st|nd|rd|th|er|º|°|\.)?[ \-]?(?:of |de |den |d')?(?:{MONTHS})\.?,?(?: de| del| of)?[ \-]?(?:(?:19|20)\d{{2}}|\d{{2}})"
    rf"|(?:{MONTHS})\.? \d{{1,2}}(?:st|nd|rd|th)?,? ?(?:19|20)\d{{2}})(?![\w]|[./\-]\d)"
)

PLAIN_DATE = r"(?:0?[1-9]|[12]\d|3[01])[ ]?(?:0[1-9]|1[0-2])[ ]?(?:19|20)\d{2}|(?:0[1-9]|1[0-2])[ ]?(?:[012]\d|3[01])[ ]?(?:19|20)\d{2}|(?:19|20)\d{2}[ ]?(?:0[1-9]|1[0-2])[ ]?[0-3]\d"

BIRTH = "birth|born|d\\.?o\\.?b|bday|geb[.o ]|geburt|naiss|nee? le|annivers|naci|cumple|nat[oa] |compleanno|nasci|anivers|gebor|verjaardag|urodz"
"""How words of birth begin, as RE2; a date in words behind one is a date of birth."""

ORDINALS = (
    "first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|thirteenth|fourteenth|fifteenth|sixteenth|"
    "seventeenth|eighteenth|nineteenth|twentieth|thirtieth|"
    "(?:erst|zweit|dritt|viert|funft|sechst|siebt|siebent|acht|neunt|zehnt|elft|zwolft|[a-z]+zehnt|[a-z]+zigst|dreissigst|[a-z]*unddreissigst)e[nr]?|"
    "premier|primero|uno|primo|primeiro|"
    "eerste|tweede|derde|vierde|vijfde|zesde|zevende|achtste|negende|tiende|elfde|twaalfde|[a-z]+tiende|[a-z]*(?:twin|der)tigste|"
    "pierwszego|drugiego|trzeciego|czwartego|piatego|szostego|siodmego|osmego|dziewiatego|dziesiatego|[a-z]+nastego|[a-z]+dziestego|[a-z]+dziesiatego"
)
"""Days as words say them, beside the cardinals of `numbers`."""

YEAR_WORDS = (
    "hundred|thousand|[a-z]*(?:hundert|tausend)[a-z]*|mille?|mil|cents?|[a-z]*cient[ao]s|[a-z]*cento[a-z]*|[a-z]+centos|duemila[a-z]*|quinhentos|"
    "[a-z]*(?:honderd|duizend)[a-z]*|tysiac|tysiace|[a-z]+set|dwiescie|[a-z]+dziesiatego"
)
DATE_JOINERS = "the|of|and|und|et|y|e|en|de|del|do|le|den|der|am|van|roku|a"
