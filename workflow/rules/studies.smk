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


def study_memory(wildcards):
    """Memory of all its workers, in MB: each holds the data."""
    held = max(entry.held_mb for entry in study_entries(wildcards))
    return study(wildcards).workers * (1000 + held)
