# fuzz.sh: run fuzzers that `make fuzz` has built, and print a line for each: executions, features covered, crashes.
#
#   sh test/fuzz.sh DIRECTORY SECONDS NAME...
#
# Inputs begin with test/corpus/NAME and grow in DIRECTORY/corpus-NAME; a crash leaves its input in DIRECTORY and fails the run.
directory=$1 seconds=$2
shift 2
failed=0
for name; do
  mkdir -p "$directory/corpus-$name"
  log=$directory/fuzz-$name.log
  touch "$directory/started"
  UBSAN_OPTIONS=print_stacktrace=1 "$directory/fuzz_$name" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$directory/crash-$name-" "$directory/corpus-$name" "test/corpus/$name" > "$log" 2>&1
  status=$?
  crashes=$(find "$directory" -name "crash-$name-*" -newer "$directory/started" | wc -l)
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  features=$(sed -n 's/.* ft: \([0-9]*\).*/\1/p' "$log" | tail -1)
  echo "fuzz $name: ${runs:-?} executions in $seconds s, ${features:-?} features, $crashes crashes"
  if [ $status -ne 0 ]; then
    failed=1
    tail -40 "$log"
  fi
done
exit $failed
