"""ASP and PMRP beside the published code, or beside its naive form: seconds and memory.

ASP is that of 1,000 items x 5,000 captions, both directions, for a semantic similarity without
zeros, one mostly of zeros and the same as a sparse matrix. PMRP is that of five folds of the given
number of items with five captions each, with codes of 80 categories as frequent as COCO's, about.

    python benchmarks/asp_pmrp.py [--items 1000] [--threads 2] [--rounds 3] [--published FOLDER]

``--published`` takes a checkout of the published code: ``ASP_compute`` of its ``evaluation.py``
and ``main`` of its ``pmrp_evaluation.py`` are run, on files in a temporary folder, in place of the
forms written here. Its PMRP makes one object of each candidate of every query: it gets folds of
``--pmrp-items``, and its seconds for all are extrapolated by their square.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path

FOLDS, CAPTIONS_AN_ITEM, CATEGORIES = 5, 5, 80


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=1000, help="of ASP and of each fold of PMRP")
    parser.add_argument("--pmrp-items", type=int, default=100, help="of each slow fold of PMRP")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--published", type=Path)
    parser.add_argument("--memory-of", choices=["asp", "pmrp"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(options.threads)  # read when NumPy and torch are imported
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))
    if options.memory_of:
        print(extra_memory(options))
        return
    # Memory first: the kernel credits a child with what its parent holds when it is started.
    memory = {name: memory_in_subprocess(name, options) for name in ("asp", "pmrp")}
    compare_asp(options, memory["asp"])
    compare_pmrp(options, memory["pmrp"])


def compare_asp(options: argparse.Namespace, memory: float) -> None:
    import torch
    from scipy import sparse

    from polymatch.evaluation import average_semantic_precision

    torch.set_num_threads(options.threads)
    similarity, dense, mostly_zero = asp_example(options.items)
    slow = asp_form(options.published)
    print(f"ASP, {similarity.shape[0]} x {similarity.shape[1]} float32, both directions")
    for name, semantic in (
        ("no zeros", dense),
        ("90% zeros", mostly_zero),
        ("sparse", sparse.csr_array(mostly_zero)),
    ):
        plain = mostly_zero if name == "sparse" else semantic
        forms = {
            "slow": lambda plain=plain: (slow(similarity, plain), slow(similarity.T, plain.T)),
            "ours": lambda semantic=semantic: average_semantic_precision(
                similarity, semantic, threads=options.threads
            ),
        }
        seconds, found = alternately(forms, options.rounds)
        print(
            f"  {name:10} {seconds['slow']:6.3f} s (CPU {seconds['slow CPU']:.3f}), ours "
            f"{seconds['ours']:.3f} s (CPU {seconds['ours CPU']:.3f}), "
            f"ratio {seconds['slow'] / seconds['ours']:.1f}; "
            f"v2t {found['slow'][0]:.4f}, ours {found['ours'][0]:.4f}"
        )
    print(f"  ours holds {memory:.0f} MB beside its matrices")


def compare_pmrp(options: argparse.Namespace, memory: float) -> None:
    similarity, codes = pmrp_example(options.items)
    small = pmrp_example(options.pmrp_items)
    slow = published_pmrp(options.published) if options.published else naive_pmrp
    seconds, found = alternately({"slow": lambda: slow(*small)}, 1)
    ours_of_small = our_pmrp(*small, options.threads)
    worst = max(abs(found["slow"][name] - ours_of_small[name]) for name in found["slow"])
    if worst > 1e-9:
        raise SystemExit(f"the two forms of PMRP disagree by {worst}")
    ours, _ = alternately(
        {"ours": lambda: our_pmrp(similarity, codes, options.threads)}, options.rounds
    )
    scale = (options.items / options.pmrp_items) ** 2
    print(f"PMRP, {FOLDS} folds of {options.items} items, {CAPTIONS_AN_ITEM} captions each")
    print(
        f"  {scale * seconds['slow']:.1f} s ({seconds['slow']:.2f} s for folds of "
        f"{options.pmrp_items}, times {scale:.0f}), ours {ours['ours']:.3f} s "
        f"(CPU {ours['ours CPU']:.3f}), "
        f"ratio {scale * seconds['slow'] / ours['ours']:.0f}; ours holds {memory:.0f} MB beside "
        f"its matrix; on the small folds both agree to {worst:.0e}"
    )


def asp_example(n_items: int):
    import numpy as np

    random = np.random.default_rng(0)
    shape = (n_items, CAPTIONS_AN_ITEM * n_items)
    dense = random.random(shape, np.float32)
    mostly_zero = np.where(random.random(shape) < 0.9, 0, dense)
    return random.standard_normal(shape, np.float32), dense, mostly_zero


def pmrp_example(n_items: int):
    """Similarities [5 N, 25 N] that know a little of the categories, and codes [5 N, C]."""
    import numpy as np

    random = np.random.default_rng(0)
    n = FOLDS * n_items
    frequency = np.append(0.03 * random.random(CATEGORIES - 1) + 0.005, 0.45)
    codes = (random.random((n, CATEGORIES)) < frequency).astype(np.int64)
    shared = (codes.astype(np.float32) @ codes.T.astype(np.float32)).repeat(CAPTIONS_AN_ITEM, 1)
    return random.standard_normal(shared.shape, np.float32) + 0.1 * shared, codes


def our_pmrp(similarity, codes, threads: int) -> dict[str, float]:
    """Means over the folds, as the published code takes them."""
    import numpy as np

    from polymatch.evaluation import pmrp

    height = len(codes) // FOLDS
    item_of = np.arange(CAPTIONS_AN_ITEM * height) // CAPTIONS_AN_ITEM
    folds = []
    for top in range(0, len(codes), height):
        columns = slice(CAPTIONS_AN_ITEM * top, CAPTIONS_AN_ITEM * (top + height))
        part = similarity[top : top + height, columns]
        folds.append(pmrp(part, codes[top : top + height], item_of, threads=threads))
    return {name: float(np.mean([fold[name] for fold in folds])) for name in folds[0]}


def naive_pmrp(similarity, codes) -> dict[str, float]:
    """Every query's candidates argsorted, and looked at one by one."""
    import numpy as np

    height = len(codes) // FOLDS
    sums: dict[str, list[float]] = {}
    for top in range(0, len(codes), height):
        own = codes[top : top + height]
        columns = slice(CAPTIONS_AN_ITEM * top, CAPTIONS_AN_ITEM * (top + height))
        part, of_caption = similarity[top : top + height, columns], own.repeat(5, axis=0)
        for direction, scores, queries, candidates in (
            ("v2t", part, own, of_caption),
            ("t2v", part.T, of_caption, own),
        ):
            candidates_kept = candidates.any(axis=1)
            for threshold in range(3):
                shares = []
                for line, code in zip(scores, queries, strict=True):
                    if not code.any():
                        continue
                    kept = [c for c in np.argsort(line)[::-1] if candidates_kept[c]]
                    match = np.abs(candidates[kept] - code).sum(axis=1) <= threshold
                    shares.append(match[: match.sum()].mean())
                sums.setdefault(f"{direction}_{threshold}", []).append(100 * np.mean(shares))
    return {name: float(np.mean(each)) for name, each in sums.items()}


def asp_form(published: Path | None) -> Callable:
    """A function of two matrices that gives the mean over their rows, in percent."""
    import torch

    if published is not None:
        tree = ast.parse((published / "evaluation.py").read_text())
        wanted = next(each for each in tree.body if getattr(each, "name", "") == "ASP_compute")
        names: dict = {"torch": torch}
        exec(ast.unparse(wanted).replace(".cuda()", ""), names)
        return lambda scores, semantic: names["ASP_compute"](scores, torch.from_numpy(semantic))

    def form(scores, semantic):
        total = 0.0
        for pair in zip(scores, semantic, strict=True):
            r, s = (torch.from_numpy(line).argsort(descending=True).argsort() + 1 for line in pair)
            total += float((torch.minimum(r, s) / torch.maximum(r, s)).mean())
        return 100 * total / len(scores)

    return form


def published_pmrp(checkout: Path) -> Callable:
    """Run the published script on files as it expects them, with a stand-in for pycocotools."""
    import numpy as np

    class Captions:
        """The two things that are asked of pycocotools' class of this name."""

        def __init__(self, path: str) -> None:
            read = json.loads(Path(path).read_text())
            self.anns = {each["id"]: each for each in read["annotations"]}

        def loadAnns(self, caption: int) -> list:
            return [self.anns[caption]]

    stand_ins = {
        "fire": {"Fire": None},
        "pycocotools": {},
        "pycocotools.coco": {"COCO": Captions},
        "transformers": {"BertTokenizer": None},
        "ujson": vars(json),
        "tqdm": {"tqdm": lambda iterable, **_: iterable},
    }
    for name, attributes in stand_ins.items():
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__dict__.update(attributes)
    sys.path.insert(0, str(checkout.resolve()))
    import pmrp_evaluation

    def form(similarity, codes) -> dict[str, float]:
        n_items, n_captions = similarity.shape
        images, captions = np.arange(n_items) + 1, np.arange(n_captions) + 1
        own = images.repeat(CAPTIONS_AN_ITEM)
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            files = Path("pmrp_com/coco_ann")
            files.mkdir(parents=True)
            pairs = zip(captions.tolist(), own.tolist(), strict=True)
            about = [{"id": caption, "image_id": image} for caption, image in pairs]
            (files / "captions_val2014.json").write_text(json.dumps({"annotations": about}))
            pairs = np.argwhere(codes).tolist()
            shown = [{"image_id": image + 1, "category_id": what + 1} for image, what in pairs]
            (files / "instances_val2014.json").write_text(json.dumps({"annotations": shown}))
            np.savetxt(files / "testall_caption_ids.txt", captions, fmt="%d")
            np.save(files / "coco_test_ids.npy", captions)
            np.savetxt("testall_ids.txt", own, fmt="%d")
            np.save("similarity.npy", similarity)
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                pmrp_evaluation.main("similarity.npy", dataset_root=".", n_fold=FOLDS)
        named = {"image-to-text PMRP": "v2t", "text-to-image PMRP": "t2v"}
        found = {}
        for line in printed.getvalue().splitlines():
            start, _, value = line.rpartition(": ")
            start, _, threshold = start.partition(" thres:")
            if start in named:
                found[named[start] + (f"_{threshold}" if threshold else "")] = float(value)
        return found

    return form


def alternately(forms: dict[str, Callable], rounds: int) -> tuple[dict, dict]:
    """Median seconds and CPU seconds (``<name> CPU``), and the last result, of each form."""
    seconds: dict[str, list[float]] = {}
    found = {}
    for _ in range(rounds):
        for name, form in forms.items():
            start, busy = time.perf_counter(), time.process_time()
            found[name] = form()
            seconds.setdefault(name, []).append(time.perf_counter() - start)
            seconds.setdefault(f"{name} CPU", []).append(time.process_time() - busy)
    return {name: statistics.median(each) for name, each in seconds.items()}, found


def memory_in_subprocess(name: str, options: argparse.Namespace) -> float:
    command = [sys.executable, __file__, "--memory-of", name]
    command += ["--items", str(options.items), "--threads", str(options.threads)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def extra_memory(options: argparse.Namespace) -> float:
    """Peak resident MB that ours adds to a process that holds the matrices and the library."""
    from polymatch.evaluation import average_semantic_precision

    def work(n_items: int) -> Callable:
        if options.memory_of == "pmrp":
            example = pmrp_example(n_items)
            return lambda: our_pmrp(*example, options.threads)
        similarity, dense, _ = asp_example(n_items)
        return lambda: average_semantic_precision(similarity, dense, threads=options.threads)

    def status(key: str) -> int:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith(key)))

    work(20)()  # imports and first-call caches are not the form's
    form = work(options.items)
    # Making the matrices took more than they hold: the peak is counted from here.
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    form()
    return (status("VmHWM") - before) / 1024


if __name__ == "__main__":
    main()
