"""Words that link a name to its value in eight languages, without accents. Written for this project."""

BEFORE_WORDS = (
    "is it its s are was no nr num number nummer numero numer the new old current and to for ist war lautet die der das "
    "meine est c le la les mon ma es el mi con e il lo mia o a meu minha do da mijn van het jest moj moja sort code full "
    "i think starts with my of last four 4 digits letzten vier ziffern on id bank in de di d mich me mi ok yes sure "
    "n hat sind lauten son sont sono sao zijn sa mon mes le les os as dos del della"
)
"""Between a name and the value behind it."""

AFTER_WORDS = (
    "is it its it's this that that's was are my our the his her their new old current for as ist das mein meine unser unsere die der est c'est "
    "c mon ma le la notre es mi nuestro el mio mia il e o a meu minha mijn het de dat to jest moj moja s thats also number"
)
"""Between a value and the name behind it."""

IS_WORDS = "is its it's was are ist est c'est c es e het jest s thats that's"
"""Those of them that say that the value is what the name says: "078051120 is my ssn, 3 letters"."""
