# adaptd in a container. Built in two stages, so that no compiler and no package cache is left in what runs.
#
#   docker build -t adaptd .                               the light daemon: `adaptd run --role intake,api`
#   docker build -t adaptd:train --build-arg EXTRAS=train .   with PyTorch and friends: all roles
#   docker run -v adaptd:/var/lib/adaptd -p 8712:8712 adaptd
#   docker run -v adaptd:/var/lib/adaptd -p 8712:8712 -p 8713:8713 adaptd:train run
#
# The volume holds everything: adaptd.yaml, the events database, adapters and jobs. In adaptd.yaml set
# `api: {host: 0.0.0.0}` (and `gateway: {host: 0.0.0.0}`), or nothing outside the container can ask it. Neither door asks
# for a key: publish their ports to private networks only.
ARG PYTHON=3.12

FROM python:${PYTHON}-slim-bookworm AS build
ARG EXTRAS=""
WORKDIR /src
RUN python -m venv /opt/adaptd
ENV PATH=/opt/adaptd/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY pyproject.toml README.md LICENSE ./
COPY storage storage
COPY consumers consumers
COPY learners learners
COPY daemon daemon
COPY examples examples
# hadolint ignore=DL3013  # it is the folder just copied; its dependencies have ranges in pyproject.toml
RUN pip install ".${EXTRAS:+[$EXTRAS]}"

FROM python:${PYTHON}-slim-bookworm
LABEL org.opencontainers.image.title="adaptd" \
      org.opencontainers.image.description="Keeps LoRA adapters of a language model learning from its users' feedback." \
      org.opencontainers.image.licenses="Apache-2.0"
# A number, so that Kubernetes can see that it is not root.
RUN groupadd --system --gid 10001 adaptd \
 && useradd --system --uid 10001 --gid adaptd --home-dir /var/lib/adaptd --create-home adaptd
COPY --from=build /opt/adaptd /opt/adaptd
ENV PATH=/opt/adaptd/bin:$PATH PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /var/lib/adaptd
VOLUME /var/lib/adaptd
EXPOSE 8712 8713
# Alive, not ready: a daemon whose store is away for a moment must not be killed for it. Balancers ask /readyz.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8712/healthz', timeout=4)"]
# SIGTERM stops it in order: no more is polled, what was polled is finished.
STOPSIGNAL SIGTERM
ENTRYPOINT ["adaptd"]
CMD ["run", "--log-format", "json", "--role", "intake,api"]
