"""Street words, units and postcode areas, lower case without accents.

Source: street types as national posts write them (USPS Publication 28 appendix C1 for the short forms), written down
for eight languages; the 124 postcode areas of the United Kingdom (Royal Mail); USPS state codes.
"""

_W = r"[^\W\d_]+(?:['\-.][^\W\d_]+)*\.?"
_N = r"\d{1,5}[a-z]?(?:[/\-]\d{1,4}[a-z]?)?"
STREET_WORDS_EN = (
    "street|st|road|rd|avenue|ave|av|boulevard|blvd|lane|ln|drive|dr|court|ct|circle|cir|square|sq|terrace|parkway|pkwy|"
    "highway|hwy|crescent|mews|alley|grove|ridges?|heights|nagar|colony|cross street|main road"
)

STREET_NAMES_EN = (
    "close|gardens?|way|view|hill|park|row|green|walk|rise|gate|place|pl|quay|wharf|vale|fields?|meadows?|croft|trail|loop|path|plaza|"
    "broadway|parade|villas|bank|mount|end|esplanade|embankment|yard|crossing|run|pass|bend|point|landing|ter|trl|pike|turnpike"
)
"""Street words that are everyday words too: an address only in capitals."""

STREET_WORDS_FIRST = (
    "rue|avenue|av|boulevard|bd|bld|place|chemin|impasse|allee|quai|route|cours|square|passage|calle|avenida|avda|plaza|paseo|carrer|camino|"
    "carretera|ronda|travesia|via|viale|piazza|piazzale|corso|largo|vicolo|strada|contrada|rua|r|travessa|praca|estrada|alameda|rodovia|"
    "ul|ulica|ulicy|ulice|al|aleja|alei|aleje|os|osiedle|osiedlu|plac|placu|pl"
)
"""Street words before the name of the street, as they stand in the patterns below."""

STREET_WORDS_LAST = "strasse|straße|str|weg|platz|allee|gasse|damm|ufer|chaussee|ring|straat|laan|plein|gracht|kade|dijk|singel|steeg|dreef|hof|plantsoen"
"""Street words at the end of the name of the street."""

STREETS: tuple[tuple[str, str], ...] = (
    ("street_en", rf"(?<![\w$€£.\-/])\d{{1,5}}[a-z]?(?:[\-–/]\d{{1,5}}[a-z]?)?,? (?:(?:n|s|e|w|ne|nw|se|sw|north|south|east|west)\.? )?(?:(?:{_W}|\d{{1,3}}(?:st|nd|rd|th)) ){{1,3}}?(?:{STREET_WORDS_EN})(?!\w)\.?"),
    ("street_named_en", rf"(?<![\w$€£.\-/])\d{{1,5}}[a-z]?(?:[\-–/]\d{{1,5}}[a-z]?)?,? (?:{_W} ){{1,2}}?(?:{STREET_NAMES_EN})(?!\w)"),
    ("po_box", r"(?<!\w)p\.? ?o\.? ?box \d{1,6}(?!\w)"),
    ("street_de", rf"(?<!\w)(?:(?:{_W} )?(?:[^\W\d_]{{2,}}-?(?:strasse|straße|str\.|weg|platz|allee|gasse|damm|ufer|chaussee)|(?:an der|unter den|auf der) [^\W\d_]{{4,}})|[^\W\d_]{{3,}}er (?:strasse|straße|str\.|platz|allee|weg|ring)|(?:am|im|zum|zur|an der|an den|auf dem|hinter der|hinter dem|vor dem) (?:(?:alten?|neuen?|grossen?|großen?|kleinen?|hohen?|langen?|oberen?|unteren?|sankt|st\.) )?[^\W\d_]*(?:markt|ring|bahnhof|see|berg|wald|park|anger|hang|graben|tor|turm|brunnen|hof|feld|rain|winkel|garten|muhle|bach|rathaus|kirchplatz|kirche|friedhof|sportplatz|hugel|wiese|schloss|kamp|wall|brucke|steig|stieg|pfad|zeile|twiete)) {_N}(?!\w)"),
    ("street_fr", rf"(?<!\w)\d{{1,4}}(?: ?(?:bis|ter|quater))?,? (?:rue|avenue|av\.?|boulevard|bd|bld|place|chemin|impasse|allee|quai|route|cours|square|passage)(?: (?:de la|de l'|du|des|de|d'))?(?: ?{_W}){{1,3}}?(?=[,.;!?\n]|$| \d| (?:a|et|75|s'il|svp|merci|pour|mais|je|c'est|ce|au|on|nous|vous|depuis|avant|apres)\b)"),
    ("street_es", rf"(?<!\w)(?:calle|c/|avenida|avda\.?|plaza|paseo|carrer|camino|carretera|ronda|travesia)(?: ?{_W}){{1,4}}?,? (?:n[.º°o]* ?|numero )?{_N}(?!\w)(?:,? ?\d{{1,2}}[ºª°]?(?: ?[a-z])?(?!\w))?"),
    ("street_it", rf"(?<!\w)(?:via|viale|piazza|piazzale|corso|largo|vicolo|strada|contrada)(?: {_W}){{1,4}}?,? (?:n[.°]* ?)?{_N}(?!\w)"),
    ("street_pt", rf"(?<!\w)(?:rua|r\.|avenida|av\.|travessa|praca|largo|estrada|alameda|rodovia)(?: {_W}){{1,4}}?,? (?:n[.º°o]* ?|numero )?{_N}(?!\w)"),
    ("street_nl", rf"(?<!\w)(?:{_W} )?[^\W\d_]{{2,}}(?:straat|laan|weg|plein|gracht|kade|dijk|singel|steeg|dreef|hof|plantsoen) {_N}(?!\w)"),
    ("street_pl", rf"(?<!\w)(?:ul\.|ulica|ulicy|ulice|al\.|aleja|alei|aleje|os\.|osiedle|osiedlu|plac |placu |pl\.)(?: ?{_W}){{1,3}}? {_N}(?:(?: ?m\.? ?|/)\d{{1,4}})?(?!\w)"),
)  # fmt: skip

UNITS = "apt|apartment|suite|ste|unit|flat|floor|room|appt|appartement|wohnung|whg|piso|puerta|interno|scala|apto|andar|bus|m"

UK_AREAS = frozenset(
    "AB AL B BA BB BD BF BH BL BN BR BS BT CA CB CF CH CM CO CR CT CV CW DA DD DE DG DH DL DN DT DY E EC EH EN EX FK FY G GL GU "
    "GY HA HD HG HP HR HS HU HX IG IM IP IV JE KA KT KW KY L LA LD LE LL LN LS LU M ME MK ML N NE NG NN NP NR NW OL OX PA PE PH "
    "PL PO PR RG RH RM S SA SE SG SK SL SM SN SO SP SR SS ST SW SY TA TD TF TN TQ TR TS TW UB W WA WC WD WF WN WR WS WV YO ZE".split()
)

US_STATES = (
    "al|ak|az|ar|ca|co|ct|de|fl|ga|hi|id|il|in|ia|ks|ky|la|me|md|ma|mi|mn|ms|mo|mt|ne|nv|nh|nj|nm|ny|nc|nd|oh|ok|or|pa|ri|sc|"
    "sd|tn|tx|ut|vt|va|wa|wv|wi|wy|dc"
)

UK = r"(?<![A-Za-z0-9])([A-Za-z]{1,2})(?:\d[A-Za-z]|\d{1,2}) ?\d[ABD-HJLNP-UW-Zabd-hjlnp-uw-z]{2}(?![A-Za-z0-9])"

NAMED_POSTCODE = r"(?<![\w\-])(?:\d{5}-\d{4}|\d{5}-\d{3}|\d{2}-\d{3}|\d{4}-\d{3}|\d{4} ?[a-z]{2}|\d{3} ?\d{3}|[a-z]\d[a-z] ?\d[a-z]\d|\d{4,6})(?![\w\-])"

TAIL = (
    rf"(?:,? *(?:{UNITS})\.? ?#?[\w\-]{{1,6}})?(?:(?:,| ,|\s)\s*(?:[^\W\d_]+[ ,]{{1,2}}){{0,3}}?(?:(?:{US_STATES})[ ,]{{0,2}}\d{{4,6}}(?:-\d{{4}})?|"
    r"[a-z]{1,2}\d[a-z\d]? ?\d[a-z]{2}|(?:[a-z]{1,2}-)?\d{4,5}(?: ?[a-z]{2})?(?: [^\W\d_]+(?:-[^\W\d_]+)?)?|\d{2}-\d{3} [^\W\d_]+|\d{5}-\d{3})(?!\w))?"
)

DECLARED = (
    r"(?<!\w)(?:(?:my |the |our |new |home |billing |delivery |shipping |mailing |current |street )*address(?: is| to|:)|(?:meine |neue )*(?:anschrift|adresse)(?: ist| lautet|:)|"
    r"(?:mon |nouvelle )*adresse(?: est|:)|(?:mi |nueva )*direccion(?: es|:)|(?:il mio |nuovo )*indirizzo(?: e|:)|(?:o )?(?:meu |novo )*endereco(?: e|:)|(?:a )?minha morada e|"
    r"(?:mijn |nieuwe )*adres(?: is|:)|(?:moj |nowy )*adres(?: to|:)|mieszkam (?:przy|na)|i live at|ich wohne in der|j'habite(?: au)?|vivo en|abito in|moro na|ik woon (?:op|aan))\s*"
)

DECLARED_VALUE = r"[^\n;?!]{0,60}?\d[^\n;?!]{0,60}?(?=[.;?!\n]|$| (?:and|und|et|y|i|my|mein|mon|but|please|thanks|phone|contact|email|ssn|mobile)\b)"
