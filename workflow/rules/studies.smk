# What the rules ask a study's file, config/tuning/<study>.yaml.

from polymatch.settings.search_space import entries_covering, load_tuning


def study(wildcards):
    """The study whose file the wildcards name."""
    return load_tuning(Path(workflow.basedir) / f"config/tuning/{wildcards.study}.yaml")


def study_entries(wildcards):
    """Entries of the study that together have every value that it tries."""
    return list(entries_covering(study(wildcards)))


def study_stores(wildcards):
    """What the study's models are given."""
    return STORES[study_entries(wildcards)[0].starts_from]


def study_taught(wildcards):
    """What else they are trained with."""
    return taught_by(*study_entries(wildcards))


def study_taught_arguments(wildcards):
    return arguments_of(study_taught(wildcards))


def study_code(wildcards):
    """Code hash of searching, with every module that an entry of the study loads."""
    modules = {name for entry in study_entries(wildcards) for name in entry.modules}
    return code("tune.py", *sorted(modules))


def study_processes(wildcards):
    """Workers that its last job has: all of them, or one that only looks at what others did."""
    settings = study(wildcards)
    return 1 if settings.jobs else settings.workers


def study_workers(wildcards):
    """What the workers leave behind that are jobs of their own."""
    settings = study(wildcards)
    return expand(
        f"results/tuning/{wildcards.study}/workers/{{worker}}.done",
        worker=range(settings.workers if settings.jobs else 0),
    )


def worker_memory(wildcards):
    """Memory of one worker, in MB."""
    return 1000 + max(entry.held_mb for entry in study_entries(wildcards))


def study_memory(wildcards):
    """Memory of all workers of one job, in MB: each holds the data."""
    return study_processes(wildcards) * worker_memory(wildcards)
