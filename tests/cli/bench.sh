#!/bin/sh
# The benchmark still runs, and every kernel that it times is right, at every level of this
# processor. No figures: those are `make bench`.
set -eu
program=$RW_BINARY_DIR/bench/bench_kernels
if [ ! -x "$program" ]; then
    echo "skipped: bench_kernels is not built"
    exit 77
fi
for level in generic avx2 avx512; do
    out=$(RW_CPU=$level "$program" --smoke --models "$RW_SOURCE_DIR/models/tiny" 2>&1) || {
        case $out in
        *"does not have the level"*) echo "skipped: this processor has no $level" && continue ;;
        esac
        echo "$out"
        exit 1
    }
    rows=$(echo "$out" | grep -c ' right ')
    echo "$level: $rows rows"
    [ "$rows" -ge 60 ]
done
