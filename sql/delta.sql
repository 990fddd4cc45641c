-- The delta of one vector table: which rows gained (op 1) or lost (op 2) vectors since the last fold, or all rows lost them
-- (op 3), in order. tag is random: a row with the same seq and tag is the same row (S4). %s is the quoted schema, %w the table's name.
CREATE TABLE %s."%w_delta"(seq INTEGER PRIMARY KEY, rid INTEGER NOT NULL, op INTEGER NOT NULL, tag INTEGER NOT NULL);
