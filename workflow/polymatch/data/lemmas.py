"""Lemmas of a caption's nouns, verbs and adjectives, without stop words: what can be a concept tag.

Source: the preparation of Dual Encoding (Dong et al., TPAMI 2021) and of Dual Encoding++ (ICCE-Asia
2023), which take NLTK's perceptron tagger, WordNet's lemmas and NLTK's stop words. All three are
downloads; what stands in for them here comes inside of packages:

- parts of speech: TextBlob's tagger (the lexicon and rules of Brill's tagger, from Pattern);
- lemmas: the dictionary of LemmInflect by part of speech; a word that it lacks stays as it is, as
  with WordNet. Its guesses for such words are not asked for: they were wrong more often;
- stop words: those of wordcloud, with the pieces that their contractions fall into (``don``,
  ``t``). They are function words like NLTK's, and ``get``, ``like``, ``let`` and a few of the web
  (``com``) beside; NLTK's ``now`` and ``will`` are no nouns, verbs or adjectives here anyway.
  scikit-learn's list was not taken: ``fire``, ``cry`` and ``move`` are on it.

Of 285 lemmas in 64 captions that were labelled by hand (``tests/data/lemmas.tsv``) it finds 280,
and five that are not there. What it gets wrong are mostly words that are a noun as often as a verb:
``dancing``, ``leaves``, ``shot``. With scikit-learn's stop words 268 were found.

Deviation: words are those between blanks; NLTK also parts ``cannot`` or ``gonna``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from polymatch.data.tokens import plain_words

_PARTS = {"N": "NOUN", "V": "VERB", "J": "ADJ"}


def lemmatiser() -> Callable[[str], list[str]]:
    """Return the function that gives a caption's lemmas, in the order of its words.

    >>> lemmatiser()("Two dogs aren't running; the children's old car is!")
    ['dog', 'run', 'child', 'old', 'car']
    """
    # Imported here: it takes two seconds, and only the one job that makes tags needs it.
    from lemminflect import getAllLemmas
    from textblob.taggers import PatternTagger
    from wordcloud import STOPWORDS

    stop = {piece for word in STOPWORDS for piece in plain_words(word)}
    tagger = PatternTagger()

    @cache
    def lemma(word: str, part: str) -> str:
        known = getAllLemmas(word, upos=part).get(part)
        return known[0].lower() if known else word

    def lemmas(text: str) -> list[str]:
        words = plain_words(text)
        if not words:
            return []
        tagged = tagger.tag(" ".join(words), tokenize=False)
        found = [lemma(word, _PARTS[tag[0]]) for word, tag in tagged if tag[:1] in _PARTS]
        return [word for word in found if word not in stop]

    return lemmas
