# The operator's image. Not whole yet: a later issue adds signing, provenance, several architectures and a test that builds it.
#
#   docker build --build-arg BUILD_IMAGE=<python, with pip> --build-arg RUN_IMAGE=<the same python> -t secure-redis-operator .
#
# Both images must hold the same minor version of Python (3.11 or newer) at the same path. The second needs no shell and no
# pip; a digest (name@sha256:…) makes the build repeatable.
ARG BUILD_IMAGE=python:3.13-slim
ARG RUN_IMAGE=python:3.13-slim

FROM ${BUILD_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
# First what changes rarely. Every file is checked against its hash, and no package is compiled here.
COPY requirements/runtime.txt requirements/build.txt requirements/
RUN ["python3", "-m", "pip", "install", "--require-hashes", "--only-binary", ":all:", "--target", "/app", "-r", "requirements/runtime.txt"]
RUN ["python3", "-m", "pip", "install", "--require-hashes", "--only-binary", ":all:", "-r", "requirements/build.txt"]
COPY pyproject.toml LICENSE README.md ./
COPY operator operator
RUN ["python3", "-m", "pip", "wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", "dist", "."]
# --upgrade: pip leaves a bin/ that exists alone otherwise. What is left in it is our own command only.
RUN ["python3", "-m", "pip", "install", "--no-index", "--find-links", "dist", "--no-deps", "--upgrade", "--target", "/app", "secure-redis-operator"]
RUN ["python3", "-m", "compileall", "-q", "-j", "0", "/app"]

FROM ${RUN_IMAGE}
COPY --from=build /app /app
ENV PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
WORKDIR /
EXPOSE 8080
# Exec form: no shell at run time, and signals reach the process.
ENTRYPOINT ["python3", "/app/bin/secure-redis"]
CMD ["--help"]
