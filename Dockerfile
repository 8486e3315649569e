# The image of all of Keelson's services, and that of etcd.
#
#   docker build --tag keelson/keelson:0.1.0 .                      from source: asks a registry for rust and debian
#   docker build --tag keelson/etcd:3.4 --target etcd .             etcd, of Debian
#   docker build --tag keelson/keelson:0.1.0 --target prebuilt .    around target/release/keelson, on keelson/base:
#                                                                   asks nobody. BINARY and BASE choose others.
#
# The first two want BuildKit (DOCKER_BUILDKIT=1 before Docker 23), which leaves out the stages that are not asked for.
# Where no registry can be reached, tests/images makes keelson/base and keelson/etcd of Debian's packages. The prebuilt
# binary was linked against no newer glibc than the base's, or statically, and then runs on any base:
# RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --target x86_64-unknown-linux-gnu.

# The first stage, because a classic builder makes every stage before the one that is asked for.
ARG BASE=keelson/base:bookworm
FROM ${BASE} AS prebuilt
ARG BINARY=target/release/keelson
COPY ${BINARY} /usr/local/bin/keelson
USER 65532:65532
ENTRYPOINT ["keelson"]

FROM rust:1.90-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked

# The kernel's tools for service-proxy; busybox for health checks and for the steps that compose.yaml and the chart script.
FROM debian:bookworm-slim AS base
RUN apt-get update \
    && apt-get install --yes --no-install-recommends nftables iptables busybox \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 65532 keelson \
    && useradd --uid 65532 --gid 65532 --home-dir / --no-create-home keelson \
    && install -d -m 0700 -o keelson -g keelson /etc/keelson/pki

FROM base AS etcd
RUN apt-get update \
    && apt-get install --yes --no-install-recommends etcd-server etcd-client \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -m 0700 -o keelson -g keelson /var/lib/etcd
USER 65532:65532
ENTRYPOINT ["etcd"]

FROM base
COPY --from=build /src/target/release/keelson /usr/local/bin/keelson
USER 65532:65532
ENTRYPOINT ["keelson"]
