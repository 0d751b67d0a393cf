"""Words of illness, treatment and pregnancy, lower case without accents, as stems in eight languages; and the words
that make them somebody's own. Written for this project; the areas follow the chapters of ICD-11 (icd.who.int)."""

CONDITIONS = """diabet|cancer|tumou?r|leuk[ae]?emi|chemo|asthma|epilep|seizure|depress(?:ion|ed)|anxiety|bipolar|schizophren|autis|adhd|dementia|alzheimer|parkinson|multiple sclerosis|
hiv|hepatitis|covid|pregnan|miscarriage|stroke|heart (?:attack|condition|disease|failure|surgery)|pacemaker|high blood pressure|hypertension|kidney (?:disease|failure)|dialysis|arthritis|migraine|chronic (?:pain|illness|fatigue)|
insulin|antidepressant|medication|prescription drug|disabilit|disabled|wheelchair|mental health|panic attack|ptsd|eating disorder|anorexi|bulimi|surgery|allergic to|allergic reaction|terminally ill|diagnosed|in (?:the )?hospital|hospitali[sz]ed|
krebs|chemotherapie|epilepsie|depression|angststorung|schizophrenie|demenz|schwanger|fehlgeburt|schlaganfall|herzinfarkt|herzschrittmacher|bluthochdruck|niereninsuffizienz|dialyse|rheuma|behinder|schwerbehinder|rollstuhl|allergisch|diagnostiziert|krankenhaus|medikament|operiert|
diabete|asthme|enceinte|fausse couche|infarctus|avc|hypertension|maladie chronique|handicap|fauteuil roulant|sclerose|schizophrene|demence|traitement medical|hospitalis|allergique|depressi|operation chirurgicale|
asma|embarazad|aborto|infarto|derrame cerebral|hipertension|quimioterapia|discapacidad|silla de ruedas|esquizofrenia|demencia|alergic|diagnosticad|hospital|ansiedad|enfermedad|
tumore|cancro|incinta|gravidanza|ictus|ipertensione|chemioterapia|disabil|sedia a rotelle|schizofren|demenza|allergic|diagnosticat|ospedale|depression|ansia|malattia|sclerosi|
cancer|gravida|avc|hipertensao|deficiencia|cadeira de rodas|esquizofrenia|alergic|depressao|ansiedade|doenca|quimioterapia|
kanker|zwanger|miskraam|beroerte|hartaanval|hartinfarct|hoge bloeddruk|rolstoel|gehandicapt|allergisch|gediagnosticeerd|ziekenhuis|depressie|chronisch ziek|suikerziekte|
cukrzyc|nowotw|padaczk|depresj|schizofreni|ciazy|poronieni|udar|zawal|nadcisnieni|niepelnospraw|wozek inwalidzki|wozku inwalidzkim|alergi|szpital|chorob|choruje|astm|
[a-z]+krebs|leukami|migran|arthrose|multiple sklerose|dialys|leucemi|hopital|opere|(?:gravement|tres|toujours) malade|sida(?![a-z])|arthrite|anxiete|burn-?out|
depresi|esclerosis|dialisis|artritis|artrosis|leucemia|operad[oa](?![a-z])|me operaron|cirugia|epiless|depress[ao]|dialisi|artrit|artros|emicrani|operat[oa](?![a-z])|intervento chirurgico|
esclerose|enfarte|dialise|enxaqueca|cirurgia|demencia|operad[oa](?![a-z])|[a-z]+kanker|angststoornis|dementi|dementeren|reuma|artrose|geopereerd|operatie aan|
rak(?:a|iem)?(?![a-z])|autyz|demencj|stwardnieni|dializ|reumat|migren|operacj|bialaczk|gehorlos|malvoyant|niewidom"""

OWN = """i|i'm|im|i've|ive|my|me|mine|we|our|ich|mein|meine|meinem|meiner|mich|mir|wir|unser|unsere|je|j'ai|j|suis|mon|ma|mes|nous|notre|yo|mi|mis|tengo|soy|estoy|padezco|sufro|
io|mio|mia|ho|sono|soffro|eu|meu|minha|tenho|sou|estou|sofro|ik|mijn|heb|ben|mam|moj|moja|moje|jestem|choruje|cierpie|he|she|hij|zij|ella|ele|ela|ona"""

STATED = """have|has|had|am|are|was|were|been|suffer|suffers|suffering|diagnosed|take|taking|on|with|need|got|due|because|undergoing|recovering|live|living|having|'m|'ve|m|ve|im|ive|pregnant|
habe|hat|bin|ist|leide|leidet|nehme|wegen|wurde|war|hatte|im|ai|suis|est|souffre|prends|atteint|atteinte|a|cause|tengo|tiene|soy|estoy|es|padezco|sufro|tomo|por|ho|ha|sono|soffro|prendo|per|
tenho|tem|sou|estou|sofro|heb|heeft|ben|lijd|gebruik|slik|wegens|mam|ma|jestem|choruje|cierpie|biore|z|w|na|malata|malato|krank|malade|enfermo|enferma|doente|ziek|chory|chora"""

NOT_OWN = r"\b(?:insurance|cover(?:age)?|policy|policies|plan|plans|card|products?|info(?:rmation)?|versicherung|assurance|seguro|assicurazione|verzekering|ubezpieczeni\w*)\b"
"""Sentences about cover in general speak of illness without saying who is ill."""
