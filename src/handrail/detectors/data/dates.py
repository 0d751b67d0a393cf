"""Month names, lower case and without accents, as written in eight languages (CLDR 46 forms, plus short ones)."""

MONTHS = (
    "january|february|march|april|may|june|july|august|september|october|november|december|jan|feb|mar|apr|jun|jul|aug|"
    "sept|sep|oct|nov|dec|januar|februar|marz|maerz|mai|juni|juli|oktober|dezember|dez|janvier|fevrier|mars|avril|juin|juillet|aout|"
    "septembre|octobre|novembre|decembre|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|setiembre|octubre|"
    "noviembre|diciembre|gennaio|febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|dicembre|janeiro|fevereiro|marco|"
    "maio|junho|julho|setembro|outubro|novembro|dezembro|januari|februari|maart|mei|augustus|stycznia|lutego|marca|kwietnia|"
    "maja|czerwca|lipca|sierpnia|wrzesnia|pazdziernika|listopada|grudnia"
)
