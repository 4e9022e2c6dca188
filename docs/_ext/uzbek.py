"""Search in Uzbek, which Sphinx does not have: words are cut and shortened alike here and there.

Uzbek is written with two apostrophes that no keyboard has, and typed with four others or none; and
it hangs its cases, numbers and owners on the end of a word. So a word is searched without its
apostrophes and without these endings. Verbs and derived words are left as they are: they would need
a dictionary, and a search that confuses "toʻlov" with "toʻlash" helps nobody.
"""

import json
import re
from typing import Final

from sphinx.search import SearchLanguage

APOSTROPHES: Final = "ʻʼ'‘’`´"

# The longest first: what is cut from the end, at most three of them, one after another.
ENDINGS: Final = (
    "laringizdan",
    "larimizdan",
    "laringizga",
    "larimizga",
    "laringiz",
    "larimiz",
    "larining",
    "laridan",
    "larida",
    "lariga",
    "larini",
    "larning",
    "lardan",
    "larda",
    "larga",
    "larni",
    "lari",
    "ingizning",
    "ingizdan",
    "ingizga",
    "ingizni",
    "ingiz",
    "imizning",
    "imizdan",
    "imizga",
    "imizni",
    "imiz",
    "sining",
    "sidan",
    "siga",
    "sida",
    "sini",
    "ining",
    "idan",
    "iga",
    "ida",
    "ini",
    "ning",
    "dagi",
    "gacha",
    "lar",
    "dan",
    "cha",
    "ga",
    "ka",
    "qa",
    "da",
    "ni",
    "si",
    "im",
    "i",
)
SHORTEST: Final = 4
"""Letters that must be left: shorter stems mean too much."""

STOP_WORDS: Final = frozenset(
    "va yoki ham bilan uchun bu shu oʻsha u ular siz biz men sen esa emas bor yoʻq bir har hech "
    "agar lekin ammo keyin oldin".replace("ʻ", "").split()
)

_NORMAL: Final = str.maketrans("", "", APOSTROPHES)

_SPLITTER: Final = """
var splitQuery = (query) => query
  .replace(/[%s]/g, "")
  .split(/[^\\p{Letter}\\p{Number}_]+/u)
  .filter((word) => word);
"""

_STEMMER: Final = """
var Stemmer = function () {
  const endings = %s;
  this.stemWord = function (word) {
    let stem = word.toLowerCase().replace(/[%s]/g, "");
    for (let cut = 0; cut < 3; cut++) {
      const ending = endings.find((one) => stem.endsWith(one) && stem.length - one.length >= %d);
      if (ending === undefined) break;
      stem = stem.slice(0, -ending.length);
    }
    return stem;
  };
};
"""


def stem(word: str) -> str:
    """Cut a word's apostrophes and endings.

    Args:
        word: A word, as it is written or typed.

    Returns:
        What it is searched by.
    """
    short = word.lower().translate(_NORMAL)
    for _ in range(3):
        fitting = (e for e in ENDINGS if short.endswith(e) and len(short) - len(e) >= SHORTEST)
        ending = next(fitting, None)
        if ending is None:
            break
        short = short.removesuffix(ending)
    return short


class SearchUzbek(SearchLanguage):
    """Uzbek, in Latin script."""

    lang = "uz"
    language_name = "Uzbek"
    js_splitter_code = _SPLITTER % APOSTROPHES
    js_stemmer_code = _STEMMER % (json.dumps(ENDINGS), APOSTROPHES, SHORTEST)
    stopwords = STOP_WORDS

    def split(self, input: str) -> list[str]:
        """Split a text into words without apostrophes."""
        return re.findall(r"\w+", input.translate(_NORMAL))

    def stem(self, word: str) -> str:
        """Shorten a word."""
        return stem(word)
