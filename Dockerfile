# The platform as an image, for `reliability serve`, `reliability dev` and every other command: docs/how-to/containers.md.
FROM python:3.11-slim-bookworm AS build
WORKDIR /opt/reliability
RUN python -m venv .venv && .venv/bin/pip install --no-cache-dir uv==0.13.8
COPY requirements.lock ./
# As `make .venv` does it: the lock is whole, and one package's metadata forbids the DuckDB that is run.
RUN .venv/bin/uv pip install --no-cache --python .venv/bin/python --no-deps -r requirements.lock
COPY . .
RUN .venv/bin/uv pip install --no-cache --python .venv/bin/python --no-deps --no-build-isolation --editable .

FROM python:3.11-slim-bookworm
# Volumes take over the owner of the folder that they are mounted on.
RUN useradd --uid 10001 --create-home reliability \
    && install -d -o reliability -g reliability -m 0700 /data /objects \
    && install -d -o reliability -g reliability -m 0755 /scrape
COPY --from=build /opt/reliability /opt/reliability
# What is installed belongs to root: the platform writes into its home and its cache alone.
ENV PATH=/opt/reliability/.venv/bin:$PATH RELIABILITY_HOME=/data PYTHONUNBUFFERED=1
WORKDIR /home/reliability
USER 10001
VOLUME /data
EXPOSE 3000 8000
ENTRYPOINT ["reliability"]
CMD ["--help"]
