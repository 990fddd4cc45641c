#!/bin/sh
# bench.sh: all figures of the README, one line each. `make bench` calls it with the build folder.
#
# Environment: QUIRE_LIB, PEER, BENCH_DIR, RUNS (bench/sql.c); BENCH_BIG=0 leaves out the tables of a million rows.
set -eu
build=$1

# "what was done: figures" in two columns.
run() { "$build/bench_sql" "$@" | sed 's/^\([^:]*\): /\1\t/' | expand -t 44; }

echo "Machine   $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | sort | uniq -c | sed 's/^ *\([0-9]*\) /\1 x /')"
if [ -n "${PEER:-}" ]; then
  echo "Peer      $PEER"
else
  echo "Peer      none. To compare with sqlite-vec: npm pack sqlite-vec-linux-x64@0.1.9, unpack it,"
  echo "          make bench PEER=package/vec0.so"
  unset PEER
fi
echo "Median of ${RUNS:-5} runs; ratios are within a run."
echo
run insert 100000 128
run commit 20000 128
run knn 100000 128
run knn 100000 768
run homes 100000 128
run open 10000 128
if [ "${BENCH_BIG:-1}" != 0 ]; then
  run open 1000000 128
  run memory 1000000 128
fi
echo
echo "Kernels of this CPU, beside the read bandwidth of one core (all levels: make bench-kernels)"
"$build/bench_kernels" | awk 'NR <= 2 { print; next } NR == 3 { level = $1 } $1 == level'
