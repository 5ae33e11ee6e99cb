"""Export a model to ONNX and check it, audit its operators, and simulate it on analog arrays.

The first of the runs is exported and audited; all of them are simulated.
"""

import json
from pathlib import Path

import torch

from arguments import add_embeddings, parser, reader, section
from polymatch.data.tables import write_table
from polymatch.deployment.analog import deployable, simulate, simulated_record
from polymatch.deployment.audit import audit
from polymatch.deployment.export import check_export, export_onnx
from polymatch.deployment.graphs import model_graphs
from polymatch.errors import one_line_errors
from polymatch.files import written_atomically
from polymatch.models import load_model
from polymatch.settings.stages import DeploymentSettings


def main() -> None:
    args = parser(__doc__)
    add_embeddings(args)
    args.add_argument("--settings", type=section(DeploymentSettings), required=True)
    args.add_argument("--weights", type=Path, nargs="+", required=True, help="of the model's runs")
    args.add_argument("--name", required=True, help="of the model")
    args.add_argument("--kind", required=True, help="which similarity")
    args.add_argument("--onnx", type=Path, required=True, help="folder for the ONNX files")
    args.add_argument("--operators", type=Path, required=True, help="audit's table, CSV")
    args.add_argument("--analog", type=Path, required=True, help="simulation's table, CSV")
    args.add_argument("--out", type=Path, required=True, help="the record, JSON")
    given = args.parse_args()
    torch.set_num_threads(given.threads)
    splits = reader(given)
    val, test = (splits.retrieval_set(s, given.data.test_captions) for s in ("val", "test"))
    models = [load_model(weights.parent) for weights in given.weights]

    graphs = model_graphs(models[0], given.kind)
    exported = check_export(export_onnx(graphs, given.onnx), models[0], given.kind, test)
    audited = audit(graphs, test)
    label = f"analog simulation of {given.name} ({given.kind})"
    table = simulate(models, given.kind, val, test, given.settings, label)

    record = {"model": given.name, "similarity": given.kind}
    record |= simulated_record(table, given.settings)
    record |= {"deployable": deployable(record, audited.record, given.settings)}
    record |= exported | audited.record
    write_table(audited.table, given.operators, "operators")
    write_table(table.assign(model=given.name, similarity=given.kind), given.analog, "analog")
    with written_atomically(given.out) as path:
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with one_line_errors():
        main()
