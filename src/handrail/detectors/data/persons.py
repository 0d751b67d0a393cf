"""How people say who they are, in eight languages, lower case without accents. Written for this project."""

INTRODUCTIONS = (
    r"my (?:full |first |last |own )?name is|my name(?:'s| s)|(?:the |his |her )?name's|(?:the )?name(?: on (?:the |my )?(?:account|card|order|booking))? is|my names|the name is|name ?:|full name ?:|first name ?:|last name ?:|surname ?:|"
    r"customer name ?:|passenger name ?:|cardholder ?:|i am called|they call me|"
    r"mein name ist|mein name lautet|mein voller name ist|ich heisse|ich heiße|name ist|mein vorname ist|mein nachname ist|am apparat ist|"
    r"je m'appelle|je mappelle|je m appelle|mon nom est|mon nom c'est|mon prenom est|nom ?:|prenom ?:|"
    r"me llamo|mi nombre es|mi nombre completo es|nombre ?:|apellidos? ?:|mi chiamo|il mio nome e|il mio nome e'|nome e cognome ?:|nome ?:|cognome ?:|"
    r"meu nome e|o meu nome e|me chamo|chamo-me|chamo me|nome completo ?:|mijn naam is|ik heet|mijn volledige naam is|naam ?:|"
    r"nazywam sie|mam na imie|moje imie to|moje nazwisko to|imie i nazwisko ?:|imie ?:|nazwisko ?:"
)

LOOSE = (
    r"in the name of|under the name(?: of)?|on behalf of|registered to|auf den namen|im namen von|au nom de|a nombre de|en nombre de|a nome di|intestat[oa] a|em nome de|op naam van|na nazwisko|w imieniu|"
    r"you are speaking (?:to|with)|speaking (?:to|with)|i am|i'm|im|this is|it's|its|it is|hier ist|hier spricht|ich bin|je suis|c'est|ici|soy|le habla|habla|sono|parla|sou(?: o| a)?|aqui e(?: o| a)?|fala(?: o| a)?|"
    r"ik ben|met|u spreekt met|hier is|jestem|z tej strony|mowi|regards,?|best,?|cheers,?|sincerely,?|thanks,?|best regards,?|kind regards,?|yours sincerely,?|"
    r"mit freundlichen grussen,?|viele grusse,?|liebe grusse,?|beste grusse,?|cordialement,?|saludos,?|un saludo,?|cordiali saluti,?|saluti,?|atenciosamente,?|cumprimentos,?|"
    r"met vriendelijke groet,?|groeten,?|pozdrawiam,?|z powazaniem,?"
)

TITLES = (
    r"mr|mrs|ms|miss|mister|madam|dr|prof|herrn?|frau|monsieur|madame|mademoiselle|mme|mlle|senor|senora|senorita|sra|sr|don|dona|"
    r"signor|signora|signorina|sig|sig\.ra|dott|dottor|senhor|senhora|dhr|mevrouw|mevr|meneer|pan|pani|panie|panstwo"
)

GREETINGS = (
    r"hi|hello|hey|dear|good morning|good afternoon|good evening|thank you|thanks|sorry|welcome back|hallo|liebe[rs]?|sehr geehrte[rs]?|guten tag|guten morgen|moin|danke|"
    r"bonjour|bonsoir|salut|cher|chere|merci|hola|buenos dias|buenas tardes|estimad[oa]|querid[oa]|gracias|ciao|buongiorno|buonasera|gentile|car[oa]|egregio|grazie|"
    r"ola|bom dia|boa tarde|prezad[oa]|obrigad[oa]|goedemorgen|goedemiddag|beste|geachte|bedankt|czesc|dzien dobry|witam|witaj|drog[ia]|szanown[ya]"
)

PARTICLES = "van|von|vom|zu|zur|de|den|der|du|da|das|do|dos|di|del|della|ter|ten"
"""Small words a family name begins with."""

CONNECTORS = frozenset(
    "de del della di da do dos das van von der den zu zur la le du al el ten ter bin ibn y e".split()
)

NOT_NAMES = frozenset(
    """a an the and or but not no is are was am my your his her our their this that these those it i you he she we they me us them
    here there from with without on in at to for of by as so very really just still only also too now then today tomorrow yesterday
    please thanks thank hello hi hey dear sir madam team support customer service agent everyone everybody all both
    wrong right correct incorrect spelled spelt misspelled missing different same changed unknown listed shown registered
    account number card order email phone address password ssn zip code date birth dob policy booking reservation name names first last full
    calling speaking looking trying having going waiting writing contacting interested happy unhappy sorry sure afraid unable able
    what when where which who why how can could would will shall should may might must do does did have has had be been being get got
    good great fine bad new old valid urgent ridiculous unacceptable because if about regarding yes ok okay
    nicht ein eine der die das den dem und oder aber ist sind war mein meine ihr ihre von mit auf fur bei hier da wie was wann warum kunde kundin
    damen herren zusammen team sehr bitte danke falsch richtig noch schon auch
    le la les un une des et ou mais est suis sont mon ma mes votre vos de du dans sur avec pour pas tres client cliente madame monsieur mesdames messieurs
    el los las una unos y o pero es son mi su de del en con por para no muy cliente equipo senores
    il lo gli i uno e ma sono mio mia suo sua di del della in con per non molto cliente signori tutti
    os as um uma e mas sou meu minha seu sua do da em com por para nao muito cliente senhores todos
    de het een en maar ben is mijn uw van in met voor niet zeer klant heer mevrouw allemaal
    i a ale jest moj moja pan pani panstwo w z na do nie bardzo klient klientka dziekuje prosze""".split()
)
