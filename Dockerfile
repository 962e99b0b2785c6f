# The image of `docker run -p 8000:8000 sterna`. Build it with `make image`; docs/operations.md says how to run it.
#
# PIP_INDEX_URL, PIP_EXTRA_INDEX_URL and PIP_FIND_LINKS say where its packages come from, if not from PyPI.
#
# For another processor: `--platform linux/arm64`, or PYTHON_IMAGE=arm64v8/python:3.11-slim-bookworm on such a machine.
# There the portable kernels run (`scalar`), many times slower than AVX2, unless csrc/ has some for that processor.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_CONSTRAINT=/src/constraints.txt
WORKDIR /src

# What changes least comes first, so that it stays cached: what Sterna imports, then what compiles it. Clang from PyPI
# compiles the kernels, so no system package is needed. This stage is thrown away; /opt/sterna alone goes on.
COPY constraints.txt pyproject.toml ./
RUN python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' \
    > requirements.txt \
 && python -m venv /opt/sterna && /opt/sterna/bin/pip install --quiet --requirement requirements.txt
COPY scripts scripts
RUN python -m venv /opt/build && /opt/build/bin/pip install --quiet 'pip>=25.1' \
 && /opt/build/bin/pip install --quiet --group build --group compiler \
 && echo '#include <vector>' > probe.cpp && scripts/with_compiler.sh /opt/build/bin/python \
    sh -c '"$CXX" -std=c++17 -O3 -fPIC -shared probe.cpp -o probe.so' # the compiler first builds its C++ library

COPY LICENSE README.md ./
COPY engine engine
COPY server server
COPY sterna sterna
RUN scripts/with_compiler.sh /opt/build/bin/python \
    /opt/build/bin/pip wheel --quiet --no-build-isolation --no-deps --wheel-dir /dist . \
 && /opt/sterna/bin/pip install --quiet --no-deps /dist/*.whl \
 && /opt/sterna/bin/pip check \
 && /opt/sterna/bin/pip uninstall --quiet --yes pip setuptools # which came with the virtual environment

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="sterna" \
      org.opencontainers.image.description="Serves 1.58-bit language models over the OpenAI API" \
      org.opencontainers.image.licenses="Apache-2.0"
# /cache is all that is ever written to: downloaded models and packed weights. Mount a volume there to keep them. The
# root file system may be read-only. Group 0 may write, for platforms that choose the user's number themselves.
RUN groupadd --system --gid 10001 sterna \
 && useradd --system --uid 10001 --gid sterna --home-dir /cache --shell /usr/sbin/nologin sterna \
 && install --directory --owner sterna --group root --mode 2775 /cache
COPY --from=build /opt/sterna /opt/sterna
ENV PATH=/opt/sterna/bin:$PATH \
    HOME=/cache \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    STERNA_HOST=0.0.0.0 \
    STERNA_PORT=8000 \
    XDG_CACHE_HOME=/cache \
    HF_HOME=/cache/huggingface
VOLUME /cache
USER 10001:10001
WORKDIR /cache
EXPOSE 8000
# Another port is to be named by STERNA_PORT, not --port, so that this finds it. Downloads may take their time at first.
HEALTHCHECK --interval=10s --timeout=5s --start-period=600s --retries=3 CMD ["python", "-Ic", \
  "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['STERNA_PORT'] + '/health/ready', timeout=4)"]
# The command in exec form is process 1 and gets the signals: SIGTERM drains (STERNA_SHUTDOWN_SECONDS), then it ends.
STOPSIGNAL SIGTERM
ENTRYPOINT ["sterna"]
CMD ["serve"]
