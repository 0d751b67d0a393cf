"""How e-mail addresses are written, spoken and mangled. Written for this project; the written form follows RFC 5321 loosely."""

EMAIL = r"(?<![\w.+\-%])[\w.+\-%]{1,64}(?:[ ]?@[ ]?)(?:[^\W_](?:[\w\-]{0,62}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![\w\-])"

AT = (
    r"(?:\s*[\[({<]\s*(?:at|@|ät|arobase|arroba)\s*[\])}>]\s*|\s+(?:at|ät|at the rate|klammeraffe|arobase|arobas|arroba|"
    r"chiocciola|apenstaartje|malpa|@)\s+)"
)

DOT = r"(?:\s*[\[({<]\s*(?:dot|punkt|point|punto|\.)\s*[\])}>]\s*|\s+(?:dot|punkt|point|punto|ponto|punt|kropka)\s+|\.)"

TOP = r"(?:com|net|org|edu|gov|info|biz|io|ai|co|me|eu|uk|us|de|at|ch|fr|be|es|it|pt|br|nl|pl|in|au|ca|ie|mx|ar|jp|tv|app|dev|se|no|dk|fi|cz)"

PIECE = r"[a-z0-9][a-z0-9_\-+]{0,40}"

SPOKEN_EMAIL = rf"(?<![\w.]){PIECE}(?:{DOT}{PIECE}){{0,3}}{AT}{PIECE}(?:{DOT}{PIECE}){{0,2}}{DOT}{TOP}(?![a-z0-9])"

PROVIDERS = "gmail|googlemail|yahoo|ymail|hotmail|outlook|icloud|rediffmail|aol|protonmail|posteo|gmx|mailinator|orange|libero|wanadoo|laposte"

DOTLESS_EMAIL = rf"(?<![\w.@])[a-z][\w.]{{0,30}}(?: \d{{1,5}})? ?(?:{PROVIDERS}) ?(?:com|in|net|de|fr|it|es|pl|nl|co ?uk|com ?br)(?![\w])"

LAST_WORD_EMAIL = r"[\s:=]*(?:is|id|address|its|it is|to|ist|est|es|e|[\s:=])*([a-z][\w.]{1,40}(?: \d{1,5})? ?[\w]{0,30}(?:com|couk))(?!\w)"
