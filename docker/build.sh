#!/bin/sh
# Builds the program with everything that it is linked to in it, as the image holds it, and prints its path. The tests build
# it in the same way. What is said is cargo's: --release for what is to be fast.
#
#   docker/build.sh [--release]
set -eu
cd "$(dirname "$0")/.."

machine=$(rustc --version --verbose | sed -n 's/^host: //p')
# Random bytes come from the kernel's own call: a static program cannot look whether the C library has one, and would want
# a file, which the image's file system does not have. Said of a target, the flags leave alone what runs while building.
RUSTFLAGS='-C target-feature=+crt-static --cfg getrandom_backend="linux_getrandom"' cargo build --locked -p granary --target "$machine" "$@" >&2

profile=debug
[ "${1:-}" != --release ] || profile=release
target=${CARGO_TARGET_DIR:-target}
case $target in /*) ;; *) target=$PWD/$target ;; esac
echo "$target/$machine/$profile/granary"
