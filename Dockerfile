# The registry alone: one program with all its libraries in it, certificates and time zones; no shell.
#
#   docker build -t granary .
#   docker run --rm -p 127.0.0.1:8000:8000 -v granary:/data granary      # on SQLite, in the volume
#
# compose.yaml runs it with a PostgreSQL primary and its standby.

# The same Debian and the same compiler as those of the tests.
FROM rust:1.95-slim-bookworm AS build

# The versions are the base image's release's; a list of them would only go stale.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates gcc libc6-dev tzdata \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /build
# The screens show the glossary.
COPY Cargo.toml Cargo.lock GLOSSARY.md ./
COPY crates crates
COPY demo/registry.json demo/profiles.csv demo/
COPY docker/build.sh docker/rootfs.sh docker/

# The build folder is kept between builds, and is no part of the image.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    program=$(docker/build.sh --release) \
    && docker/rootfs.sh "$program" /rootfs \
    && mkdir /data

FROM scratch

COPY --from=build /rootfs /
# The one folder that the program may write to; the user is a number, for there is no list of users.
COPY --from=build --chown=65532:65532 /data /data
USER 65532:65532
VOLUME /data
ENV LISTEN=0.0.0.0:8000 SQLITE_TMPDIR=/data TMPDIR=/data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s --retries=3 CMD ["/granary", "healthcheck"]
ENTRYPOINT ["/granary"]
CMD ["serve"]
