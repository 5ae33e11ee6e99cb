"""Turn captions into words: a vocabulary, given or built, and the captions as numbers of it."""

import argparse
from pathlib import Path

import pandas as pd

from arguments import add_tables, section
from polymatch.data.captions import select_kinds
from polymatch.data.tables import read_table, write_table
from polymatch.data.vocabulary import Vocabulary
from polymatch.data.words import write_words
from polymatch.errors import one_line_errors
from polymatch.settings.words import WordsSettings


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__)
    add_tables(args)
    args.add_argument("--settings", type=section(WordsSettings), required=True)
    args.add_argument("--vocabulary", type=Path, required=True, help="JSON to write")
    args.add_argument("--words", type=Path, required=True, help="HDF5 to write")
    args.add_argument("--unknown-words", type=Path, required=True, help="CSV to write")
    args.add_argument("--unknown-captions", type=Path, required=True, help="CSV to write")
    given = args.parse_args()
    data, settings = given.data, given.settings
    captions = read_table(given.captions, "captions")
    if settings.vocabulary is None:
        manifest = read_table(given.manifest, "manifest")
        items = manifest.loc[manifest["split"].isin(settings.splits), "item_id"]
        taught = select_kinds(captions, data.train_captions)
        texts = taught.loc[taught["item_id"].isin(items), "text"]
        vocabulary = Vocabulary.build(texts, settings.min_count, settings.style)
    else:
        vocabulary = Vocabulary.load(settings.vocabulary, settings.style)
    used = select_kinds(captions, sorted({*data.train_captions, *data.test_captions}))
    unknown = write_words(
        given.words,
        used["caption_id"].tolist(),
        used["text"].tolist(),
        vocabulary,
        {"dataset": data.name, "command": "tokenise"},
        settings.unknown,
    )
    vocabulary.save(given.vocabulary)
    counts = pd.DataFrame(unknown.counts.most_common(), columns=["word", "count"])
    write_table(counts, given.unknown_words, "unknown_words")
    without = used.loc[used["caption_id"].isin(unknown.captions), ["caption_id", "text"]]
    write_table(without, given.unknown_captions, "unknown_captions")
    print(
        f"{len(vocabulary)} words, {len(used)} captions; {len(unknown.counts)} other words occur "
        f"{unknown.counts.total()} times, {len(unknown.captions)} captions have only such words"
    )


if __name__ == "__main__":
    with one_line_errors():
        main()
