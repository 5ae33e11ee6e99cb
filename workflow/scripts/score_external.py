"""Score a similarity matrix made elsewhere: every metric with intervals, and paired tests."""

from pathlib import Path

from arguments import add_tables, parser, section
from polymatch.data.splits import SplitReader
from polymatch.data.tables import write_table
from polymatch.errors import one_line_errors
from polymatch.evaluation import RetrievalRanks
from polymatch.evaluation.external import Gallery, layout_of
from polymatch.evaluation.matrices import matrix_shape, mean_matrix
from polymatch.evaluation.record import Evidence, foreign_evidence, read_evidence, score_matrix
from polymatch.reporting.external import external_table
from polymatch.settings.external import ExternalSettings
from polymatch.settings.stages import EvaluationSettings
from polymatch.sources import protocol_of


def main() -> None:
    args = parser(__doc__)
    add_tables(args, required=False)  # a matrix of another data set needs none of them
    args.add_argument("--items", type=Path, help="item features, HDF5, where bad items are skipped")
    args.add_argument("--name", required=True, help="name of the entry")
    args.add_argument("--external", type=section(ExternalSettings), required=True)
    args.add_argument("--evaluation", type=section(EvaluationSettings), required=True)
    args.add_argument("--semantic", type=Path, help=".npz, for average semantic precision")
    args.add_argument("--categories", type=Path, help="Parquet, for plausible-match R-precision")
    args.add_argument("--against", type=Path, nargs="*", default=[], help="ranks of a model's runs")
    args.add_argument("--kind", help="similarity that those ranks are of")
    args.add_argument("--table", type=Path, required=True, help="CSV to write")
    args.add_argument("--ranks", type=Path, required=True, help="Parquet to write")
    given = args.parse_args()
    entry, gallery, evidence = given.external, None, Evidence()
    if entry.own:
        splits = SplitReader.open(
            given.data, given.manifest, given.captions, given.items or Path(), Path()
        )
        items, queries = splits.gallery("test", given.data.test_captions)
        query_of = splits.caption_queries("test", given.data.test_captions)
        gallery = Gallery(items, queries.positives, query_of)
        evidence = read_evidence(
            given.evaluation, items, queries.texts, query_of, given.semantic, given.categories
        )
    files = entry.similarity
    layout = layout_of(entry, matrix_shape(files), files[0], gallery)
    evaluation = given.evaluation
    if not entry.own:
        evaluation, evidence = foreign_evidence(evaluation, layout.item_ids)
    scored = score_matrix(
        mean_matrix(files, layout.rows, layout.columns, layout.row_names, layout.column_names),
        layout.item_ids,
        layout.caption_item_ids,
        evaluation,
        evidence,
        threads=given.threads,
    )
    table = external_table(
        given.name,
        scored,
        evaluation,
        matrices=len(files),
        dropped=layout.dropped,
        against=entry.against,
        kind=given.kind,
        runs=[RetrievalRanks.load(path) for path in given.against],
        protocol=protocol_of(given.data) if entry.own else None,
    )
    scored.ranks.save(given.ranks)
    write_table(table, given.table, "external")


if __name__ == "__main__":
    with one_line_errors():
        main()
