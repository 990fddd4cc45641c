# sqlite_vec.tcl: write what the real sqlite-vec answers, sqlite_vec.answers.gz, for tests where it cannot be had.
#
#   make sqlite-vec && tclsh test/golden/sqlite_vec.tcl
#
# A dict of group -> answers, as sv_answers gives them; SQLite's version under the key "".
set tester_no_db 1
set golden [file dirname [file normalize [info script]]]
source [file join [file dirname $golden] tester.tcl]
source [file join [file dirname $golden] sqlite_vec_lib.tcl]

if {[sv_library] eq ""} {error "no sqlite-vec: make sqlite-vec, or QUIRE_SQLITE_VEC=path of its vec0"}
set answers [sv_answers [sv_library]]
if {[lindex [dict get $answers version] 0] ne {0 v0.1.9}} {error "not sqlite-vec 0.1.9: [dict get $answers version]"}
dict set answers "" [sqlite3 -version]
sv_write_answers $answers
puts "[llength [dict keys $answers]] groups"
