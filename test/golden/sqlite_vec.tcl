# sqlite_vec.tcl: write what the real sqlite-vec does, for tests where it cannot be had.
#
#   make sqlite-vec && tclsh test/golden/sqlite_vec.tcl
#
#   sqlite_vec.answers.gz   a dict of group -> answers, as sv_answers gives them; SQLite's version under the key ""
#   sqlite_vec.db.gz        a database with tables of its own (sv_build)
#   sqlite_vec.asked.gz     its answers to sv_questions of that database
set tester_no_db 1
set golden [file dirname [file normalize [info script]]]
source [file join [file dirname $golden] tester.tcl]
source [file join [file dirname $golden] sqlite_vec_lib.tcl]

if {[sv_library] eq ""} {error "no sqlite-vec: make sqlite-vec, or QUIRE_SQLITE_VEC=path of its vec0"}
set answers [sv_answers [sv_library]]
if {[lindex [dict get $answers version] 0] ne {0 v0.1.9}} {error "not sqlite-vec 0.1.9: [dict get $answers version]"}
dict set answers "" [sqlite3 -version]
sv_keep [sv_golden answers] [encoding convertto utf-8 $answers]
puts "[llength [dict keys $answers]] groups"

sqlite3 db golden.db
load_library db [sv_library]
sv_build db
set asked [sv_ask db]
foreach {name sql} [sv_questions] {
  if {[lindex [dict get $asked $name] 0]} {error "$name: [dict get $asked $name]"}
}
db eval VACUUM
if {[sv_differs [sv_ask db] $asked] ne ""} {error "VACUUM changed [sv_differs [sv_ask db] $asked]"}
db close
set f [open golden.db rb]
sv_keep [sv_golden db] [read $f]
close $f
sv_keep [sv_golden asked] [encoding convertto utf-8 $asked]
puts "[file size golden.db] bytes, packed [file size [sv_golden db]]"
finish_test
