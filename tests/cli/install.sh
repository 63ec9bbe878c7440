#!/bin/sh
# What `make install` lays down is enough to build against: a ten-line program, through pkg-config,
# against the shared and against the static library.
set -eu

if [ -n "${RW_SANITIZE-}" ]; then
    echo "skipped: the sanitizer's runtime would have to be linked into the ten-line program"
    exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cmake --install "$RW_BINARY_DIR" --prefix "$scratch/usr" > "$scratch/log" || {
    cat "$scratch/log"
    exit 1
}

cat > "$scratch/ten.c" << 'PROGRAM'
#include <ropewalk/ropewalk.h>
#include <stdio.h>
int main(void) {
    rw_rope_spec spec;
    rw_rope_table table;
    rw_rope_spec_init(&spec);
    spec.method = RW_ROPE_YARN, spec.head_dim = spec.rotary_dim = 128, spec.theta = 1e6;
    spec.factor = 4, spec.original_context = 32768;
    if (rw_rope_table_build(&spec, 0, &table, NULL) != RW_OK) return 1;
    return printf("%.0f %.0f %.12g\n", table.ramp_low, table.ramp_high, table.inv_freq[24]) < 0;
}
PROGRAM

PKG_CONFIG_PATH=$(dirname "$(find "$scratch/usr" -name ropewalk.pc)")
export PKG_CONFIG_PATH
# shellcheck disable=SC2046 # words on purpose
cc -std=c17 -Wall -Wextra -Werror "$scratch/ten.c" -o "$scratch/shared" \
    $(pkg-config --define-variable=prefix="$scratch/usr" --cflags --libs ropewalk)
libraries=$(find "$scratch/usr" -name libropewalk.so)
# shellcheck disable=SC2046
cc -std=c17 "$scratch/ten.c" -o "$scratch/static" -I"$scratch/usr/include" \
    "${libraries%.so}.a" $(pkg-config --static --libs ropewalk | sed 's/-lropewalk//')

# Qwen2.5's ramp and one of its frequencies (figures of the YaRN formula in 50 digits).
expected="23 40 0.00537532149079"
for program in shared static; do
    said=$(LD_LIBRARY_PATH=$(dirname "$libraries") "$scratch/$program")
    [ "$said" = "$expected" ] || {
        echo "$program: said '$said', expected '$expected'"
        exit 1
    }
done
"$scratch/usr/bin/ropewalk" --version > /dev/null
[ -f "$scratch/usr/share/ropewalk/heldout.jsonl" ]
