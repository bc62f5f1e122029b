#!/bin/sh
# Builds the resident for each platform into <folder>/linux-<architecture>/resident, and the list of their sums.
# The result depends on the sources and on the version of Go that is installed alone.
set -eu
out=${1:?usage: build.sh <folder>}
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$(dirname "$0")"
for architecture in amd64 arm64; do
  mkdir -p "$out/linux-$architecture"
  # Written beside it first: a program that runs cannot be written to.
  CGO_ENABLED=0 GOOS=linux GOARCH=$architecture GOAMD64=v1 GOARM64=v8.0 GOFLAGS= GOWORK=off \
    GOENV=off GOEXPERIMENT= GOTOOLCHAIN=local GOFIPS140=off GO111MODULE=on \
    go build -trimpath -buildvcs=false -ldflags='-s -w -buildid=' -o "$out/linux-$architecture/resident.new" .
  mv "$out/linux-$architecture/resident.new" "$out/linux-$architecture/resident"
done
cd "$out" && sha256sum linux-*/resident >SHA256SUMS
