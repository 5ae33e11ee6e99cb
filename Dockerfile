# Everything that requirements.txt names, for machines where nothing may be installed. The project is
# not in it but mounted where it runs, so an edit needs no new image: see docs/environments.md.
#
#   docker build --tag polymatch .
#
# This gives PyTorch's CUDA build, which brings CUDA and runs on the CPU too. The build for the CPU
# alone, 3 GB smaller, is in PyTorch's own index of packages:
#
#   docker build --tag polymatch --build-arg PIP_EXTRA_INDEX_URL=<its address> .
#
# The base is named by its release, not by a digest: a rebuild shall have Debian's fixes, and what
# results depend on is pinned in requirements.txt.
FROM python:3.11-slim-bookworm AS packages
ARG PIP_EXTRA_INDEX_URL=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements.txt .
RUN python -m venv /opt/polymatch && /opt/polymatch/bin/pip install --requirement requirements.txt

FROM python:3.11-slim-bookworm
COPY --from=packages /opt/polymatch /opt/polymatch
# Whoever it runs as has a home to write to.
ENV PATH=/opt/polymatch/bin:$PATH HOME=/tmp
RUN useradd --uid 1000 --create-home polymatch
USER polymatch
WORKDIR /work
CMD ["snakemake", "--help"]
