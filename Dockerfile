# The operator's image: two stages, non-root, no shell and no pip needed at run time.
#
#   docker buildx build --platform linux/amd64,linux/arm64 -t secure-redis-operator .
#   docker build --build-arg BUILD_IMAGE=<python, with pip> --build-arg RUN_IMAGE=<the same python> -t secure-redis-operator .
#
# Both images must hold the same minor version of Python (3.11 or newer) at the same path. The second needs no shell and no
# pip, so a distroless one does. The digests are kept current by renovate.json.
ARG BUILD_IMAGE=python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b
ARG RUN_IMAGE=python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${BUILD_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
# First what changes rarely. Every file is checked against its hash, and no package is compiled here.
COPY requirements/runtime.txt requirements/build.txt requirements/
RUN ["python3", "-m", "pip", "install", "--no-compile", "--require-hashes", "--only-binary", ":all:", "--target", "/packages", "-r", "requirements/runtime.txt"]
RUN ["python3", "-m", "pip", "install", "--require-hashes", "--only-binary", ":all:", "-r", "requirements/build.txt"]
# unchecked-hash: an image is never edited, so Python need not check a module's source before it uses the bytecode.
# Compiled here and not by pip, whose bytecode names its temporary directory and depends on times of files.
RUN ["python3", "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash", "/packages"]
COPY pyproject.toml LICENSE README.md ./
COPY operator operator
RUN ["python3", "-m", "pip", "wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", "dist", "."]
# The wheel that was just made, and nothing else: there is no version to pin.
# hadolint ignore=DL3013
RUN ["python3", "-m", "pip", "install", "--no-index", "--find-links", "dist", "--no-deps", "--no-compile", "--target", "/app", "secure-redis-operator"]
RUN ["python3", "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash", "/app"]

FROM ${RUN_IMAGE}
ARG VERSION=0.0.0-dev
ARG REVISION=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="secure-redis-operator" \
      org.opencontainers.image.description="Makes Redis on Azure provably safe for the applications that use it" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"
# Two layers: the packages change rarely and are fetched once, our own code is small.
COPY --from=build /packages /packages
COPY --from=build /app /app
# HOME: libraries look for settings there, and the user has no entry in a passwd file.
ENV PYTHONPATH=/app:/packages PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
USER 65532:65532
WORKDIR /
EXPOSE 8080
# Exec form: no shell at run time, and signals reach the process.
ENTRYPOINT ["python3", "-m", "secure_redis"]
CMD ["--help"]
