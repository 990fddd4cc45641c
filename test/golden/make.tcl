# make.tcl: write the golden files of this format: format0.db.gz, format0.db-quire.gz, format0.answers.gz, sparse0.* of sparse columns, bits0.* and graphbits0.* of 1-bit codes, map0.* of maps.
#
#   make all test-tools && QUIRE_LIB=... QUIRE_TESTFUNCS=... tclsh test/golden/make.tcl [format|sparse|bits|graphbits|map]
#
# Once a format is released its files stay as they are. Format 0 comes before the first release: whoever changes it writes them anew.
# The answers are taken from the rows alone, without a page file.
set golden [file dirname [file normalize [info script]]]
source [file join [file dirname $golden] tester.tcl]
source [file join [file dirname $golden] storage_lib.tcl]
source [file join $golden golden_lib.tcl]

proc keep {name bytes} {
  sl_write [file join $::golden $name.gz] [zlib gzip $bytes -level 9]
  puts "$name: [string length $bytes] bytes, packed [file size [file join $::golden $name.gz]]"
}

proc make {name build questions} {
  db close
  file delete {*}[glob -nocomplain test.db*]
  sqlite3 db test.db
  db eval {PRAGMA page_size = 1024; PRAGMA journal_mode = DELETE}
  load_quire db
  $build
  db eval {INSERT INTO quire(quire) VALUES('integrity-check')}
  set format [sl_counter format]
  set sound [golden_answers $questions]
  set free [db eval {SELECT first, count FROM quire_free WHERE first > 0}] ;# what they hold is nobody's
  db close
  keep $name$format.db [sl_read test.db]
  foreach {first count} $free {sl_poke test.db-quire [expr {$first * 4096}] [string repeat \0 [expr {$count * 4096}]]}
  keep $name$format.db-quire [sl_read test.db-quire]
  file delete test.db-quire
  open_db db
  set answers [golden_answers $questions]
  if {$answers ne $sound} {error "pages and rows give different answers"}
  keep $name$format.answers [encoding convertto utf-8 $answers]
}
foreach {name build questions} {format golden_build golden_questions sparse golden_build_sparse golden_questions_sparse
                                   bits golden_build_bits golden_questions_bits graphbits golden_build_graphbits golden_questions_bits map golden_build_map golden_questions_map} {
  if {$argv eq {} || $name in $argv} {make $name $build $questions}
}
finish_test
