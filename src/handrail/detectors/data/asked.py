"""How somebody asks for a value, in eight languages, lower case without accents. Written for this project."""

REQUESTS = (
    r"\?|\b(?:please|pls|plz|kindly|may i|can i|could i|can you|could you|would you|will you|(?:i|we) (?:(?:ll|will|d|would|just|also|only|still) )*(?:need|require)|"
    r"provide|give me|tell me|share|send me|enter|type|confirm|verify|help me with|what is|what s|whats|let me know|"
    r"bitte|konnten sie|konnen sie|kannst du|darf ich|nennen|geben sie|teilen sie|ich brauche|ich benotige|wir brauchen|wir benotigen|bestatigen|"
    r"s il vous plait|svp|stp|pourriez|pouvez|peux tu|puis je|puis-je|donnez|indiquez|merci de|merci d|communiquez|j ai besoin|il me faut|il nous faut|confirmez|"
    r"por favor|podria|puede|puedes|me da|deme|digame|dime|indique|indiqueme|facilite|necesito|necesitamos|confirme|"
    r"per favore|per cortesia|potrebbe|puo|puoi|mi dia|mi dica|dammi|dimmi|inserisca|indichi|mi serve|ho bisogno|abbiamo bisogno|confermi|"
    r"poderia|pode|podes|me diga|diga|informe|forneca|indique|preciso|precisamos|digite|"
    r"alstublieft|alsjeblieft|graag|kunt u|kun je|mag ik|geef|geeft u|vermeld|ik heb|wij hebben|bevestig|"
    r"prosze|poprosze|prosimy|moge prosic|czy moge|podac|podaj|poda pan|poda pani|potrzebuje|potrzebujemy|potwierdzic|potwierdz)\b"
)
"""What turns a sentence into a request. Apostrophes are blanks here."""

CODES_SENT = (
    r"\b(?:[4-8]|four|six|eight|vier|sechs|quatre|six|seis|cuatro|quattro|sei|quatro|zes|cztero|szescio)[ -]?(?:digit|stellig\w*|chiffres|digitos|cifre|cijferig\w*|cyfrow\w*)[ -](?:pass)?code|"
    r"\b(?:pass)?code\b.{0,24}\b(?:sent|texted|emailed|messaged|received|generated|in the (?:text|sms|app|e ?mail)|from (?:the|your) (?:text|sms|app|e ?mail))\b|"
    r"\bcodes?\b.{0,30}\b(?:geschickt|gesendet|zugesandt|erhalten|bekommen|aus der (?:sms|app|mail|e ?mail))\b|"
    r"\bcode\b.{0,30}\b(?:envoye|recu|par (?:sms|mail|e ?mail))\b|"
    r"\bcodigo\b.{0,30}\b(?:enviado|enviamos|envie|enviei|mandado|recibido|recibio|recebeu|recebido|por sms)\b|"
    r"\bcodice\b.{0,30}\b(?:inviato|mandato|ricevuto|via sms)\b|"
    r"\bcode\b.{0,30}\b(?:gestuurd|verstuurd|ontvangen|gekregen|per sms|uit de (?:sms|app|mail))\b|"
    r"\bkod\w*\b.{0,30}\b(?:wyslal\w*|wyslany|przeslal\w*|otrzyma\w*|z (?:sms|aplikacji|maila))"
)
"""A one-time code, as the one who sent it speaks of it: "the code we have just sent to your phone"."""

NUMBER_WORDS = (
    r"\b(?:number|numbers|no|nr|num|numero|nummer|numer|digits?|ziffern?|stellen|chiffres?|digitos?|cifras?|cifre|algarismos?|"
    r"cijfers?|cyfr\w*|code|codigo|codice|kod|id|reference|ref|referenz|riferimento|referencia|kenmerk)\b|nummer\b"
)
"""Beside the name of a thing: it is the thing's number that is asked for."""

NAMES = (
    r"\b(?:your|ur) (?:(?:full|first|last|given|family|sur|good|complete|legal|and|or|middle|\W)+ ?)*(?:names?|surname)\b|"
    r"\b(?:full|first|last|family) name\b|^\W*names?(?:\W*$|[,;:?/&]| and\b| or\b| please\b)|\bname please\b|\bnames? on (?:the|your) (?:account|card|booking|reservation|order|policy)\b|\bwho am i (?:speaking|talking|chatting)|\bwho is (?:calling|speaking)|"
    r"\bwhat should i call you|\bmay i have (?:the|a) name\b|"
    r"\b(?:ihre?n?|deine?n?) (?:(?:vollstandigen?|vollen?|ganzen?|vor-? ?(?:und|&)|nach) ?)*(?:vor|nach)?namen?\b|\bwie heissen sie|\bwie heisst du|\bmit wem spreche ich|"
    r"\b(?:votre|vos|ton) (?:prenom|noms?)\b|\bnom et prenom|\bcomment vous appelez|\ba qui ai.je|\ba quel nom\b|"
    r"\b(?:su|tu) nombre\b|\bnombre (?:completo|y apellidos?)|\bcomo se llama|\bcomo te llamas|\bcon quien (?:hablo|tengo)|\ba nombre de quien|"
    r"\b(?:suo|tuo) (?:nome|cognome)\b|\bnome e cognome|\bcome si chiama|\bcome ti chiami|\bcon chi parlo|"
    r"\b(?:seu|teu) nome\b|\bnome completo|\bcomo se chama|\bcom quem (?:eu )?(?:falo|estou falando)|"
    r"\b(?:uw|je|jouw) (?:volledige |voor-? ?(?:en|&) ?achter)?(?:voor|achter)?naam\b|\bhoe heet (?:u|je)|\bmet wie spreek|"
    r"\b(?:pana|pani|twoje|twoj) (?:imie|nazwisko)|\bimie i nazwisko|\bjak (?:sie )?(?:pan|pani)? ?(?:nazywa|na imie)|\bz kim (?:rozmawiam|mam)"
)
"""A request for the name of the person who is asked, not of a thing."""

NOT_AN_ANSWER = frozenset(
    """never nothing none nope nah why wait hold again later forgot forgotten remember know idk dunno cancel stop help agent human person operator bye goodbye
    actually well think guess ugh hmm uh um wow lol oops refund private secret personal already told busy maybe whatever anything wait
    nein nie nichts vergessen weiss spater warum wieso hilfe mensch eigentlich also moment geheim privat non jamais rien oublie pourquoi aide plus sais attendez
    nunca nada olvide olvidado ninguno ninguna porque ayuda luego espere mai niente dimenticato dimenticata nessuno perche aiuto dopo aspetti
    nao esqueci nenhum nenhuma ajuda depois espere nee nooit niets vergeten waarom hulp straks wacht
    nie nigdy zapomnialem zapomnialam dlaczego pomoc potem wiem chwile""".split()
)
"""Words that say there will be no answer, or that one begins a sentence about something else."""

HEDGES = frozenset(
    """or either maybe guess think believe might may be could perhaps try
    oder vielleicht glaube ou peut etre crois o quizas creo forse credo talvez acho of misschien denk lub moze chyba""".split()
)
"""Before a value that somebody is not sure of."""

JOINTS = frozenset(
    """at in for by from to on since until before after
    over under cancel check make change""".split()
)
"""Words of `replies.UNITS` that may follow a value all the same: "85731890 at my bank"."""

AFTER_A_NAME = frozenset(
    """but with here speaking calling aber hier mais ici pero y e
    aqui ma qui mas maar ale tutaj""".split()
)
"""Behind a name: what follows is something else."""

NOTE_WORDS = frozenset(
    """your full first last four 4 digits and or of ihre ihr letzten vier ziffern und oder votre vos derniers chiffres ou
    su sus tu ultimos digitos suo sua ultime cifre seu sua uw je laatste cijfers of pani pana twoj twoje ostatnie cyfry lub oraz""".split()
)
"""Between the names of values in a message that only names them: "full name and account number"."""
