#!/bin/sh
# builds.sh: the same statements in every build give the same output (make builds).
#
#   test/builds.sh [name ...]        names of the table below; none: all
#
# Each build compiles the library, test/transcript.c and SQLite's library into one program in build-all/NAME and runs the scripts of test/faults and
# test/transcript.sql; what they give is compared with the first build's, byte by byte. Environment:
#   SQLITE3_C    sqlite3.c of SQLite's amalgamation, compiled once for each word size. Without it the system's libsqlite3 is taken, and 32-bit builds
#                need a 32-bit one (Debian: dpkg --add-architecture i386; apt-get update; apt-get install libsqlite3-dev:i386).
#   MAKE
# A compiler or library that is missing leaves its builds out: the line `left out` says which and what to install.
# The last line is `N passed, N failed`.
set -u
cd "$(dirname "$0")/.." || exit 1
out=$(pwd)/build-all
mkdir -p "$out"
scripts="$(pwd)/test/transcript.sql $(ls "$(pwd)"/test/faults/*.sql)"
passed=0 failed=0 reference='' left_out=''

# name, compiler, optimization, flags, QUIRE_SIMD
table='
gcc-O2          gcc    -O2  -                       -
gcc-O2-plain    gcc    -O2  -                       plain
gcc-O2-avx2     gcc    -O2  -                       avx2
gcc-O0          gcc    -O0  -                       -
gcc-O1          gcc    -O1  -                       -
gcc-O3          gcc    -O3  -                       -
clang-O0        clang  -O0  -                       -
clang-O1        clang  -O1  -                       -
clang-O2        clang  -O2  -                       -
clang-O3        clang  -O3  -                       -
i386-O2         gcc    -O2  -m32                    -
i386-O2-plain   gcc    -O2  -m32                    plain
i386-O0         gcc    -O0  -m32                    -
i386-sse        gcc    -O2  -m32,-msse2,-mfpmath=sse -
'

# Why a compiler with these flags cannot make a program, in words; nothing if it can.
missing() {
  command -v "$1" >/dev/null || { echo "no $1 (Debian: apt-get install $1)"; return; }
  printf '#define _GNU_SOURCE\n#include <sys/stat.h>\nint main(void) { return 0; }\n' > "$out/probe.c" # which includes headers of the kernel, too
  "$1" $2 "$out/probe.c" -o "$out/probe" 2>/dev/null ||
    { echo "$1 $2 makes no programs (Debian: apt-get install gcc-multilib)"; return; }
  [ -n "${SQLITE3_C:-}" ] && return
  "$1" $2 "$out/probe.c" -o "$out/probe" -lsqlite3 2>/dev/null ||
    echo "$1 $2 finds no libsqlite3 to link (give SQLITE3_C=sqlite3.c of the amalgamation, or: dpkg --add-architecture i386; apt-get update; apt-get install libsqlite3-dev:i386)"
}

# SQLite for programs of this word size, if it is to be compiled: the name of its object.
sqlite() {
  [ -z "${SQLITE3_C:-}" ] && return
  object="$out/sqlite3$1.o"
  [ "$object" -nt "$SQLITE3_C" ] || gcc -O1 $1 -w -c "$SQLITE3_C" -o "$object" >&2 || return 1
  echo "$object"
}

# Compile (without debugging information: that is most of the time) into the folder of everything but QUIRE_SIMD: builds that differ in that alone share one.
build() {
  ${MAKE:-make} -s -j2 --no-print-directory BUILD="$1" CC="$2" OPT="$3" CFLAGS="-g0 $4" SQLITE3_C="${SQLITE3_C:-}" SQLITE3_O="$5" \
    "$1/transcript" > "$1.log" 2>&1
}

one() {
  name=$1 cc=$2 opt=$3 flags=$(echo "$4" | tr , ' ') simd=$5
  [ "$flags" = - ] && flags=''
  [ "$simd" = - ] && simd=''
  why=$(missing "$cc" "$flags")
  if [ -n "$why" ]; then
    left_out="$left_out $name"
    echo "$name: left out: $why"
    return
  fi
  dir="$out/$cc$opt$(echo "$flags" | tr -d ' =')" # env takes a name with = for an assignment
  word=''
  case " $flags " in *' -m32 '*) word=-m32 ;; esac
  if ! object=$(sqlite "$word") || ! build "$dir" "$cc" "$opt" "$flags" "$object"; then
    echo "$name: does not build"
    tail -20 "$dir.log"
    failed=$((failed + 1))
    return
  fi
  work=$(mktemp -d)
  (cd "$work" && exec env ${simd:+QUIRE_SIMD=$simd} "$dir/transcript" "$work" $scripts) > "$out/$name.txt" 2> "$out/$name.err" # backups go there, too
  status=$?
  rm -rf "$work"
  [ -z "$reference" ] && reference=$name
  if [ $status != 0 ]; then
    echo "$name: ends with $status: $(tail -1 "$out/$name.err")"
  elif ! grep -q '^> ' "$out/$name.txt" || ! cmp -s "$out/$reference.txt" "$out/$name.txt"; then
    echo "$name: differs from $reference:"
    diff "$out/$reference.txt" "$out/$name.txt" | head -10
    status=1
  else
    echo "$name: $(grep -c '^> ' "$out/$name.txt") statements, the same as $reference"
  fi
  if [ $status = 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

wanted=" $* "
while read -r name cc opt flags simd; do
  [ -z "$name" ] && continue
  case $wanted in '  ' | *" $name "*) one "$name" "$cc" "$opt" "$flags" "$simd" ;; esac
done <<EOF
$table
EOF
echo "builds: left out:${left_out:- none}"
echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed != 0 ]
