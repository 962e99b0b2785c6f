# The image of `docker run -p 8000:8000 sterna`. Build it with `make image`.
#
# PyPI's torch for Linux on x86 carries CUDA, several GB that nothing here uses. Name a source of CPU builds with
# TORCH_INDEX (an index: https://download.pytorch.org/whl/cpu is PyTorch's own) or PIP_FIND_LINKS (a page or folder).
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ARG TORCH_INDEX
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_CONSTRAINT=/src/constraints.txt
WORKDIR /src

# What changes least comes first, so that it stays cached. Clang from PyPI compiles the kernels: no system package is
# needed, and nothing of the build is kept but the wheel.
COPY constraints.txt ./
RUN python -m venv /opt/sterna && /opt/sterna/bin/pip install --quiet ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch
COPY pyproject.toml ./
RUN python -m venv /opt/build && /opt/build/bin/pip install --quiet 'pip>=25.1' \
 && /opt/build/bin/pip install --quiet --group build --group compiler

COPY LICENSE README.md ./
COPY scripts scripts
COPY engine engine
COPY server server
RUN scripts/with_compiler.sh /opt/build/bin/python \
    /opt/build/bin/pip wheel --quiet --no-build-isolation --no-deps --wheel-dir /dist . \
 && /opt/sterna/bin/pip install --quiet /dist/*.whl \
 && /opt/sterna/bin/pip uninstall --quiet --yes pip

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="sterna" \
      org.opencontainers.image.description="Serves 1.58-bit language models over the OpenAI API" \
      org.opencontainers.image.licenses="Apache-2.0"
# Downloaded models and packed weights live in /cache: mount a volume there to keep them.
RUN groupadd --system --gid 10001 sterna \
 && useradd --system --uid 10001 --gid sterna --home-dir /cache --shell /usr/sbin/nologin sterna \
 && install --directory --owner sterna --group sterna /cache
COPY --from=build /opt/sterna /opt/sterna
ENV PATH=/opt/sterna/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    STERNA_HOST=0.0.0.0 \
    STERNA_PORT=8000 \
    XDG_CACHE_HOME=/cache \
    HF_HOME=/cache/huggingface
VOLUME /cache
USER 10001:10001
WORKDIR /cache
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s --retries=3 \
  CMD python -c "import urllib.request as r; r.urlopen('http://127.0.0.1:$STERNA_PORT/health/ready', timeout=2)"
ENTRYPOINT ["sterna"]
CMD ["serve"]
