"""Number words as people say them, lower case and without accents (`normalise.unaccent`).

Source: the grammar of each language, written down for this project. `digits`: 0 to 9 with variants; `teens`: 10 to 19;
`tens`: 20 to 90; `joiner`: the word between tens and unit ("veinte y uno"); `compounds`: one-word forms that the rules
of `spoken` do not build; `times`: "double four"; `again`: what makes a
factor of the number before it ("zwei mal die vier"), with the articles that may follow; `plural`: 0 to 9 as counted
things ("four fives"). Belgian and Swiss septante, huitante, nonante are included.
"""

from typing import NamedTuple


class Numbers(NamedTuple):
    """Each string: words separated by blanks, variants of one number separated by a slash."""

    digits: str
    teens: str
    tens: str
    joiner: str = ""
    times: str = ""
    compounds: str = ""
    again: str = ""
    articles: str = ""
    plural: str = ""


NUMBERS = {
    "en": Numbers(
        digits="zero/oh/o/nought/naught one two three four five six seven eight nine/niner",
        teens="ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen",
        tens="twenty thirty forty/fourty fifty sixty seventy eighty ninety",
        times="double=2 triple=3 treble=3 quadruple=4",
        again="times",
        articles="the",
        plural="zeros/zeroes/ohs ones twos threes fours fives sixes sevens eights nines",
    ),
    "de": Numbers(
        digits="null eins/ein/eine zwei/zwo drei vier funf/fuenf sechs sieben acht neun",
        teens="zehn elf zwolf/zwoelf dreizehn vierzehn funfzehn/fuenfzehn sechzehn siebzehn achtzehn neunzehn",
        tens="zwanzig dreissig/dreißig vierzig funfzig/fuenfzig sechzig siebzig achtzig neunzig",
        joiner="und",
        times="doppel=2 doppelt=2 zweimal=2 dreimal=3 viermal=4 dreifach=3 vierfach=4",
        again="mal",
        articles="die der das eine",
        plural="nullen einsen zweien dreien vieren funfen/fuenfen sechsen siebenen/sieben achten neunen",
    ),
    "fr": Numbers(
        digits="zero un/une deux trois quatre cinq six sept huit neuf",
        teens="dix onze douze treize quatorze quinze seize dix-sept dix-huit dix-neuf",
        tens="vingt trente quarante cinquante soixante septante huitante/octante nonante",
        joiner="et",
        times="double=2 triple=3",
        again="fois",
        articles="le un les",
        plural="zeros",
    ),
    "es": Numbers(
        digits="cero uno/un/una dos tres cuatro cinco seis siete ocho nueve",
        teens="diez once doce trece catorce quince dieciseis diecisiete dieciocho diecinueve",
        tens="veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa",
        joiner="y",
        times="doble=2 triple=3 cuadruple=4",
        again="veces",
        articles="el la",
        plural="ceros unos doses treses cuatros cincos seises sietes ochos nueves",
        compounds="veintiuno=21 veintiun=21 veintidos=22 veintitres=23 veinticuatro=24 veinticinco=25 veintiseis=26 "
        "veintisiete=27 veintiocho=28 veintinueve=29",
    ),
    "it": Numbers(
        digits="zero uno/un/una due tre quattro cinque sei sette otto nove",
        teens="dieci undici dodici tredici quattordici quindici sedici diciassette diciotto diciannove",
        tens="venti trenta quaranta cinquanta sessanta settanta ottanta novanta",
        times="doppio=2 triplo=3 quadruplo=4",
        again="volte",
        articles="il lo",
        plural="zeri",
    ),
    "pt": Numbers(
        digits="zero um/uma dois/duas tres quatro cinco seis/meia sete oito nove",
        teens="dez onze doze treze quatorze/catorze quinze dezesseis/dezasseis dezessete/dezassete dezoito "
        "dezenove/dezanove",
        tens="vinte trinta quarenta cinquenta sessenta setenta oitenta noventa",
        joiner="e",
        times="duplo=2 dobro=2 triplo=3",
        again="vezes",
        articles="o",
        plural="zeros",
    ),
    "nl": Numbers(
        digits="nul een twee drie vier vijf zes zeven acht negen",
        teens="tien elf twaalf dertien veertien vijftien zestien zeventien achttien negentien",
        tens="twintig dertig veertig vijftig zestig zeventig tachtig negentig",
        joiner="en",
        times="dubbel=2 dubbele=2 tweemaal=2 driemaal=3 viermaal=4",
        again="keer maal",
        articles="de het een",
        plural="nullen enen tweeen drieen vieren vijven zessen zevens achten negens",
    ),
    "pl": Numbers(
        digits="zero jeden/jedna/jedno/jedynka dwa/dwie/dwojka trzy/trojka cztery/czworka piec/piatka szesc/szostka "
        "siedem/siodemka osiem/osemka dziewiec/dziewiatka",
        teens="dziesiec jedenascie dwanascie trzynascie czternascie pietnascie szesnascie siedemnascie osiemnascie "
        "dziewietnascie",
        tens="dwadziescia trzydziesci czterdziesci piecdziesiat szescdziesiat siedemdziesiat osiemdziesiat "
        "dziewiecdziesiat",
        times="podwojne=2 podwojna=2 potrojne=3",
        again="razy",
        plural="zera jedynki dwojki trojki czworki piatki szostki siodemki osemki dziewiatki",
    ),
}

HUNDREDS = {
    "es": "cien/ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos novecientos",
    "pt": "cem/cento duzentos trezentos quatrocentos quinhentos seiscentos setecentos oitocentos novecentos",
    "pl": "sto dwiescie trzysta czterysta piecset szescset siedemset osiemset dziewiecset",
}
"""Hundreds of the languages whose speakers read telephone numbers in threes."""

FILLERS = frozenset(
    "uh um er erm ah eh ehm ahm euh hmm then and dann und puis et luego y poi e depois dan potem i".split()
)
"""Words people put between two digits they read out; one at a time, and only between number words."""

COMPOUND_STEMS = (
    r"(?:ein|zwei|drei|vier|f(?:ue|[uü])nf|sechs|sieben|acht|neun)und\pL{4,10}",
    r"(?:een|twee|drie|vier|vijf|zes|zeven|acht|negen)[eë]n\pL{5,10}",
    r"(?:vent|trent|quarant|cinquant|sessant|settant|ottant|novant)\pL{2,10}",
)
"""One-word numbers of German, Dutch and Italian as RE2 patterns; the gate only asks whether one may be there."""
