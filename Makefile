# Quire: a loadable SQLite extension. `make` builds quire.so and vec0.so; `make help` lists the targets.

UNAME := $(shell uname -s)
EXT := $(if $(filter Darwin,$(UNAME)),dylib,so)
BUILD ?= build
# Where the extension goes: the repository's root, or a folder with a slash at its end.
OUT ?=
OPT ?= -O2
WARN := -Wall -Wextra -Wshadow -Wconversion
WERROR ?= -Werror
CFLAGS_ALL = -std=c11 $(or $(FILE_OPT),$(OPT)) -g -I$(BUILD)/gen -fPIC -fvisibility=hidden -MMD -MP $(WARN) $(WERROR) $(CFLAGS)
LDLIBS_ALL = -lm -lpthread $(LDLIBS)
TCLSH ?= tclsh

SRC := $(wildcard ext/*.c vtab/*.c vector/*.c wal_shim/*.c)
HDR := $(wildcard ext/*.h vtab/*.h vector/*.h wal_shim/*.h)
OBJ := $(SRC:%.c=$(BUILD)/%.o)

.PHONY: all
all: $(OUT)quire.$(EXT) $(OUT)vec0.$(EXT) ## the extension, under both names

# sql/NAME.sql as the C string NAME_SQL, comments left out.
GEN := $(BUILD)/gen/schema_sql.h
SQL := $(wildcard sql/*.sql)
$(GEN): $(SQL)
	@mkdir -p $(@D)
	for f in $(SQL); do \
	  echo "#define $$(basename $$f .sql | tr a-z A-Z)_SQL \\"; \
	  sed -e '/^--/d' -e '/^$$/d' -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/  "&\\n" \\/' $$f; echo; \
	done > $@

$(BUILD)/%.o: %.c $(GEN)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -c $< -o $@
$(BUILD)/vector/%_plain.o: FILE_OPT = $(PLAIN_OPT)

$(OUT)quire.$(EXT) $(OUT)vec0.$(EXT): $(OBJ)
	$(CC) -shared $(CFLAGS_ALL) $(LDFLAGS) $(OBJ) -o $@ $(LDLIBS_ALL)

-include $(OBJ:.o=.d)

# The same for programs that link it (ext/quire.h): one object in which all names but the entry points are local. A file that calls nothing of
# SQLite is the same in both, and is compiled once.
APART_SRC := $(shell grep -L sqlite3 $(SRC))
static_obj = $(foreach f,$1,$(BUILD)/$(if $(filter $f,$(APART_SRC)),,static/)$(f:.c=.o))
STATIC_OBJ := $(call static_obj,$(SRC))
OBJCOPY ?= objcopy
# The compiler knows the linker's word for its target. Section groups (i386: code that finds its own address) lose their members when names
# become local, so GNU ld dissolves them.
RELOCATABLE = $(if $(filter Darwin,$(UNAME)),$(LD) -r,$(CC) $(filter-out --coverage,$(CFLAGS)) -r -nostdlib \
  $(if $(findstring GNU ld,$(shell $(LD) --version)),-Wl$(comma)--force-group-allocation))
comma := ,
$(BUILD)/static/%.o: %.c $(GEN)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -DSQLITE_CORE -c $< -o $@
$(BUILD)/libquire.a: $(STATIC_OBJ)
	$(RELOCATABLE) $^ -o $(BUILD)/static/quire.o
	$(if $(filter Darwin,$(UNAME)),,$(OBJCOPY) --localize-hidden $(BUILD)/static/quire.o)
	rm -f $@ && $(AR) rcs $@ $(BUILD)/static/quire.o

-include $(filter $(BUILD)/static/%.d,$(STATIC_OBJ:.o=.d))

.PHONY: static
static: $(BUILD)/libquire.a ## build/libquire.a, for linking into a program

# --- the demo ---

.PHONY: demo
demo: $(OUT)quire.$(EXT) ## index the system's word list, correct misspelt words
	@command -v sqlite3 >/dev/null || { echo "demo: no sqlite3 shell; on Debian: apt-get install sqlite3"; exit 1; }
	@test -r /usr/share/dict/words || \
	  { echo "demo: no word list /usr/share/dict/words; on Debian: apt-get install wamerican"; exit 1; }
	@rm -rf $(BUILD)/demo && mkdir -p $(BUILD)/demo
	@sqlite3 -bail -echo -box -cmd '.load $(if $(OUT),$(OUT),./)quire' $(BUILD)/demo/demo.db < demo/words.sql
	@echo; echo 'The database is $(BUILD)/demo/demo.db. To go on with it:'; echo
	@echo "  sqlite3 -box -cmd '.load $(if $(OUT),$(OUT),./)quire' $(BUILD)/demo/demo.db"

# --- tests ---

FUZZERS := literal ddl sql kernels pages
KERNELS_TESTS := kernels_test codes_test walk_test
TEST_TOOLS := $(BUILD)/testfuncs.so $(if $(wildcard test/fault_vfs.c),$(BUILD)/testvfs.so) \
              $(if $(wildcard test/faults.c),$(BUILD)/faults) $(BUILD)/static_test $(BUILD)/threads_test \
              $(BUILD)/rowmap_test $(BUILD)/pages_test $(BUILD)/corrupt \
              $(FUZZERS:%=$(BUILD)/fuzz_%)
# Absolute: tests start others in folders of their own.
TEST_ENV = QUIRE_LIB=$(abspath $(OUT)quire.$(EXT)) QUIRE_TESTFUNCS=$(abspath $(BUILD)/testfuncs.so) \
           QUIRE_TESTVFS=$(abspath $(BUILD)/testvfs.so) QUIRE_FAULTS=$(abspath $(BUILD)/faults) \
           QUIRE_STATIC_TEST=$(abspath $(BUILD)/static_test) QUIRE_THREADS_TEST=$(abspath $(BUILD)/threads_test) \
           QUIRE_ROWMAP_TEST=$(abspath $(BUILD)/rowmap_test) QUIRE_PAGES_TEST=$(abspath $(BUILD)/pages_test) QUIRE_CORRUPT=$(abspath $(BUILD)/corrupt) \
           QUIRE_FUZZERS=$(abspath $(BUILD))

$(BUILD)/testfuncs.so: test/testfuncs.c
	@mkdir -p $(@D)
	$(CC) -shared $(CFLAGS_ALL) $(LDFLAGS) $< -o $@
$(BUILD)/testvfs.so: test/fault_vfs.c test/powercut.c test/order.c test/fault_vfs.h
	@mkdir -p $(@D)
	$(CC) -shared $(CFLAGS_ALL) $(LDFLAGS) $(filter %.c,$^) -o $@
$(BUILD)/faults: test/faults.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) $(LDFLAGS) $< -o $@ -lsqlite3 $(LDLIBS_ALL)

$(BUILD)/static_test: test/static_test.c ext/quire.h $(BUILD)/libquire.a
	$(CC) $(CFLAGS_ALL) $(LDFLAGS) $(filter %.c %.a,$^) -o $@ -lsqlite3 $(LDLIBS_ALL)
$(BUILD)/corrupt: test/corrupt.c test/pagefile.c test/pagefile.h ext/quire.h $(BUILD)/libquire.a
	$(CC) $(filter-out -MMD -MP,$(CFLAGS_ALL)) $(LDFLAGS) $(filter %.c %.a,$^) -o $@ -lsqlite3 $(LDLIBS_ALL)

# Linked, so that they run without Tcl, and under what does not like loaded libraries. SQLITE3_C: sqlite3.c of SQLite's amalgamation,
# to be compiled like us; else the system's libsqlite3.
SQLITE3_C ?=
LINKED = $(CC) $(CFLAGS_ALL) -DSQLITE_CORE $(LDFLAGS) $(filter %.c %.a %.o,$^) -o $@ $(if $(SQLITE3_C),,-lsqlite3) $(LDLIBS_ALL)
SQLITE3_O := $(if $(SQLITE3_C),$(BUILD)/sqlite3.o)
$(BUILD)/sqlite3.o: $(SQLITE3_C)
	@mkdir -p $(@D)
	$(CC) $(OPT) -g $(CFLAGS) -w -c $(SQLITE3_C) -o $@
$(BUILD)/threads_test: test/threads_test.c test/testfuncs.c $(BUILD)/libquire.a $(SQLITE3_O)
	$(LINKED)
$(BUILD)/transcript: test/transcript.c test/testfuncs.c $(BUILD)/libquire.a $(SQLITE3_O)
	$(LINKED)

-include $(BUILD)/testfuncs.d $(BUILD)/testvfs.d $(BUILD)/faults.d

.PHONY: test-tools
test-tools: $(TEST_TOOLS)

# TESTS: `quick`, names of test files, patterns.
.PHONY: test
test: all test-tools ## the test suite; TESTS=quick for a short run, TESTS=model for one file
	$(TEST_ENV) $(TCLSH) test/run.tcl $(TESTS)

# sqlite-vec itself, for sqlite_vec.test: from PyPI, else from npm.
SQLITE_VEC := $(BUILD)/sqlite-vec
SQLITE_VEC_NPM = sqlite-vec-$(if $(filter Darwin,$(UNAME)),darwin,linux)-$(if $(filter arm64 aarch64,$(shell uname -m)),arm64,x64)
.PHONY: sqlite-vec
sqlite-vec: ## fetch sqlite-vec 0.1.9 (pip or npm), with which sqlite_vec.test compares
	@rm -rf $(SQLITE_VEC).new && mkdir -p $(SQLITE_VEC).new $(SQLITE_VEC)
	@cd $(SQLITE_VEC).new && { \
	  python3 -m pip download -q --no-deps --only-binary :all: sqlite-vec==0.1.9 && python3 -m zipfile -e sqlite_vec*.whl . || \
	  { npm pack --silent $(SQLITE_VEC_NPM)@0.1.9 && tar xzf sqlite-vec*.tgz; }; } && \
	  cp */vec0.$(EXT) $(abspath $(SQLITE_VEC))/vec0.$(EXT) || { echo "sqlite-vec: not fetched; it needs a network, and pip or npm"; exit 1; }
	@rm -rf $(SQLITE_VEC).new

# Leaks are not looked for: tclsh leaves memory behind at exit by design. test/faults.c checks ours.
# The plain kernels are most of what gcc has to do: without variable tracking that takes a fifth of the time, and with -Og less than half of that.
ASAN_CFLAGS := -DQUIRE_DEBUG -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
               $(if $(findstring clang,$(CC)),,-fno-var-tracking)
ASAN_ENV = ASAN_OPTIONS=detect_leaks=0:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1 \
           QUIRE_TEST_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libubsan.so)"
.PHONY: asan
asan: ## the test suite under the address and undefined-behaviour sanitizers
	@mkdir -p build-asan
	$(MAKE) BUILD=build-asan OUT=build-asan/ OPT=-O1 PLAIN_OPT=-Og CFLAGS="$(ASAN_CFLAGS) $(CFLAGS)" all test-tools
	$(ASAN_ENV) $(MAKE) BUILD=build-asan OUT=build-asan/ OPT=-O1 PLAIN_OPT=-Og CFLAGS="$(ASAN_CFLAGS) $(CFLAGS)" test

TSAN_SECONDS ?= 60
.PHONY: tsan
tsan: ## threads under the thread sanitizer; TSAN_SECONDS=60 each, SQLITE3_C=sqlite3.c of the amalgamation to see SQLite too
	$(MAKE) BUILD=build-tsan OUT=build-tsan/ OPT=-O1 CFLAGS="-fsanitize=thread $(CFLAGS)" build-tsan/threads_test
	cd build-tsan && for journal in wal delete; do ./threads_test -t $(TSAN_SECONDS) -s $$$$ -j $$journal || exit 1; done

.PHONY: builds valgrind
builds: ## gcc, clang, -O0 to -O3, SIMD off, i386: the same statements give the same output; SQLITE3_C=sqlite3.c of the amalgamation, BUILDS="name ..."
	@MAKE="$(MAKE)" SQLITE3_C="$(SQLITE3_C)" sh test/builds.sh $(BUILDS)
valgrind: all $(BUILD)/transcript $(BUILD)/threads_test $(BUILD)/faults $(BUILD)/corrupt $(BUILD)/static_test $(BUILD)/testvfs.so $(BUILD)/testfuncs.so ## a share of the suite under memcheck: no error, no leak
	@sh test/valgrind.sh $(BUILD) $(abspath $(OUT)quire.$(EXT))

# The extension with one mistake made on purpose (DEFECT in wal_shim/base.h); only the files that can have one are compiled anew.
DEFECT_SRC := $(shell grep -l DEFECT $(SRC))
$(BUILD)/defect-%/quire.$(EXT): $(OBJ) $(HDR)
	@mkdir -p $(@D)
	$(CC) -shared $(filter-out -MMD -MP,$(CFLAGS_ALL)) -DQUIRE_DEFECT='"$*"' $(LDFLAGS) $(DEFECT_SRC) \
	  $(filter-out $(DEFECT_SRC:%.c=$(BUILD)/%.o),$(OBJ)) -o $@ $(LDLIBS_ALL)

.PHONY: defects
defects: all test-tools ## build with each mistake of a list and hunt it; fails unless all are found
	$(TEST_ENV) BUILD=$(BUILD) MAKE="$(MAKE)" $(TCLSH) test/defects.tcl $(DEFECTS)

# BUDGET: minutes. NIGHTLY_ONLY: names of programmes in test/nightly.tcl.
.PHONY: nightly
nightly: all test-tools ## the long share of all test programmes; BUDGET=minutes
	$(TEST_ENV) BUILD=$(BUILD) $(TCLSH) test/nightly.tcl $(BUDGET)

# Fuzzers. FUZZ_LINK: what brings main(), here a plain one that replays files; libFuzzer under `make fuzz`.
FUZZ ?= $(FUZZERS)
FUZZ_SECONDS ?= 20
FUZZ_LINK ?= test/fuzz_main.c
FUZZ_CFLAGS := -DQUIRE_DEBUG -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FUZZ_BUILD = $(CC) $(filter-out -MMD -MP,$(CFLAGS_ALL)) -DSQLITE_CORE $(LDFLAGS) $(filter %.c %.o,$^) $(FUZZ_LINK) -o $@ -lsqlite3 $(LDLIBS_ALL)
$(BUILD)/fuzz_%: test/fuzz_%.c test/fuzz.h $(STATIC_OBJ)
	$(FUZZ_BUILD)
$(BUILD)/fuzz_pages: test/corrupt.c test/pagefile.c test/pagefile.h $(STATIC_OBJ)
	$(FUZZ_BUILD) -DCORRUPT_FUZZ
.PHONY: fuzz
fuzz: ## fuzzers under clang's libFuzzer with sanitizers; FUZZ_SECONDS=n each, FUZZ=name for one
	@command -v clang >/dev/null || { echo "fuzz: no clang; on Debian: apt-get install clang libclang-rt-dev"; exit 1; }
	@mkdir -p build-fuzz
	$(MAKE) -s BUILD=build-fuzz OUT=build-fuzz/ CC=clang OPT=-O1 WERROR= CFLAGS="$(FUZZ_CFLAGS)" FUZZ_LINK=-fsanitize=fuzzer $(FUZZ:%=build-fuzz/fuzz_%)
	@sh test/fuzz.sh build-fuzz $(FUZZ_SECONDS) $(FUZZ)

# Lines and branches that the suite and the C tests of kernels reach, in the extension and in what is linked (Debian: lcov). TESTS as for
# `make test`; without them besides every value in every field of a page. test/coverage.tcl says what is counted, test/coverage.txt why branches
# are left. A process that another user runs cannot write its counts.
COV_FLAGS := -DQUIRE_COVERAGE --coverage -fprofile-update=atomic
COV_MAKE = $(MAKE) BUILD=build-cov OUT=build-cov/ OPT=-O0 CFLAGS="$(COV_FLAGS) $(CFLAGS)"
.PHONY: coverage
coverage: ## lines and branches that the tests reach, against the goals, and what they do not; TESTS as for test
	@command -v lcov >/dev/null || { echo "coverage: no lcov; on Debian: apt-get install lcov"; exit 1; }
	$(COV_MAKE) all test-tools $(KERNELS_TESTS:%=build-cov/%)
	find build-cov -name '*.gcda' -delete
	-QUIRE_TEST_TIMEOUT=3600 FAULTS_PLACES=1 FAULTS_MAX=100 CORRUPT_EVERY=$(if $(TESTS),,1) CORRUPT_ONE_IN=1 $(COV_MAKE) test
	-for t in $(KERNELS_TESTS:%=build-cov/%); do $$t || exit 1; done
	lcov -q --rc lcov_branch_coverage=1 -c -d build-cov -o build-cov/all.info 2>build-cov/lcov.log
	lcov -q --rc lcov_branch_coverage=1 -e build-cov/all.info '*/ext/*' '*/vtab/*' '*/vector/*' '*/wal_shim/*' -o build-cov/own.info
	$(TCLSH) test/coverage.tcl build-cov/own.info

.PHONY: layers
layers: ## check the include directions and that each header compiles alone
	CC="$(CC)" $(TCLSH) test/layers.tcl

# The pure part of vector/, linked without the rest; the tests and benchmarks of its kernels.
KERNELS_SRC := $(wildcard vector/elem*.c vector/sparse.c vector/distance*.c vector/codes*.c vector/sq4*.c vector/rabitq*.c vector/walk8*.c) vector/filter_match.c wal_shim/mem.c wal_shim/crc32c.c wal_shim/cpu.c
KERNELS_FLAGS = $(filter-out -MMD -MP,$(CFLAGS_ALL)) -DSQLITE_CORE
KERNELS_LINK = $(CC) $(KERNELS_FLAGS) $(LDFLAGS) $(filter %.c %.o,$^) -o $@ -lsqlite3 $(LDLIBS_ALL)
AARCH64_CC ?= aarch64-linux-gnu-gcc
AARCH64_RUN ?= qemu-aarch64

$(KERNELS_TESTS:%=$(BUILD)/%): $(BUILD)/%: test/%.c test/kernels_tester.h $(call static_obj,$(KERNELS_SRC)) $(HDR)
	$(KERNELS_LINK)
# The map from rowid to slot, and what lies below it, over pages in memory.
ROWMAP_SRC := $(KERNELS_SRC) $(wildcard vector/learned.c vector/run_*.c vector/rowmap*.c) wal_shim/array.c wal_shim/pages.c wal_shim/catalog.c \
              wal_shim/home_memory.c wal_shim/home_file.c wal_shim/overlay.c
$(BUILD)/rowmap_test $(BUILD)/pages_test: $(BUILD)/%: test/%.c test/kernels_tester.h $(call static_obj,$(ROWMAP_SRC)) $(HDR)
	$(KERNELS_LINK)
$(BUILD)/%_aarch64: test/%.c test/kernels_tester.h $(KERNELS_SRC) $(HDR)
	@mkdir -p $(@D)
	$(AARCH64_CC) $(KERNELS_FLAGS) -std=gnu11 -O3 -static -DKERNELS_TEST_SHIM -ffunction-sections -Wl,--gc-sections $(filter %.c,$^) -o $@ -lm
$(BUILD)/bench_kernels: bench/kernels.c $(KERNELS_SRC) $(HDR)
	@mkdir -p $(@D)
	$(CC) $(KERNELS_FLAGS) $(LDFLAGS) $(filter %.c,$^) -o $@ -lsqlite3 $(LDLIBS_ALL)

# With Abseil's headers its btree_map is measured beside ours.
CXX ?= c++
HASH := \#
ABSEIL := $(shell printf '$(HASH)include "absl/container/btree_map.h"\n' | $(CXX) -std=c++17 -E -x c++ - >/dev/null 2>&1 && echo yes)
$(BUILD)/learned_peer.o: bench/learned_peer.cc
	@mkdir -p $(@D)
	$(CXX) -std=c++17 -O2 -march=native -c $< -o $@
$(BUILD)/bench_learned: bench/learned.c bench/keys.c bench/keys.h $(if $(ABSEIL),$(BUILD)/learned_peer.o) $(ROWMAP_SRC) $(HDR)
	@mkdir -p $(@D)
	$(CC) $(KERNELS_FLAGS) $(if $(ABSEIL),-DHAVE_BTREE) $(LDFLAGS) $(filter %.c %.o,$^) -o $@ -lsqlite3 \
	  $(if $(ABSEIL),-labsl_throw_delegate -labsl_raw_logging_internal -lstdc++) $(LDLIBS_ALL)

.PHONY: kernels-test neon-test bench-kernels map-test bench-map
map-test: $(BUILD)/rowmap_test ## the map from rowid to slot, without a database
	$(BUILD)/rowmap_test
bench-map: $(BUILD)/bench_learned ## the map from rowid to slot, beside in-memory trees; KEYS=10000000 RUNS=5
	$(BUILD)/bench_learned $(or $(KEYS),10000000) $(or $(RUNS),5)
kernels-test: $(KERNELS_TESTS:%=$(BUILD)/%) ## element types, distances, codes and kernels, without a database
	for t in $^; do $$t || exit 1; done
neon-test: ## the same for AArch64, cross-compiled and emulated
	@if command -v $(AARCH64_CC) >/dev/null && command -v $(AARCH64_RUN) >/dev/null; then \
	  for t in $(KERNELS_TESTS:%=$(BUILD)/%_aarch64); do $(MAKE) $$t && $(AARCH64_RUN) $$t || exit 1; done; \
	else echo "neon-test: skipped, $(AARCH64_CC) or $(AARCH64_RUN) is missing"; fi
bench-kernels: $(BUILD)/bench_kernels ## nanoseconds per distance, beside the speed of memory
	$<

# The data sets are the same bits everywhere: no contraction. Machine code of this machine, as the peers are built.
BENCH_FLAGS := -O3 -march=native
$(BUILD)/bench/data.o: CFLAGS += $(BENCH_FLAGS) -ffp-contract=off
# HNSWLIB: where its headers' folder hnswlib is. Debian's (libhnswlib-dev) is 0.6; WHAT=filter needs 0.7 or newer.
HNSWLIB ?= /usr/include
$(BUILD)/bench/peer_hnswlib.o: bench/peer_hnswlib.cpp
	@test -r $(HNSWLIB)/hnswlib/hnswlib.h || { echo "bench-hnsw: no hnswlib; on Debian: apt-get install g++ libhnswlib-dev"; exit 1; }
	@mkdir -p $(@D)
	$(CXX) -std=c++11 -g -MMD -MP $(WARN) $(WERROR) $(BENCH_FLAGS) -Wno-uninitialized $(CXXFLAGS) $(patsubst %,-isystem %,$(filter-out /usr/include,$(HNSWLIB))) \
	  $(if $(shell grep -ls BaseFilterFunctor $(HNSWLIB)/hnswlib/hnswlib.h),-DHNSWLIB_FILTERS) -c $< -o $@

BENCH_OBJ := $(BUILD)/bench/bench.o $(BUILD)/bench/data.o $(BUILD)/bench/keys.o
HNSW_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard bench/hnsw*.c)) $(BUILD)/bench/peer_hnswlib.o
$(BUILD)/bench_sql: $(BUILD)/bench/sql.o $(BENCH_OBJ)
	$(CC) $(CFLAGS_ALL) $(LDFLAGS) $^ -o $@ -lsqlite3 $(LDLIBS_ALL)
$(BUILD)/bench_hnsw: $(HNSW_OBJ) $(BENCH_OBJ)
	$(CXX) $(LDFLAGS) $^ -o $@ -lsqlite3 $(LDLIBS_ALL)

-include $(wildcard $(BUILD)/bench/*.d)

# PEER=path of sqlite-vec's vec0.so: its figures beside ours. RUNS: how many of each (median). BENCH_DIR: where databases are made.
.PHONY: bench
bench: $(OUT)quire.$(EXT) $(BUILD)/bench_sql $(BUILD)/bench_kernels ## speed through SQL and of the kernels; PEER=vec0.so of sqlite-vec
	@QUIRE_LIB=$(if $(OUT),$(OUT),./)quire PEER="$(PEER)" BENCH_DIR="$(abspath $(BUILD))" sh bench/bench.sh $(BUILD)

# SET=s100, c100, r1m, mnist. WHAT=search, lists, build, rebuild, commit, open, size, memory, churn, duplicates, filter, data. Other settings: the head of bench/hnsw.c.
SET ?= s100
WHAT ?= search
BENCH_DIR ?= $(abspath $(BUILD))
.PHONY: bench-hnsw
bench-hnsw: $(OUT)quire.$(EXT) $(BUILD)/bench_hnsw ## the graph index beside hnswlib; SET=s100|c100|r1m|mnist WHAT=search|lists|build|commit|…
	@mkdir -p $(BENCH_DIR)
	@QUIRE_LIB=$(if $(OUT),$(OUT),./)quire BENCH_DIR="$(BENCH_DIR)" $(BUILD)/bench_hnsw $(WHAT) $(SET)

$(BUILD)/bench_rows: $(BUILD)/bench/rows.o $(BENCH_OBJ)
	$(CC) $(LDFLAGS) $^ -o $@ -lsqlite3 $(LDLIBS_ALL)

# ROWS, DIM, SET=sequential|gaps|uniform|lognormal|snowflake|adversarial|both|all (default both: sequential, uniform), TABLE=vectors|map|paged; RUNS of each, BENCH_DIR as above.
.PHONY: bench-rows
bench-rows: $(OUT)quire.$(EXT) $(BUILD)/bench_rows ## rows by rowid through SQL beside an ordinary table; ROWS=1000000 DIM=16 TABLE=map
	@mkdir -p $(BENCH_DIR)
	@QUIRE_LIB=$(if $(OUT),$(OUT),./)quire BENCH_DIR="$(BENCH_DIR)" $(BUILD)/bench_rows $(or $(ROWS),1000000) $(or $(DIM),16) \
	  $(if $(filter s100,$(SET)),both,$(SET)) $(or $(TABLE),vectors)

$(BUILD)/bench_companions: $(BUILD)/bench/companions.o $(BENCH_OBJ)
	$(CC) $(LDFLAGS) $^ -o $@ -lsqlite3 $(LDLIBS_ALL)

.PHONY: bench-companions
bench-companions: $(OUT)quire.$(EXT) $(BUILD)/bench_companions ## key-value and events beside hand-written SQL, delay of quire_tail
	@QUIRE_LIB=$(if $(OUT),$(OUT),./)quire BENCH_DIR="$(abspath $(BUILD))" $(BUILD)/bench_companions

ROWS ?= 100000
DIM ?= 128
.PHONY: bench-upgrade
bench-upgrade: $(OUT)quire.$(EXT) $(BUILD)/testfuncs.so ## a table of sqlite-vec's read and upgraded (make sqlite-vec first); ROWS=100000 DIM=128
	@$(TCLSH) bench/upgrade.tcl $(abspath $(OUT)quire.$(EXT)) $(abspath $(or $(QUIRE_SQLITE_VEC),$(SQLITE_VEC)/vec0.$(EXT))) \
	  $(abspath $(BUILD)/testfuncs.so) $(abspath $(BUILD)) $(ROWS) $(DIM)

.PHONY: bench-content
bench-content: $(OUT)quire.$(EXT) $(BUILD)/testfuncs.so ## tables with content='' beside the default: load, reads, size; ROWS=100000 DIM=128
	@$(TCLSH) bench/content.tcl $(abspath $(OUT)quire.$(EXT)) $(abspath $(BUILD)/testfuncs.so) $(abspath $(BUILD)) $(ROWS) $(DIM)

.PHONY: bench-churn
bench-churn: $(OUT)quire.$(EXT) $(BUILD)/testfuncs.so ## how long the page file is while rows come and go; ROWS=100000 DIM=128
	@$(TCLSH) bench/churn.tcl $(abspath $(OUT)quire.$(EXT)) $(abspath $(BUILD)/testfuncs.so) $(abspath $(BUILD)) $(ROWS) $(DIM)

.PHONY: bench-sparse
bench-sparse: $(OUT)quire.$(EXT) ## sparse columns beside brute force and an inverted table in SQL, on real data; ROWS=100000
	@$(TCLSH) bench/sparse.tcl $(abspath $(OUT)quire.$(EXT)) $(abspath $(BUILD)) \
	  $(abspath $(or $(QUIRE_DATA),../shared/data)/sparse_ids_5K.txt.gz) $(ROWS)

DIMS ?= 128 768 1536
FORMS ?= unit raw outliers
METRICS ?= l2
INDEXES ?= hnsw ivf
RECALL ?= 0.98
.PHONY: bench-quantizers
bench-quantizers: $(OUT)quire.$(EXT) $(BUILD)/testfuncs.so ## recall and speed by index, quantizer and oversample; ROWS=4000 DIMS="128 768 1536" FORMS="unit raw outliers" METRICS=l2 INDEXES="hnsw ivf" RECALL=0.98
	@$(TCLSH) bench/quantizers.tcl $(abspath $(OUT)quire.$(EXT)) $(abspath $(BUILD)/testfuncs.so) $(abspath $(BUILD)) $(if $(filter file,$(origin ROWS)),4000,$(ROWS)) \
	  "$(DIMS)" "$(FORMS)" "$(METRICS)" "$(INDEXES)" $(RECALL)

# --- the rest ---

.PHONY: format
format: ## clang-format over our C files
	clang-format -i $(wildcard */*.c */*.h */*.cpp)

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
QUIRE_VERSION = $(shell sed -n 's/^#define QUIRE_VERSION "\(.*\)"/\1/p' wal_shim/base.h)
.PHONY: install
install: all static ## into PREFIX (default /usr/local), below DESTDIR; with header, libquire.a and pkg-config file
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR)
	install -m 644 $(OUT)quire.$(EXT) $(OUT)vec0.$(EXT) $(BUILD)/libquire.a $(DESTDIR)$(LIBDIR)
	install -m 644 ext/quire.h $(DESTDIR)$(INCLUDEDIR)
	printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(LIBDIR)' 'includedir=$(INCLUDEDIR)' \
	  'extension=$${libdir}/quire.$(EXT)' '' 'Name: quire' \
	  'Description: vector tables for SQLite: a loadable extension, and the same as a library' \
	  'Version: $(QUIRE_VERSION)' 'Requires.private: sqlite3' 'Cflags: -I$${includedir}' \
	  'Libs: -L$${libdir} -lquire -lsqlite3 -lm -lpthread' \
	  > $(DESTDIR)$(LIBDIR)/pkgconfig/quire.pc

.PHONY: clean
clean: ## remove what make built
	rm -rf build build-all build-asan build-cov build-fuzz build-tsan test/out quire.$(EXT) vec0.$(EXT)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 14
