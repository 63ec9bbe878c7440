#!/usr/bin/env bash
# shellcheck disable=SC2016,SC2089,SC2090 # words are split, and inner shells expand, on purpose
# The frozen tables (tests/data/rope_identity.json) and the correctly rounded log and exp come out to
# the bit whatever builds src/rope: gcc and clang, -O0 and -O3, with FMA and without, and with the
# compiler free to fuse products into sums (which is what rw_product in scalar.h withstands).
#
#   RW_SOURCE_DIR=. RW_BINARY_DIR=build tests/cross/rope_identity.sh
#
# Exit status 77: skipped, and why.
set -euo pipefail

source_dir=$(cd "${RW_SOURCE_DIR:-.}" && pwd)
scratch=${RW_BINARY_DIR:-build}/cross_rope_identity
tests="test_rope_identity test_rope_math"
libraries=$(pkg-config --cflags --libs cmocka json-c libcrypto)
common="-std=c17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DRW_VERSION=\"cross\"
        -I$source_dir/include -I$source_dir/src -I$source_dir/tests -w"
combinations=0

has_fma() {
    grep -qw fma /proc/cpuinfo 2>/dev/null
}

# build_objects FOLDER COMPILER FLAGS...: every .c of the room
build_objects() {
    local room=$1 folder=$2 compiler=$3
    shift 3
    mkdir -p "$folder"
    # shellcheck disable=SC2086 # flags are words
    find "$source_dir/src/$room" -name '*.c' -print0 |
        xargs -0 -P 2 -I{} sh -c 'source=$1 folder=$2; shift 2
            "$@" -c "$source" -o "$folder/$(basename "$source" .c).o"' _ {} "$folder" \
            "$compiler" $common "$@"
}

check() {
    local compiler=$1
    shift
    local folder="$scratch/current"
    rm -rf "$folder"
    build_objects rope "$folder" "$compiler" "$@"
    for test in $tests; do
        # shellcheck disable=SC2086
        "$compiler" $common -DRW_SOURCE_DIR="\"$source_dir\"" \
            "$source_dir/tests/unit/$test.c" "$folder"/*.o "$scratch"/base/*.o \
            $libraries -lpthread -lm -o "$folder/$test"
        if ! "$folder/$test" >"$folder/$test.log" 2>&1; then
            cat "$folder/$test.log"
            echo "rope_identity: $test differs under: $compiler $*" >&2
            exit 1
        fi
    done
    combinations=$((combinations + 1))
    echo "same bits: $compiler $*"
}

check_compiler() {
    local compiler=$1
    check "$compiler" -O0 -ffp-contract=off
    check "$compiler" -O3 -ffp-contract=off
    if has_fma; then
        check "$compiler" -O0 -mfma -ffp-contract=off
        check "$compiler" -O3 -mfma -ffp-contract=off
        check "$compiler" -O3 -mfma -ffp-contract=fast
    fi
}

rm -rf "$scratch"
found=""
for compiler in gcc clang; do
    if ! command -v "$compiler" >/dev/null; then
        echo "skipped: there is no $compiler"
        continue
    fi
    if [ -z "$found" ]; then
        build_objects base "$scratch/base" "$compiler" -O1
    fi
    found=$compiler
    check_compiler "$compiler"
done
if [ -z "$found" ]; then
    echo "skipped: neither gcc nor clang is here"
    exit 77
fi
has_fma || echo "skipped: the FMA half, as this processor has none"
rm -rf "$scratch"
echo "$combinations builds, the same tables"
