# syntax=docker/dockerfile:1
# dagwright as one static binary. The base brings sh, which local processes
# need, git and CA certificates; time zones are in the binary. It runs as a user
# without rights.
ARG GO_IMAGE=docker.io/library/golang:1.26-bookworm
ARG BASE_IMAGE=docker.io/library/debian:bookworm-slim
FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /dagwright ./cmd/dagwright

FROM ${BASE_IMAGE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates git python3 tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 65532 --create-home --home-dir /var/lib/dagwright dagwright
COPY --from=build /dagwright /usr/bin/dagwright
USER 65532:65532
WORKDIR /var/lib/dagwright
EXPOSE 8080
VOLUME /var/lib/dagwright
ENTRYPOINT ["/usr/bin/dagwright"]
CMD ["serve", "--config", "/etc/dagwright/dagwright.yml"]
