"""The commonest short words of each language, and letters that point to it. Written for this project."""

COMMON = {
    "en": "the and you to of a is it that for on my i have with this not are was be can me your do at what please will would from but there how get im its dont need want hi hello thanks an or if when just has been they know where could account order help about does did call why who",
    "de": "der die das und ich ist nicht ein eine zu mit es sie auf für den von im wie was mein meine habe bitte kann wir auch noch bei dem des einen aber sich oder wenn hat bin sind nach wurde war aus mir mich ihr ihre guten tag danke keine kein warum wo wann möchte mal schon",
    "fr": "le la les et je est pas un une de des du que pour dans ce vous mon ma mes en sur avec ne qui il elle au aux plus suis ai été c'est bonjour merci comment où pourquoi quand votre nous mais ou si être j l d n qu puis veux peux avez",
    "es": "el la los las y que de en un una no es mi me por para con se lo como está del al su más pero hola gracias quiero puedo cómo dónde cuándo qué tengo he ha mis yo favor necesito usted le nos ya si muy hay esta este",
    "it": "il lo la i gli le e che di un una non è per con mi mio mia sono ho del della in come da si più ma ciao grazie vorrei posso dove quando cosa perché anche nel alla al dei ha questo questa se io ordine ancora",
    "pt": "o a os as e que de do da em um uma não é para com meu minha eu no na por como mais mas se está foi oi olá obrigado obrigada quero posso onde quando você vocês tenho ao dos das fazer preciso já isso este esta meus",
    "nl": "de het een en ik is niet van te dat op met voor mijn je u in er maar zijn aan om ook heb kan hoe wat waar wanneer waarom hallo bedankt graag nog bij naar wil geen dit deze die mij wordt al door uw we als hebben",
    "pl": "i w nie na z się jest do to że mam mój moja moje jak co ale po za czy dla od przez mi ja dzień dobry proszę dziękuję gdzie kiedy dlaczego są było był była jestem chcę mogę tego nr o już tylko mnie ten ta państwa",
    "sv": "och jag är inte det en ett som på för med att min har till av kan hur var när hej tack vill",
    "da": "og jeg er ikke det en et som på for med at min har til af kan hvordan hvor hvornår hej tak vil",
    "cs": "a je se na že to jsem není ve pro jak moje dobrý den prosím děkuji kde kdy chci mohu",
    "tr": "ve bir bu için ile ben değil var yok nasıl nerede ne zaman merhaba teşekkürler istiyorum benim",
    "ro": "și este nu de la un o cu pentru care în am meu mea cum unde când bună mulțumesc vreau",
    "id": "yang dan di saya tidak ini itu untuk dengan apa bagaimana tolong terima kasih bisa",
}

LETTERS = {
    "ä": "de sv", "ö": "de sv tr", "ü": "de tr", "ß": "de", "ñ": "es", "¿": "es", "¡": "es", "ç": "fr pt tr", "è": "fr it", "ê": "fr pt",
    "à": "fr it", "ù": "it fr", "ò": "it", "ì": "it", "œ": "fr", "ã": "pt", "õ": "pt", "á": "es pt cs", "é": "fr es pt", "í": "es pt cs", "ó": "es pt pl",
    "ú": "es pt", "ł": "pl", "ą": "pl", "ę": "pl ", "ś": "pl", "ć": "pl", "ż": "pl", "ź": "pl", "ń": "pl", "ë": "nl", "ï": "nl", "å": "sv da", "ø": "da",
    "æ": "da", "ě": "cs", "ř": "cs", "š": "cs", "č": "cs", "ž": "cs", "ğ": "tr", "ş": "tr", "ı": "tr", "ă": "ro", "ț": "ro", "ș": "ro",
}  # fmt: skip

SCRIPTS = (
    ("ru", "\u0400", "\u04ff"),
    ("el", "\u0370", "\u03ff"),
    ("ar", "\u0600", "\u06ff"),
    ("he", "\u0590", "\u05ff"),
    ("hi", "\u0900", "\u097f"),
    ("ja", "\u3040", "\u30ff"),
    ("ko", "\uac00", "\ud7af"),
    ("th", "\u0e00", "\u0e7f"),
    ("zh", "\u4e00", "\u9fff"),
)
"""Blocks of Unicode that speak for one language among those that write to us."""
