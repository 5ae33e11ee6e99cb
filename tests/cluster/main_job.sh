#!/usr/bin/env bash
# The main job of config/config.yaml through a SLURM of one node, which is started and stopped here.
# Arguments go to Snakemake: tests/cluster/main_job.sh --directory /scratch/run
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
trap 'python tests/cluster/one_node.py down --folder "$folder"; rm -rf "$folder"' EXIT
settings=$(python tests/cluster/one_node.py up --folder "$folder")
eval "$settings"
log=$folder/snakemake.log
begun=$SECONDS
# This node has fewer cores than extraction asks for, and nobody else asks it how its jobs are.
snakemake --workflow-profile workflow/profiles/slurm --max-threads "$(nproc)" \
    --slurm-init-seconds-before-status-checks 5 --config 'cluster={seeds_together: true}' "$@" \
    2>&1 | tee "$log"
echo "== $((SECONDS - begun)) s, $(grep -c 'submitted with SLURM jobid' "$log") submissions"
