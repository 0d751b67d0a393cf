"""Letters of other scripts that look like Latin ones.

Source: chosen by eye from the Cyrillic, Greek and Latin Extended charts (Unicode 16, unicode.org/charts); the idea of
a skeleton is that of UTS #39 (unicode.org/reports/tr39), whose full table is not copied: it folds letters that people
do write. Pairs of equal length: the n-th letter of the first looks like the n-th of the second.
"""

CYRILLIC = (
    "аеорсухіјѕһԁԛԝӏгвмнткАВЕКМНОРСТУХІЈЅԌԚԜӀ",
    "aeopcyxijshdqwlrbmhtkABEKMHOPCTYXIJSGQWI",
)
GREEK = (
    "αοιυνκρτεχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aoiuvkptexABEZHIKMNOPTYX",
)
OTHER = (
    "ıɑɡɩʟԝոօսᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢ",
    "iagilwnouacdejkmoptuvwz",
)

PUNCTUATION = {
    "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201b": "'", "\u02bc": "'", "\u00b4": "'", "\u0060": "'",
    "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2015": "-", "\u2212": "-",
    "\u2043": "-", "\ufe63": "-", "\u00ad": "", "\u2044": "/", "\u2215": "/", "\u2236": ":", "\u00b7": ".",
    "\u2022": ".", "\u3002": ".", "\uff61": ".", "\u201c": '"', "\u201d": '"', "\u201e": '"',
    "\u2800": " ", "\u2028": "\n", "\u2029": "\n", "\u0085": "\n",
}  # fmt: skip

ZERO_WIDTH = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b"
    "\u202c\u202d\u202e\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\u206a\u206b\u206c\u206d\u206e\u206f"
    "\u3164\ufe00\ufe01\ufe02\ufe03\ufe04\ufe05\ufe06\ufe07\ufe08\ufe09\ufe0a\ufe0b\ufe0c\ufe0d\ufe0e\ufe0f\ufeff\uffa0"
)
"""Characters without a glyph (general category Cf, fillers, variation selectors); removed."""
