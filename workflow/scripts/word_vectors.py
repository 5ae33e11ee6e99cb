"""Write the vectors that words start from: of word2vec, or of the text encoder."""

import argparse
from pathlib import Path

from arguments import section
from encoder_arguments import add_loading, loaded
from polymatch.data.tables import write_table
from polymatch.data.vocabulary import Vocabulary
from polymatch.data.word_vectors import (
    complete,
    drawn_table,
    own_words,
    word2vec,
    write_word_vectors,
)
from polymatch.errors import one_line_errors
from polymatch.settings.encoder import EncoderSettings
from polymatch.settings.words import WordsSettings, vectors_named


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--dataset", required=True, help="name of the data set")
    args.add_argument("--settings", type=section(WordsSettings), required=True)
    args.add_argument("--encoder", type=section(EncoderSettings), required=True)
    args.add_argument("--vocabulary", type=Path, required=True)
    args.add_argument("--vectors", type=Path, required=True, help="HDF5 to write")
    args.add_argument("--unknown", type=Path, required=True, help="CSV to write")
    add_loading(args)
    given = args.parse_args()
    named = vectors_named(given.settings, given.encoder, "word_vectors.h5")
    vocabulary = Vocabulary.load(given.vocabulary, given.settings.style)
    words = own_words(vocabulary)
    if named == "encoder":
        # Here: it takes seconds, and word2vec needs no network.
        from polymatch.encoders import word_embeddings

        encoder = loaded(given, "captions")
        source, found = encoder.info.name, word_embeddings(encoder, words)
    else:
        source, found = f"word2vec of {named}", word2vec(named, words)
    vectors, drawn = complete(vocabulary, found)
    about = {"encoder": source, "dataset": given.dataset, "command": "word_vectors"}
    write_word_vectors(given.vectors, vocabulary, vectors, about)
    write_table(drawn_table(vocabulary, drawn), given.unknown, "unknown_vectors")
    print(f"{len(vocabulary)} words, {vectors.shape[1]} numbers each; {len(drawn)} vectors drawn")


if __name__ == "__main__":
    with one_line_errors():
        main()
