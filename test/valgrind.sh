#!/bin/sh
# valgrind.sh: a share of the suite under valgrind's memcheck: no error, no leak (make valgrind).
#
#   test/valgrind.sh BUILD EXTENSION
#
# Programs without Tcl: the scripts of test/faults and test/transcript.sql; the scripts again while allocations and reads of pages fail; damaged page
# files and rows; threads; the linked example. VALGRIND_FAULTS: injections a script, kind and mode (default 6). VALGRIND_SECONDS: of threads, in each
# journal mode (default 10). A program that memcheck complains about has its output printed. The last line is `N passed, N failed`.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$(cd "$1" && pwd) extension=$2
shift 2
command -v valgrind >/dev/null || { echo "valgrind: no valgrind; on Debian: apt-get install valgrind"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 from=.

# check NAME COMMAND...
check() {
  label=$1
  shift
  begin=$(date +%s)
  if (cd "$from" && exec valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,indirect,possible --errors-for-leak-kinds=definite,indirect,possible \
    --keep-debuginfo=yes --fair-sched=yes --num-callers=30 "$@") > "$work/out" 2>&1 && ! grep -q '^==[0-9]*==' "$work/out"; then
    passed=$((passed + 1))
    echo "$label: sound ($(($(date +%s) - begin)) s)"
  else
    failed=$((failed + 1))
    echo "$label: FAILED: valgrind $*"
    grep '^==[0-9]*==' "$work/out" | head -60
    tail -5 "$work/out"
  fi
}

root=$(pwd) from=$work # where the scripts have their backups
for script in test/transcript.sql test/faults/*.sql; do
  check "transcript.$(basename "$script" .sql)" "$build/transcript" "$work" "$root/$script"
done
from=.
common="-v $build/testvfs.so -l $build/testfuncs.so -l $extension -s $(($(date +%s) % 1000)) -m ${VALGRIND_FAULTS:-6}"
for script in test/faults/*.sql; do
  name=$(basename "$script" .sql) rollback=''
  [ "$name" = savepoint ] && rollback=-R # why: test/faults.test
  check "malloc.$name" "$build/faults" $common -k malloc $rollback "$script"
done
for kind in read short write sync; do
  check "page.$kind" "$build/faults" $common -k $kind -g '*-quire' test/faults/fold.sql test/faults/graph.sql
done
for case in row/quire_state.crc/20/0 row/quire_state.pages/1/0 row/quire_state.pages/10/0 row/quire_state.n/8/0 row/quire_free.count/5/1 \
            row/quire_free.count/13/0 row/quire_tables.options/15/3 statement/0 statement/6 statement/8; do
  set -- "$@" -c "small/$case"
done
check corrupt "$build/corrupt" -d "$work" "$@"
from=$work # where the threads have their database
for journal in wal delete; do
  check "threads.$journal" "$build/threads_test" -t "${VALGRIND_SECONDS:-10}" -s 1 -j $journal
done
check static "$build/static_test"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
