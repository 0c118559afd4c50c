# One image for web and workers. `docker compose up` uses it; compose.yaml says which part runs what.
# A tag of one minor release; a digest pins it wholly: --build-arg PYTHON_IMAGE=python:3.12-slim-bookworm@sha256:...
ARG PYTHON_IMAGE=python:3.12-slim-bookworm
FROM ${PYTHON_IMAGE}

# Set to "1" to add the CUDA libraries that onnxruntime-gpu needs (some gigabytes).
ARG GPU=""
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /app
COPY requirements.txt requirements-gpu.txt ./
RUN pip install --require-hashes -r "requirements${GPU:+-gpu}.txt"

COPY manage.py LICENSE README.md CHANGELOG.md ./
COPY project project
COPY export export
COPY annotate annotate
COPY ingest ingest
COPY demo_film demo_film
COPY templates templates
COPY static static

# The licences of everything that the image carries, in one readable file; the originals stay beside each package.
RUN python -m project.licences > THIRD_PARTY_LICENCES.txt \
    && python -m compileall -q project export annotate ingest demo_film \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin koma \
    && mkdir /data && chown koma:koma /data

USER koma
ENV KOMA_DATA_DIR=/data KOMA_BIND=0.0.0.0 KOMA_PORT=8000
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["python", "-m", "project.healthcheck"]
CMD ["python", "-m", "project.serve.web"]
