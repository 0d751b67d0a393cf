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
