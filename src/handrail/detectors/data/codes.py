"""Words after "password" that are not the password, lower case without accents, in eight languages. Written for this
project."""

NOT_A_VALUE = frozenset(
    """a an the my your our his her their this that it its is was be been being not no isn isnt doesn doesnt don dont won wont can cannot cant could
    incorrect wrong invalid right correct expired locked weak strong required rejected forgotten lost stolen changed compromised leaked hacked
    secure reset resetting working work works accepted recognized recognised saved stored sent set too still again now also and or but if when how
    what why where who for to from in on of with without at by as so because please help need want change changing forgot forget remember update
    recover recovery link email mail page screen field box manager requirements policy protected hint option button prompt login same different new
    old long short case sensitive blank empty missing unknown failed fails failing keeps doing just only very all i you we they he she me us them
    has have had does do did would should will may might there here yes ok okay sure thanks thank hello hi get got give gave try tried trying
    something anything nothing known good bad fine ready visible shared default temporary unable able needed asked asking entered typed
    falsch richtig abgelaufen nicht vergessen zurucksetzen andern geandert gesperrt ungultig mehr kein keine und oder ist war wird wurde funktioniert
    geht habe hat haben ich mein meine das der die den dem bitte zu fur von mit auf immer noch sicher stimmt
    incorrecte incorrect oublie perdu faux expire bloque refuse change changer reinitialiser ne pas marche fonctionne est et ou mon ma le la les un une
    de du des je j ai que qui pour avec dans sur plus toujours valide invalide
    incorrecta incorrecto olvidada olvide he perdida caducada bloqueada no funciona cambiar restablecer es y o mi la el los las un una de del que
    para con en por muy valida invalida
    errata sbagliata dimenticata scaduta bloccata non funziona cambiare reimpostare ho e il lo la i gli le di da che per con su mia mio
    errada incorreta esquecida esqueci expirada bloqueada nao funciona alterar redefinir minha meu o a os as um uma do da dos das que para com em
    verkeerd onjuist vergeten verlopen geblokkeerd niet werkt wijzigen resetten mijn de het een en of van voor met op dat die is
    bledne niepoprawne zapomnialem zapomnialam wygaslo zablokowane nie dziala zmienic zresetowac moje moj jest i lub do na w z ze sie""".split()
)

LINKS = frozenset("is are : = ist lautet est es e è é jest to on zu auf a en it's its was war être".split())
"""Words that say "here it comes"."""

CLAUSE = (
    r",? (?:that |which |for (?:it|this|that|my account|the account|the app|the site) )?"
    r"(?:(?:i|we|he|she|my \w+) (?:set|use|used|chose|choose|picked|made|have|had|created|entered|tried|typed|registered|put|gave)"
    r"(?: up| in| for it| before| myself)?|(?:das|welches) (?:ich|wir) (?:\w+ ){0,2}\w+|que (?:j'ai|j'utilise|je) ?(?:\w+)?|"
    r"que (?:uso|puse|tengo|elegi|utilizo|usei|tenho|escolhi|coloquei)|che (?:uso|ho \w+|utilizzo)|dat (?:ik|we) (?:\w+ ){0,1}\w+|"
    r"ktorego uzywam|ktore \w+)"
)
"""Between the word and "is": "the password I set is"."""
