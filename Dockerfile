# A static binary and nothing else. Built from a checkout:
#   docker build --build-arg VERSION=v0.1.0 -t credence .
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=development
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /credence ./cmd/credence

FROM scratch
COPY --from=build /credence /credence
USER 65532:65532
ENTRYPOINT ["/credence"]
