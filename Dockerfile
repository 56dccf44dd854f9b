# syntax=docker/dockerfile:1
# dagwright as one static binary, and nothing else: it brings its time zones, and
# speaks git and Kubernetes by itself. The base has CA certificates, and a user
# without rights, 65532. The root file system may be read-only: dagwright writes to
# /var/lib/dagwright and /tmp.
#
# Tasks that run as local processes (scheduler.executor: process) need what they
# call: build on an image that has it, with sh and CA certificates, such as
#   docker build --build-arg BASE_IMAGE=docker.io/library/python:3.11 .
ARG GO_IMAGE=docker.io/library/golang:1.26-bookworm
ARG BASE_IMAGE=gcr.io/distroless/static-debian12:nonroot

FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X dagwright/version.release=${VERSION}" -o /out/dagwright ./cmd/dagwright
# The folder, so that a volume that is mounted there for the first time is the user's.
RUN mkdir /out/data

FROM ${BASE_IMAGE}
COPY --from=build --chown=65532:65532 /out/data /var/lib/dagwright
COPY --from=build /out/dagwright /usr/bin/dagwright
USER 65532:65532
WORKDIR /var/lib/dagwright
ENV HOME=/var/lib/dagwright
EXPOSE 8080 8081
VOLUME /var/lib/dagwright
ENTRYPOINT ["/usr/bin/dagwright"]
CMD ["serve", "--config", "/etc/dagwright/dagwright.yml"]
