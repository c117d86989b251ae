# syntax=docker/dockerfile:1
# SPDX-License-Identifier: Apache-2.0
# The job server. `docker compose up --build` runs it with PostgreSQL; docs/operating.md has the rest.

FROM python:3.11-slim AS build
RUN python -m venv /opt/mucg4
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY examples/digits examples/digits
COPY verifier verifier
COPY encoders encoders
COPY compression compression
COPY api api
COPY benchmarks benchmarks
RUN /opt/mucg4/bin/pip install --no-cache-dir --constraint constraints.txt '.[oidc,postgresql]'

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/mucg4 mucg4 \
    && install --directory --owner mucg4 --mode 700 /var/lib/mucg4
COPY --from=build /opt/mucg4 /opt/mucg4
ENV PATH=/opt/mucg4/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MUCG4_DATA_DIR=/var/lib/mucg4 \
    MUCG4_HOST=0.0.0.0
USER mucg4
# A new volume starts with what lies at its place in the image, so the first start finds this.
RUN NUMBA_CACHE_DIR=/var/lib/mucg4/compiled mucg4 warm-up
VOLUME /var/lib/mucg4
EXPOSE 8484
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8484/healthz', timeout=4)"]
ENTRYPOINT ["mucg4"]
CMD ["serve"]
